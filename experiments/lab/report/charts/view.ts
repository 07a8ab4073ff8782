import type { Chart, Figure, Look, Series } from '../../charts.ts';
import { FORMULAS_EXPLAINED, names_formulas } from '../../words.ts';
import { choice, el, key, type LegendItem, legend, svg } from '../dom.ts';
import { fill_swatch, mark_swatch, responsive } from '../style.ts';
import { numbers_fold } from '../table_view.ts';
import { hide_tip, show_tip } from '../tip.ts';
import { distribution } from './distribution.ts';
import { heat } from './heat.ts';
import { pie } from './pie.ts';
import { type More, plane } from './plane.ts';
import { rows_of } from './rows.ts';
import { type Choices, type Mark, mark_at, type Scene } from './scene.ts';
import { stack } from './stack.ts';
import { strip_view } from './strip.ts';

const KIND_WORDS: Readonly<Record<Chart['kind'], string>> = {
  lines: 'Lines',
  scatter: 'Points',
  stack: 'Stacked bars',
  distribution: 'Distribution',
  pie: 'Shares of a whole',
  pareto: 'Points with their front',
  heat: 'Heat map',
  strip: 'Timeline',
};

function scene_of(chart: Exclude<Chart, { kind: 'strip' }>, width: number, choices: Choices, more?: More): Scene {
  switch (chart.kind) {
    case 'stack':
      return stack(chart, width, choices);
    case 'distribution':
      return distribution(chart, width, choices);
    case 'pie':
      return pie(chart, width, choices);
    case 'heat':
      return heat(chart, width);
    default:
      return plane(chart, width, choices, more);
  }
}

/** A chart with its heading, legend, tooltips and the table that says the same. */
export function chart_view(chart: Chart, title: string, more?: More): HTMLElement {
  const name = chart.title ?? title;
  const notes = [...(chart.notes ?? []), ...('fits' in chart ? (chart.fits ?? []).map(({ label }) => label) : [])];
  if (chart.kind === 'pareto') notes.push(`Better: ${way('x', chart)}, ${way('y', chart)}.`);
  const off = off_the_axis(chart);
  if (off > 0)
    notes.push(`${off} ${off === 1 ? 'point lies' : 'points lie'} at zero or below: no place on a logarithmic axis.`);
  return el(
    'figure',
    { class: 'plot', 'data-kind': chart.kind },
    chart.title === undefined ? null : el('figcaption', { class: 'panel-title' }, chart.title),
    ...notes.map((text) => el('p', { class: 'caption' }, text)),
    chart.kind === 'strip'
      ? strip_view(chart, `Timeline: ${name}`)
      : drawn(chart, `${KIND_WORDS[chart.kind]}: ${name}`, more),
    numbers_fold(() => rows_of(chart, name)),
  );
}

const way = (axis: 'x' | 'y', chart: Extract<Chart, { kind: 'pareto' }>): string =>
  `${chart.better[axis] === 'low' ? 'less' : 'more'} ${chart[axis].label.replace(/ \([^()]*\)$/, '')}`;

function off_the_axis(chart: Chart): number {
  if (!('series' in chart)) return 0;
  const log = (axis: 'x' | 'y') => chart[axis].scale === 'log';
  const points = chart.series.flatMap((one) => one.points);
  return points.filter(({ x, y }) => (log('x') && x <= 0) || (log('y') && y <= 0)).length;
}

function drawn(chart: Exclude<Chart, { kind: 'strip' }>, label: string, more?: More): HTMLElement {
  let choices: Choices = { hidden: new Set(), shares: chart.kind === 'stack' && chart.shares === true };
  let scene: Scene = { height: 0, nodes: [], marks: [] };
  let width = 0;
  const picture = svg('svg', { 'aria-hidden': 'true' });
  const box = el(
    'div',
    { class: 'chart', role: 'img', tabindex: '0', 'aria-label': `${label}; arrows read the values` },
    picture,
  );
  const show = inspector(box, picture, () => scene.marks);
  const draw = () => {
    if (width === 0) return;
    scene = scene_of(chart, width, choices, more);
    for (const [name, value] of Object.entries({
      width,
      height: scene.height,
      viewBox: `0 0 ${width} ${scene.height}`,
    })) {
      picture.setAttribute(name, String(value));
    }
    picture.replaceChildren(...scene.nodes);
    show(null);
  };
  responsive(box, (now) => {
    width = now;
    draw();
  });
  const choose = (some: Partial<Choices>) => {
    choices = { ...choices, ...some };
    draw();
  };
  // A single series may have no name: the axis says what it is.
  const items = legend_items(chart).filter(({ name }) => name !== '');
  const title = 'legend' in chart && chart.legend ? el('span', { class: 'legend-title' }, chart.legend) : null;
  const names =
    items.length > 1
      ? legend(items, (hidden) => choose({ hidden: new Set(hidden) }))
      : items.length === 1
        ? key(items)
        : null;
  const units =
    chart.kind === 'stack'
      ? choice(
          'Unit of the bars',
          [
            { value: 'value', text: chart.value.label },
            { value: 'share', text: 'shares' },
          ],
          choices.shares ? 'share' : 'value',
          (unit) => choose({ shares: unit === 'share' }),
        )
      : null;
  const controls =
    names || units ? el('div', { class: 'controls' }, el('div', { class: 'legend-line' }, title, names), units) : null;
  return el('div', {}, controls, box);
}

