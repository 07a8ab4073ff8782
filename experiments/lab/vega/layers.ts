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
  /** A hatched field, the marker of points, or a piece of a line. */
  readonly symbol: 'field' | 'marker' | 'line';
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
  if (symbol === 'line') {
    const piece = { symbolType: 'stroke', symbolStrokeWidth: 2 };
    const encoding = {
      stroke: scaled(
        styles.map(({ color }) => color),
        piece,
      ),
      strokeDash: scaled(
        styles.map(({ dash }) => full(dash)),
        piece,
      ),
    };
    return [{ data, mark: 'line', encoding }];
  }
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

/** vega takes no list of no lengths for a full line. */
export const full = (dash: readonly number[]): number[] => (dash.length === 0 ? [1, 0] : [...dash]);

/** A place of the plot, in points from its upper left corner. */
export interface Spot {
  readonly x: number;
  readonly y: number;
}

export interface Label extends Spot {
  readonly text: string;
}

interface Written {
  readonly size?: number;
  readonly align?: 'left' | 'center' | 'right';
  readonly baseline?: 'top' | 'middle' | 'bottom';
  /** Reads upwards; alignment is along the text. */
  readonly upright?: boolean;
  /** Turned clockwise. */
  readonly degrees?: number;
  readonly color?: string;
  /** On data, with a rim; off it, plain. */
  readonly rim?: boolean;
}

/** `align` left and `baseline` middle begin a text at its place. */
export function text_layer(labels: readonly Label[], written: Written = {}): Layer[] {
  const { size = SIZE.note, align = 'center', baseline = 'middle', color = 'black', rim = true } = written;
  const degrees = written.upright ? 270 : written.degrees;
  if (labels.length === 0) return [];
  return [
    {
      data: { values: labels.map((label) => ({ ...label })) },
      mark: {
        type: 'text',
        ...(rim ? NOTE : {}),
        ...(degrees === undefined ? {} : { angle: degrees }),
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
  const color = { expr: 'datum.color' };
  const end = (field: 'low' | 'high') => ({ x: axes.x.channel('x'), y: axes.y.channel(field) });
  const cap = (field: 'low' | 'high'): Layer => ({
    data,
    mark: { type: 'tick', orient: 'horizontal', size: CAP_POINTS, thickness: 1.2, opacity: 1, color },
    encoding: end(field),
  });
  return [
    { data, mark: { type: 'rule', strokeWidth: 1.2, color }, encoding: { ...end('low'), y2: { field: 'high' } } },
    cap('low'),
    cap('high'),
  ];
}

/** Lines across the plot at one value; what they are stands on the side, and as near the end, where it hides least. */
export function guide_layers(guides: readonly Guide[], axes: Axes, room: Room, marks: readonly Spot[] = []): Layer[] {
  const taken: (Label & { readonly half: Spot })[] = [];
  const lines = guides.map(({ axis, at }) => {
    const share = axes[axis].share(at);
    return axis === 'y' ? { y: (1 - share) * room.height } : { x: share * room.width };
  });
  return guides.flatMap((guide, i): Layer[] => {
    const across = guide.axis === 'y';
    const text = shortened(guide.label, SIZE.note, across ? room.width - 8 : room.height - 8);
    const [length, beside] = [text_width(text, SIZE.note), SIZE.note / 2 + 3];
    const { x, y } = lines[i] as { x?: number; y?: number };
    const line = (across ? y : x) as number;
    const [along, size] = across ? [room.width, room.height] : [room.height, room.width];
    const first = across ? along - 4 - length / 2 : 4 + length / 2;
    const next = first + (across ? -1 : 1) * (length + 8);
    const middles = [first, along - first, ...(next > length / 2 && next < along - length / 2 ? [next] : [])];
    const places = middles.flatMap((middle) =>
      [line - beside, line + beside].map((side) => (across ? { x: middle, y: side } : { x: side, y: middle })),
    );
    const inside = places.filter(
      (place) => (across ? place.y : place.x) > 7 && (across ? place.y : place.x) < size - 7,
    );
    const half = across ? { x: length / 2, y: SIZE.note / 2 } : { x: SIZE.note / 2, y: length / 2 };
    const near = (a: number, b: number, reach: number): boolean => Math.abs(a - b) < reach;
    // Another label under it cannot be read, another line through it hardly.
    const hidden = (place: Spot): number =>
      marks.filter((mark) => near(mark.x, place.x, half.x + 6) && near(mark.y, place.y, half.y + 6)).length +
      1000 *
        taken.filter((one) => near(one.x, place.x, half.x + one.half.x) && near(one.y, place.y, half.y + one.half.y))
          .length +
      100 *
        lines.filter(
          (other) => near(other.x ?? Infinity, place.x, half.x) || near(other.y ?? Infinity, place.y, half.y),
        ).length;
    const best = inside.toSorted((a, b) => hidden(a) - hidden(b))[0] ?? (places[0] as Spot);
    taken.push({ ...best, text, half });
    return [
      {
        data: { values: [{ [guide.axis]: guide.at }] },
        mark: { type: 'rule', color: AID.line, strokeWidth: 1.2, strokeDash: [6, 3] },
        encoding: { [guide.axis]: axes[guide.axis].channel(guide.axis) },
      },
      ...text_layer([{ ...best, text }], { upright: !across, color: AID.text }),
    ];
  });
}
