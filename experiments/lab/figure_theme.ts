import { FONT } from './font.ts';
import type { PartName, StageName } from './schema.ts';

/** A figure's specification counts in points. */
export const POINTS_PER_INCH = 72;

/** Sizes in points. */
export const SIZE = { title: 18, label: 16, tick: 14, note: 11 } as const;

export const PALETTE = [
  '#1F77B4',
  '#FF7F0E',
  '#2CA02C',
  '#D62728',
  '#9467BD',
  '#8C564B',
  '#E377C2',
  '#7F7F7F',
  '#BCBD22',
  '#17BECF',
] as const;

/** Strokes of one 8 x 8 tile. */
const HATCHES = {
  plain: '',
  slash: 'M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4',
  backslash: 'M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4',
  cross: 'M0,0 l8,8 M0,8 l8,-8',
  rows: 'M0,4 h8',
  columns: 'M4,0 v8',
  grid: 'M0,4 h8 M4,0 v8',
  dots: 'M2,2 h0.01 M6,6 h0.01',
} as const;

interface Fill {
  readonly color: string;
  readonly hatch: keyof typeof HATCHES;
}

/** A stage or part has one colour and one hatch everywhere: without colour, the hatch tells. */
export const FILLS: Readonly<Record<StageName | PartName, Fill>> = {
  vision_encoder: { color: '#1F77B4', hatch: 'plain' },
  projector: { color: '#FF7F0E', hatch: 'dots' },
  prefill: { color: '#2CA02C', hatch: 'slash' },
  decode: { color: '#D62728', hatch: 'cross' },
  attention: { color: '#9467BD', hatch: 'plain' },
  mlp: { color: '#BCBD22', hatch: 'backslash' },
  moe_routing: { color: '#E377C2', hatch: 'grid' },
  moe_experts: { color: '#17BECF', hatch: 'slash' },
  norm: { color: '#7F7F7F', hatch: 'columns' },
  embed: { color: '#8C564B', hatch: 'rows' },
  // Ten colours are too few: the light companions of two of them.
  pooling: { color: '#AEC7E8', hatch: 'cross' },
  head: { color: '#FFBB78', hatch: 'dots' },
};

/** What a mark's fill is set to; the pattern it names is drawn by `patterns`. */
export const hatched = (name: StageName | PartName): string => `url(#fill_${name})`;

/** Pattern elements for those fills that a picture uses. */
export function patterns(svg: string): string {
  const names = (Object.keys(FILLS) as (StageName | PartName)[]).filter((name) => svg.includes(hatched(name)));
  return names
    .map((name) => {
      const { color, hatch } = FILLS[name];
      const strokes = HATCHES[hatch];
      const width = hatch === 'dots' ? 2.4 : 0.9;
      const lines = `<path d="${strokes}" fill="none" stroke="#000" stroke-width="${width}" stroke-opacity="0.55" stroke-linecap="round"/>`;
      return `<pattern id="fill_${name}" patternUnits="userSpaceOnUse" width="8" height="8"><rect width="8" height="8" fill="${color}"/>${strokes === '' ? '' : lines}</pattern>`;
    })
    .join('');
}

/** Marks of series that have no colour of their own. Up to nine series differ in shape, up to four in dash. */
export const SHAPES = [
  'circle',
  'square',
  'triangle-up',
  'diamond',
  'cross',
  'triangle-down',
  'triangle-right',
  'triangle-left',
  'M-0.7,-0.7L0.7,0.7M0.7,-0.7L-0.7,0.7',
] as const;
export const DASHES = [
  [1, 0],
  [8, 3],
  [2, 3],
  [8, 3, 2, 3],
] as const;

/** Text on top of data: a white rim keeps it readable on every fill. */
export const NOTE = { fontSize: SIZE.note, stroke: 'white', strokeWidth: 2.4, fill: 'black' } as const;

const FAMILY = `${FONT}, Arial, sans-serif`;

/** Configuration of vega-lite for all figures. */
export const THEME = {
  background: 'transparent',
  padding: 12,
  font: FAMILY,
  aria: false,
  view: { stroke: 'black', strokeWidth: 0.8 },
  title: {
    fontSize: SIZE.title,
    fontWeight: 'bold',
    subtitleFontSize: SIZE.note,
    subtitleLineHeight: 15,
    subtitlePadding: 5,
    offset: 14,
    anchor: 'start',
    limit: 0,
  },
  axis: {
    titleFontSize: SIZE.label,
    titleFontWeight: 'normal',
    titlePadding: 8,
    titleLimit: 0,
    labelFontSize: SIZE.tick,
    labelLimit: 0,
    labelPadding: 4,
    labelFlush: false,
    gridColor: '#606060',
    gridOpacity: 0.3,
    domainColor: 'black',
    tickColor: 'black',
  },
  legend: {
    titleFontSize: SIZE.tick,
    titleFontWeight: 'normal',
    titleLimit: 0,
    labelFontSize: SIZE.tick,
    labelLimit: 0,
    symbolSize: 220,
    symbolStrokeWidth: 0.8,
    columnPadding: 18,
    rowPadding: 4,
    orient: 'bottom',
    direction: 'horizontal',
  },
  concat: { spacing: 20 },
} as const;

/** Heading of one panel, in line with its plot. */
export const panel_title = (text: string, subtitle: string[]) => ({
  text,
  subtitle,
  fontSize: SIZE.label,
  fontWeight: 'normal' as const,
  offset: 12,
  frame: 'group' as const,
});

/** An axis from zero with round ticks that ends between two of them, so that no label pokes out at its end. */
export function from_zero(largest: number, ticks: number) {
  const magnitude = 10 ** Math.floor(Math.log10(largest / ticks));
  const step = magnitude * ([1, 2, 5].find((round) => round * magnitude >= largest / ticks) ?? 10);
  const end = (Math.ceil(largest / step - 0.5) + 0.5) * step;
  const values = Array.from({ length: Math.ceil(end / step) }, (_, i) => i * step);
  return { scale: { domain: [0, end], nice: false }, axis: { values, format: ',~r' } };
}