/** What the pointer is over and what the keyboard has walked to: outlined in the picture, told in the tooltip. */
function inspector(box: HTMLElement, picture: SVGElement, marks: () => readonly Mark[]): (mark: Mark | null) => void {
  let at = -1;
  const outline = svg('g', { class: 'outline' });
  const show = (mark: Mark | null) => {
    outline.replaceChildren();
    if (mark === null) {
      at = -1;
      hide_tip();
      return;
    }
    const { x, y, width = 0, height = 0 } = mark;
    outline.append(
      width > 0 && height > 0 ? svg('rect', { x, y, width, height }) : svg('circle', { cx: x, cy: y, r: 8 }),
    );
    if (!outline.isConnected) picture.append(outline);
  };
  box.addEventListener('pointermove', (event) => {
    const { left, top } = picture.getBoundingClientRect();
    const mark = mark_at(marks(), event.clientX - left, event.clientY - top);
    show(mark ?? null);
    if (mark) show_tip(event.clientX, event.clientY, mark.tip);
  });
  box.addEventListener('pointerleave', () => show(null));
  box.addEventListener('blur', () => show(null));
  box.addEventListener('keydown', (event) => {
    const list = marks();
    const next: Readonly<Record<string, number>> = {
      ArrowRight: Math.min(at + 1, list.length - 1),
      ArrowLeft: Math.max(at - 1, 0),
      Home: 0,
      End: list.length - 1,
    };
    const to = next[event.key];
    if (event.key === 'Escape') show(null);
    const mark = to === undefined ? undefined : list[to];
    if (to === undefined || mark === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    at = to;
    show(mark);
    const { left, top } = picture.getBoundingClientRect();
    show_tip(left + mark.x + (mark.width ?? 0) / 2, top + mark.y + (mark.height ?? 0) / 2, mark.tip);
  });
  return show;
}

function legend_items(chart: Chart): LegendItem[] {
  const items = (list: readonly { readonly name: string; readonly look: Look }[]): LegendItem[] => {
    const once = new Map(list.map((one) => [one.name, one.look]));
    return [...once].map(([name, look]) => ({ name, swatch: fill_swatch(look) }));
  };
  if (chart.kind === 'stack') return items(chart.bars.flatMap(({ segments }) => segments));
  if (chart.kind === 'pie') return items(chart.slices);
  if (chart.kind === 'distribution') return items(chart.groups);
  if (!('series' in chart)) return [];
  const lined = chart.kind !== 'lines' ? undefined : chart.series.length > 1 ? 'dashed' : 'full';
  const once = new Map<string, Series>();
  for (const one of chart.series) if (!once.has(one.name)) once.set(one.name, one);
  return [...once.values()].map(({ name, look, hollow }) => ({ name, swatch: mark_swatch(look, hollow, lined) }));
}

/** Everything written in a figure that a reader may need explained. */
const texts_of = ({ title, notes, panels }: Figure): (string | undefined)[] => [
  title,
  ...notes,
  ...panels.flatMap((panel) => [
    panel.title,
    ...(panel.notes ?? []),
    ...('series' in panel ? panel.series.map(({ name }) => name) : []),
  ]),
];

/** A figure with all its panels, and the files it was drawn to where it was. */
export function figure_view(figure: Figure, folder: string | null, basis: string | undefined): HTMLElement {
  const { name, title, notes, panels } = figure;
  const link = (ending: string, from: string) => {
    const parts = [...from.split('/'), 'figures', `${name}.${ending}`].filter((part) => part !== '');
    return el('a', { href: `./${parts.map(encodeURIComponent).join('/')}` }, ending.toUpperCase());
  };
  return el(
    'article',
    { class: 'figure', 'data-figure': name, 'aria-label': title },
    el('h3', {}, title, basis_badge(figure.untimed ? undefined : basis)),
    ...notes.map((text) => el('p', { class: 'caption' }, text)),
    el('div', { class: 'panels' }, ...panels.map((panel) => chart_view(panel, title))),
    names_formulas(texts_of(figure)) ? el('p', { class: 'caption' }, FORMULAS_EXPLAINED) : null,
    folder === null
      ? null
      : el('p', { class: 'files-of' }, 'As a file: ', link('svg', folder), ' · ', link('png', folder)),
  );
}

/** Beside every number that was not measured as it stands. */
export const basis_badge = (basis: string | undefined): HTMLElement | null =>
  basis === undefined ? null : el('span', { class: 'badge badge-scaled', title: basis }, 'scaled');

export const basis_note = (basis: string | undefined): HTMLElement | null =>
  basis === undefined ? null : el('p', { class: 'basis' }, basis);
