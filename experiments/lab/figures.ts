import type { Chart, Figure, Stack } from './charts.ts';
import { FONT, font_file, wrap } from './font.ts';
import { with_dpi } from './png.ts';
import type { Provenance } from './schema.ts';
import { checked } from './vega/check.ts';
import { distribution_layers, outlined } from './vega/distribution.ts';
import { heat_layers } from './vega/heat.ts';
import { distinct_entries, type Legend, legend_layer } from './vega/layers.ts';
import { draw_page, type Layer, type Page, type Panel, type Room } from './vega/page.ts';
import { pie_entries, pie_layers } from './vega/pie.ts';
import { fit_notes, pareto_layers, plane_layers } from './vega/plane.ts';
import { SPEED_LABEL_POINTS } from './vega/speeds.ts';
import { stack_layers } from './vega/stack.ts';
import { strip_entries, strip_layers } from './vega/strip.ts';
import { printable } from './vega/text.ts';
import { POINTS_PER_INCH, SIZE, THEME } from './vega/theme.ts';

/** What was measured, on what: every figure says it on its face. A provenance is one. */
export interface Head {
  /** Others' files do not say. */
  readonly adapter?: Pick<Provenance['adapter'], 'type' | 'description' | 'device'>;
  /** Kernels by themselves belong to none. */
  readonly model?: Pick<Provenance['model'], 'name' | 'weights_kind' | 'dtype'>;
  /** What the numbers are where they are not simply measured: "scaled to molmoe-1b from molmoe-slice". */
  readonly basis?: string;
}

const DPI = 300;

/** The picture as text and as pixels, the same on every machine. */
export async function render(figure: Figure, head: Head): Promise<{ svg: string; png: Uint8Array }> {
  const page = page_of(checked(figure), head);
  const svg = await draw_page(page);
  const { Resvg } = await import('@resvg/resvg-js');
  const image = new Resvg(svg, {
    font: {
      loadSystemFonts: false,
      fontFiles: [font_file('normal'), font_file('bold')],
      defaultFontFamily: FONT,
    },
    fitTo: { mode: 'width', value: Math.round(page.width_in * DPI) },
  });
  return { svg, png: with_dpi(image.render().asPng(), DPI) };
}

/** The picture as text alone: a good deal quicker. */
export const draw = async (figure: Figure, head: Head): Promise<string> => draw_page(page_of(checked(figure), head));

function page_of(figure: Figure, head: Head): Page {
  const { width_in, height_in } = { ...size_of(figure), ...given_size(figure) };
  const width = width_in * POINTS_PER_INCH - 2 * THEME.padding;
  const legends = figure.panels.map(legend_of);
  const shared = one_legend(legends);
  return {
    width_in,
    height_in,
    legends: shared === null ? 'own' : 'shared',
    title: {
      text: wrap(figure.title, SIZE.title * 1.08, width),
      subtitle: [...head_lines(figure.untimed ? { ...head, basis: undefined } : head), ...figure.notes].flatMap(
        (line) => wrap(line, SIZE.note, width),
      ),
    },
    panels: (room) => {
      const titles = panel_titles(figure.panels, room);
      return figure.panels.map((chart, i): Panel => {
        const legend = shared ?? legends[i];
        const wide = shared === null ? room.width + 60 : width;
        return {
          ...(titles === undefined ? {} : { title: titles[i] as NonNullable<Panel['title']> }),
          ...(chart.kind === 'pie' ? { view: { stroke: null } } : {}),
          layer: [...layers_of(chart, room, figure.panels[i - 1]), ...(legend ? legend_layer(legend, wide) : [])],
        };
      });
    },
  };
}

function head_lines({ model, adapter, basis }: Head): string[] {
  const weights = model?.weights_kind === 'synthetic' ? ', synthetic weights' : '';
  const subject = model === undefined ? '' : `${model.name}${weights}, ${model.dtype}; `;
  const machine = adapter === undefined ? '' : `${adapter.type} adapter ${adapter.description || adapter.device}`;
  const first = `${subject}${machine}`;
  return [...(first === '' ? [] : [first]), ...(basis === undefined ? [] : [basis])].map(printable);
}

function layers_of(chart: Chart, room: Room, left: Chart | undefined): Layer[] {
  switch (chart.kind) {
    case 'lines':
    case 'scatter':
      return plane_layers(chart, room);
    case 'pareto':
      return pareto_layers(chart, room);
    case 'stack':
      return stack_layers(chart, room, !same_bars(chart, left));
    case 'distribution':
      return distribution_layers(chart, room);
    case 'pie':
      return pie_layers(chart, room);
    case 'heat':
      return heat_layers(chart, room);
    case 'strip':
      return strip_layers(chart, room);
  }
}

const labels_of = ({ bars }: Stack): string => JSON.stringify(bars.map(({ label }) => label));

