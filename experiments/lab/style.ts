import type { Look } from './charts.ts';

/**
 * How everything that is drawn looks, in files and on pages alike: no renderer is known here. Colour never stands alone: what
 * may meet in one chart differs in hatching, marker or dash too.
 */
export interface Style {
  readonly color: string;
  readonly hatch: Hatch;
  readonly marker: Marker;
  readonly dash: readonly number[];
}

/** Strokes of one tile of 8 x 8, as the data of an SVG path. */
export const HATCHES = {
  plain: '',
  slash: 'M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4',
  backslash: 'M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4',
  cross: 'M0,0 l8,8 M0,8 l8,-8',
  rows: 'M0,4 h8',
  columns: 'M4,0 v8',
  grid: 'M0,4 h8 M4,0 v8',
  dots: 'M2,2 h0.01 M6,6 h0.01',
} as const;
export type Hatch = keyof typeof HATCHES;

/** A hatch is drawn in this ink, with round caps; dots are short strokes of a larger width. */
export const HATCH_INK = '#000000';
export const HATCH_OPACITY = 0.55;
export const hatch_width = (hatch: Hatch): number => (hatch === 'dots' ? 2.4 : 0.9);

/** Closed outlines in the square from -1 to 1, as the data of an SVG path; about equal in area. */
export const MARKERS = {
  circle: 'M0.9,0 A0.9,0.9 0 1 1 -0.9,0 A0.9,0.9 0 1 1 0.9,0 Z',
  square: 'M-0.8,-0.8 L0.8,-0.8 L0.8,0.8 L-0.8,0.8 Z',
  triangle_up: 'M0,-1 L1,0.8 L-1,0.8 Z',
  diamond: 'M0,-1 L1,0 L0,1 L-1,0 Z',
  plus: 'M-0.35,-1 L0.35,-1 L0.35,-0.35 L1,-0.35 L1,0.35 L0.35,0.35 L0.35,1 L-0.35,1 L-0.35,0.35 L-1,0.35 L-1,-0.35 L-0.35,-0.35 Z',
  triangle_down: 'M0,1 L1,-0.8 L-1,-0.8 Z',
  star: 'M0,-1 L0.27,-0.35 L0.95,-0.31 L0.43,0.14 L0.59,0.81 L0,0.45 L-0.59,0.81 L-0.43,0.14 L-0.95,-0.31 L-0.27,-0.35 Z',
  triangle_right: 'M1,0 L-0.8,1 L-0.8,-1 Z',
  times:
    'M-0.95,-0.5 L-0.5,-0.95 L0,-0.45 L0.5,-0.95 L0.95,-0.5 L0.45,0 L0.95,0.5 L0.5,0.95 L0,0.45 L-0.5,0.95 L-0.95,0.5 L-0.45,0 Z',
  triangle_left: 'M-1,0 L0.8,1 L0.8,-1 Z',
} as const;
export type Marker = keyof typeof MARKERS;

/** Lengths of stroke and gap; none for a full line. */
export const DASHES: readonly (readonly number[])[] = [[], [8, 3], [2, 3], [8, 3, 2, 3]];

export const PALETTE: readonly string[] = [
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
];

type Named = Exclude<Look, number>;

export const NAMED: Readonly<Record<Named, Style>> = {
  vision_encoder: { color: '#1F77B4', hatch: 'plain', marker: 'circle', dash: [] },
  projector: { color: '#FF7F0E', hatch: 'dots', marker: 'diamond', dash: [8, 3] },
  prefill: { color: '#2CA02C', hatch: 'slash', marker: 'square', dash: [8, 3, 2, 3] },
  decode: { color: '#D62728', hatch: 'cross', marker: 'triangle_up', dash: [2, 3] },
  attention: { color: '#9467BD', hatch: 'plain', marker: 'circle', dash: [] },
  mlp: { color: '#BCBD22', hatch: 'backslash', marker: 'square', dash: [8, 3] },
  moe_routing: { color: '#E377C2', hatch: 'grid', marker: 'plus', dash: [2, 3] },
  moe_experts: { color: '#17BECF', hatch: 'slash', marker: 'triangle_up', dash: [8, 3, 2, 3] },
  norm: { color: '#7F7F7F', hatch: 'columns', marker: 'triangle_down', dash: [4, 2] },
  embed: { color: '#8C564B', hatch: 'rows', marker: 'star', dash: [12, 3] },
  // Ten colours are too few: the light companions of three of them.
  pooling: { color: '#AEC7E8', hatch: 'cross', marker: 'diamond', dash: [4, 2, 1, 2] },
  head: { color: '#FFBB78', hatch: 'dots', marker: 'times', dash: [1, 2] },
  rest: { color: '#C7C7C7', hatch: 'plain', marker: 'triangle_left', dash: [1, 4] },
};

