import type { Guide, Look } from '../charts.ts';
import { text_width } from '../font.ts';
import { MARKERS, style_of } from '../style.ts';
import type { Scale } from './axes.ts';
import type { Layer, Room } from './page.ts';
import { shortened } from './text.ts';
import { AID, hatched, NOTE, SIZE } from './theme.ts';

export interface Entry {
  readonly name: string;
  readonly look: Look;
  readonly hollow?: boolean;
}

export interface Legend {
  readonly title?: string;
  /** A hatched field, or the marker of points. */
  readonly symbol: 'field' | 'marker';
  readonly entries: readonly Entry[];
}

/** A second reading of the same thing has no entry of its own. */
export const same_entry = (a: Entry, b: Entry): boolean => a.name === b.name && a.look === b.look;
export const distinct_entries = (entries: readonly Entry[]): Entry[] =>
  entries.filter((entry, i) => entries.findIndex((other) => same_entry(entry, other)) === i);

/** Besides its text an entry has a symbol and what separates it from the next. */
const ENTRY_POINTS = 44;

/** Nothing is drawn by it but its legend: marks bring their colours themselves. */
export function legend_layer({ title, symbol, entries }: Legend, width: number): Layer[] {
  if (entries.length === 0) return [];
  const names = entries.map(({ name }) => shortened(name, SIZE.tick, Math.max(width - ENTRY_POINTS, 60)));
  const widest = Math.max(...names.map((name) => text_width(name, SIZE.tick))) + ENTRY_POINTS;
  const most = Math.min(Math.max(Math.floor(width / widest), 1), entries.length);
  const domain = entries.map((_, i) => `${i}`);
  const legend = {
    title: title ?? null,
    columns: Math.ceil(entries.length / Math.ceil(entries.length / most)),
    labelExpr: `${JSON.stringify(names)}[datum.value]`,
  };
  const scaled = <T>(range: T[], more: object = {}) => ({
    field: 'entry',
    type: 'nominal' as const,
    scale: { domain, range },
    legend: { ...legend, ...more },
  });
  const data = { values: [] };
  if (symbol === 'field') {
    const square = { symbolType: 'square', symbolStrokeColor: 'black' };
    const fill = scaled(
      entries.map(({ look }) => hatched(look)),
      square,
    );
    return [{ data, mark: 'rect', encoding: { fill } }];
  }
  const styles = entries.map(({ look, hollow }) => ({ ...style_of(look), hollow }));
  return [
    {
      data,
      mark: { type: 'point', opacity: 1, strokeWidth: 1.2 },
      encoding: {
        fill: scaled(styles.map(({ color, hollow }) => (hollow ? 'white' : color))),
        stroke: scaled(styles.map(({ color, hollow }) => (hollow ? color : 'black'))),
        shape: scaled(styles.map(({ marker }) => MARKERS[marker] as string)),
      },
    },
  ];
}

/** A text at a place of the plot, in points from its upper left corner. */
export interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

interface Written {
  readonly size?: number;
  readonly align?: 'left' | 'center' | 'right';
  readonly baseline?: 'top' | 'middle' | 'bottom';
  /** Reads upwards; alignment is along the text. */
  readonly upright?: boolean;
  readonly color?: string;
  /** On data, with a rim; off it, plain. */
  readonly rim?: boolean;
}

/** `align` left and `baseline` middle begin a text at its place. */
export function text_layer(labels: readonly Label[], written: Written = {}): Layer[] {
  const { size = SIZE.note, align = 'center', baseline = 'middle', upright, color = 'black', rim = true } = written;
  if (labels.length === 0) return [];
  return [
    {
      data: { values: labels.map((label) => ({ ...label })) },
      mark: {
        type: 'text',
        ...(rim ? NOTE : {}),
        ...(upright ? { angle: 270 } : {}),
        x: { expr: 'datum.x' },
        y: { expr: 'datum.y' },
        fontSize: size,
        fill: color,
        align,
        baseline,
      },
      encoding: { text: { field: 'text' } },
    },
  ];
}

type Channel = ReturnType<Scale['channel']>;
export interface Axes {
  readonly x: Scale;
  readonly y: Scale;
}

/** Both axes for fields x and y of the data. */
export const position = ({ x, y }: Axes): { x: Channel; y: Channel } => ({ x: x.channel('x'), y: y.channel('y') });

export interface Whisker {
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
  readonly color: string;
}

const CAP_POINTS = 8;

/** Error bars along y. */
export function whisker_layers(whiskers: readonly Whisker[], axes: Axes): Layer[] {
  if (whiskers.length === 0) return [];
  const data = { values: whiskers.map((one) => ({ ...one })) };
  const color = { field: 'color', type: 'nominal' as const, scale: null };
  const end = (field: 'low' | 'high') => ({ x: axes.x.channel('x'), y: axes.y.channel(field), color });
  const cap = (field: 'low' | 'high'): Layer => ({
    data,
    mark: { type: 'tick', orient: 'horizontal', size: CAP_POINTS, thickness: 1.2 },
    encoding: end(field),
  });
  return [
    { data, mark: { type: 'rule', strokeWidth: 1.2 }, encoding: { ...end('low'), y2: { field: 'high' } } },
    cap('low'),
    cap('high'),
  ];
}

/** Lines across the plot at one value, with what they are at their end. */
export function guide_layers(guides: readonly Guide[], axes: Axes, room: Room): Layer[] {
  return guides.flatMap((guide): Layer[] => {
    const across = guide.axis === 'y';
    const at = axes[guide.axis].share(guide.at);
    const text = shortened(guide.label, SIZE.note, across ? room.width - 8 : room.height - 8);
    const label = across
      ? { x: room.width - 4, y: (1 - at) * room.height - 3, text }
      : { x: at * room.width - 3, y: 4, text };
    return [
      {
        data: { values: [{ [guide.axis]: guide.at }] },
        mark: { type: 'rule', color: AID.line, strokeWidth: 1.2, strokeDash: [6, 3] },
        encoding: { [guide.axis]: axes[guide.axis].channel(guide.axis) },
      },
      ...text_layer([label], { align: 'right', baseline: 'bottom', upright: !across, color: AID.text }),
    ];
  });
}