/** Lying bars of one panel that go on in the next are labelled once. */
const same_bars = (chart: Stack, left: Chart | undefined): boolean =>
  left?.kind === 'stack' && chart.lying === true && left.lying === true && labels_of(chart) === labels_of(left);

function legend_of(chart: Chart): Legend | undefined {
  switch (chart.kind) {
    case 'lines':
    case 'scatter':
      return {
        title: chart.legend,
        symbol: 'marker',
        entries: distinct_entries(chart.series.filter(({ name }) => name !== '')),
      };
    case 'pareto':
      return { symbol: 'marker', entries: distinct_entries(chart.series.filter(({ name }) => name !== '')) };
    case 'stack':
      return { symbol: 'field', entries: distinct_entries(chart.bars.flatMap(({ segments }) => segments)) };
    case 'distribution':
      // Boxes have their names under them.
      if (chart.shape === 'box' || chart.groups.length < 2) return undefined;
      return { symbol: outlined(chart) ? 'line' : 'field', entries: chart.groups };
    case 'pie':
      return { symbol: 'field', entries: pie_entries(chart) };
    case 'heat':
      return undefined;
    case 'strip':
      return { symbol: 'field', entries: strip_entries(chart) };
  }
}

/** One for all panels where each says the same of a look; else null, and every panel has its own. */
function one_legend(legends: readonly (Legend | undefined)[]): Legend | null {
  const [first] = legends;
  if (first === undefined) return null;
  const alike = legends.every((one) => one?.symbol === first.symbol && one.title === first.title);
  if (!alike) return null;
  const entries = distinct_entries(legends.flatMap((one) => one?.entries ?? []));
  const clash = entries.some((a, i) => entries.slice(i + 1).some((b) => a.look === b.look || a.name === b.name));
  return clash && legends.length > 1 ? null : { ...first, entries };
}

/** Points that a line of a panel's heading takes. */
const HEADING = {
  title: SIZE.label + 2,
  gap: THEME.title.subtitlePadding,
  note: THEME.title.subtitleLineHeight,
} as const;

/** Headings of panels, which all begin at one height. */
function panel_titles(charts: readonly Chart[], { width }: Room): Panel['title'][] | undefined {
  const notes_of = (chart: Chart): readonly string[] => [
    ...(chart.notes ?? []),
    ...(chart.kind === 'lines' || chart.kind === 'scatter' ? fit_notes(chart) : []),
  ];
  const wide = Math.max(width + 20, 120);
  const heads = charts.map((chart) => {
    const text = wrap(chart.title ?? ' ', SIZE.label, wide);
    const subtitle = notes_of(chart).flatMap((note) => wrap(note, SIZE.note, wide));
    const notes = subtitle.length === 0 ? 0 : HEADING.gap + subtitle.length * HEADING.note;
    return { text, subtitle, height: text.length * HEADING.title + notes };
  });
  if (charts.every(({ title }) => title === undefined) && heads.every(({ subtitle }) => subtitle.length === 0)) return;
  const highest = Math.max(...heads.map(({ height }) => height));
  // Lines of equal speed are labelled above their plot, which counts as a part of it.
  const labelled = charts.map((chart) => chart.kind === 'scatter' && chart.speeds === true);
  const above = (i: number): number => (labelled.includes(true) && !labelled[i] ? SPEED_LABEL_POINTS : 0);
  return heads.map(({ text, subtitle, height }, i) => ({
    text,
    ...(subtitle.length === 0 ? {} : { subtitle }),
    fontSize: SIZE.label,
    fontWeight: 'normal' as const,
    offset: 10 + above(i) + highest - height,
    frame: 'group' as const,
  }));
}

function given_size({ width_in, height_in }: Figure): { width_in?: number; height_in?: number } {
  return { ...(width_in === undefined ? {} : { width_in }), ...(height_in === undefined ? {} : { height_in }) };
}

function size_of({ panels }: Figure): { width_in: number; height_in: number } {
  const wide = panels.some((chart) => chart.kind === 'stack' && !chart.lying && chart.bars.length > 6);
  const width_in = panels.length > 2 ? 14 : panels.length > 1 ? 12 : wide ? 12 : 8;
  return { width_in, height_in: Number(Math.max(...panels.map((chart) => height_of(chart, width_in))).toFixed(2)) };
}

/** Inches that a chart wants: what lies in rows goes by their number. */
function height_of(chart: Chart, width_in: number): number {
  if (chart.kind === 'stack' && chart.lying) return 3.4 + 0.32 * chart.bars.length;
  if (chart.kind === 'heat') return Math.min(4 + 0.22 * chart.rows.length, 12);
  if (chart.kind === 'strip') return 3 + 0.5 * chart.tracks.length;
  if (chart.kind === 'stack' && chart.bars.length > 18) return 8;
  return width_in > 8 ? 7 : 6;
}