const HATCH_ORDER = Object.keys(HATCHES) as Hatch[];
const MARKER_ORDER = Object.keys(MARKERS) as Marker[];

/** Numbered series: ten differ in colour and marker, and those that share both, in dash and hatch. */
export function style_of(look: Look): Style {
  if (typeof look !== 'number') return NAMED[look];
  const round = Math.floor(look / PALETTE.length);
  return {
    color: cyclic(PALETTE, look),
    hatch: cyclic(HATCH_ORDER, look + round),
    marker: cyclic(MARKER_ORDER, look),
    dash: cyclic(DASHES, look + round),
  };
}

const cyclic = <T>(list: readonly T[], at: number): T => list[at % list.length] as T;

/** vision_encoder -> "vision encoder", moe_experts -> "MoE experts": how a stage or part is written in charts. */
export const words_of = (name: Named): string =>
  name.replace(/^moe/, 'MoE').replace(/^mlp$/, 'MLP').replaceAll('_', ' ');

/** Colours of a heat map from least to most, evenly apart; between two of them, mixed in sRGB. */
export const HEAT: readonly string[] = [
  '#F7FBFF',
  '#DEEBF7',
  '#C6DBEF',
  '#9ECAE1',
  '#6BAED6',
  '#4292C6',
  '#2171B5',
  '#08519C',
  '#08306B',
];
/** The same with a middle: below it, at it, above it. */
export const HEAT_AROUND: readonly string[] = [
  '#2166AC',
  '#4393C3',
  '#92C5DE',
  '#D1E5F0',
  '#F7F7F7',
  '#FDDBC7',
  '#F4A582',
  '#D6604D',
  '#B2182B',
];
/** Where a heat map has nothing. */
export const HEAT_NOTHING = '#E4E4E4';

/** Ends of the colour's scale: around a middle both ends are as far from it. */
export function heat_range(values: readonly number[], middle?: number): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (middle !== undefined) {
    const reach = Math.max(Math.abs(high - middle), Math.abs(middle - low)) || 1;
    return [middle - reach, middle + reach];
  }
  // Equal values lie in the middle of a scale of some width.
  const around = low === high ? Math.abs(low) / 2 || 1 : 0;
  return [low - around, high + around];
}

/** Of a value at this share of the scale, 0 to 1. */
export function heat_color(share: number, colors: readonly string[]): string {
  const at = Math.min(Math.max(share, 0), 1) * (colors.length - 1);
  const i = Math.min(Math.floor(at), colors.length - 2);
  const mixed = [1, 3, 5].map((from) => {
    const [a, b] = [colors[i], colors[i + 1]].map((color) =>
      Number.parseInt((color as string).slice(from, from + 2), 16),
    );
    const value = Math.round((a as number) + ((b as number) - (a as number)) * (at - i));
    return value.toString(16).padStart(2, '0');
  });
  return `#${mixed.join('')}`;
}

/** Relative luminance of sRGB, 0 to 1: whether dark or light text is read on a colour, and what is left of it in grey. */
export function luminance(color: string): number {
  const linear = (from: number): number => {
    const value = Number.parseInt(color.slice(from, from + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(1) + 0.7152 * linear(3) + 0.0722 * linear(5);
}
