import type { Fit, Lines, Pareto, Point, Scatter, Series } from '../charts.ts';
import { text_width } from '../font.ts';
import { MARKERS, style_of } from '../style.ts';
import { axis_of } from './axes.ts';
import {
  type Axes,
  full,
  guide_layers,
  type Label,
  position,
  type Spot,
  text_layer,
  whisker_layers,
} from './layers.ts';
import type { Layer, Room } from './page.ts';
import { place_labels } from './places.ts';
import { speed_layers } from './speeds.ts';
import { shortened } from './text.ts';
import { AID, SIZE } from './theme.ts';

export function plane_layers(chart: Lines | Scatter, room: Room): Layer[] {
  const points = chart.series.flatMap((series) => series.points);
  const guides = chart.guides ?? [];
  const roofs = chart.kind === 'scatter' ? (chart.roofs ?? []) : [];
  const corners = roofs.flatMap((roof) => roof.points);
  const at = (axis: 'x' | 'y') => guides.flatMap((guide) => (guide.axis === axis ? guide.at : []));
  const axes = {
    x: axis_of(chart.x, [...points.map(({ x }) => x), ...corners.map(([x]) => x), ...at('x')], {
      length: room.width,
      standing: false,
    }),
    y: axis_of(chart.y, [...points.flatMap(reach), ...corners.map(([, y]) => y), ...at('y')], {
      length: room.height,
      standing: true,
      // Room for the labels of guides and points along the top.
      margin: [0.05, 0.1],
    }),
  };
  const joined = chart.kind === 'lines';
  const band = chart.kind === 'lines' && chart.band === true;
  const marks = points.flatMap((point) => spots(point, axes, room));
  return [
    ...(chart.kind === 'scatter' && chart.speeds ? speed_layers(points, axes, room) : []),
    ...roofs.flatMap(({ points: corner }) => roof_layer(corner, axes)),
    ...guide_layers(guides, axes, room, marks),
    ...(band ? chart.series.flatMap((series) => band_layer(series, axes)) : []),
    ...(joined ? line_layer(chart.series, axes) : []),
    ...(chart.fits ?? []).flatMap((fit) => fit_layer(fit, points, axes)),
    ...(band ? [] : whiskers(chart.series, axes)),
    ...point_layer(chart.series, axes, joined),
    ...roofs.flatMap((roof) => roof_label(roof, axes, room)),
    ...placed_labels(labels_of(points, axes, room), marks, room),
  ];
}

export function pareto_layers(chart: Pareto, room: Room): Layer[] {
  const points = [...chart.series.flatMap((series) => series.points), ...chart.front];
  const axes = {
    x: axis_of(
      chart.x,
      points.map(({ x }) => x),
      { length: room.width, standing: false, margin: [0.08, 0.1] },
    ),
    y: axis_of(chart.y, points.flatMap(reach), { length: room.height, standing: true, margin: [0.08, 0.1] }),
  };
  const front = chart.front.toSorted((a, b) => a.x - b.x);
  // What the front promises between two of its points is the worse of them: that of the one that costs less.
  const interpolate = chart.better.x === 'low' ? ('step-after' as const) : ('step-before' as const);
  const marks = points.flatMap((point) => spots(point, axes, room).slice(0, 1));
  const lines = [...points.flatMap((point) => bar_of(point, axes, room)), ...steps_of(front, chart, axes, room)];
  // Points of the front are named first: theirs are the labels that must find a place.
  const on_front = (point: Point): boolean => front.some(({ x, y }) => x === point.x && y === point.y);
  const named = chart.series.flatMap((series) => series.points);
  const labelled = [...named.filter(on_front), ...named.filter((point) => !on_front(point))];
  const arrow = { low: { low: '↙', high: '↖' }, high: { low: '↘', high: '↗' } }[chart.better.x][chart.better.y];
  const corner = {
    x: chart.better.x === 'low' ? 6 : room.width - 6,
    y: chart.better.y === 'low' ? room.height - 8 : 10,
    text: `${arrow} better`,
  };
  const reaches = (chart.better.x === 'low' ? 1 : -1) * text_width(corner.text, SIZE.note);
  const written = between(corner, { x: corner.x + reaches, y: corner.y });
  return [
    {
      data: { values: front.map(({ x, y }) => ({ x, y })) },
      mark: { type: 'line', interpolate, color: AID.line, strokeWidth: 1.6, strokeDash: [6, 3] },
      encoding: position(axes),
    },
    ...whiskers(chart.series, axes),
    ...point_layer(chart.series, axes),
    ...text_layer([corner], { align: chart.better.x === 'low' ? 'left' : 'right', color: AID.text }),
    ...placed_labels(labels_of(labelled, axes, room), [...marks, ...written], room, lines),
  ];
}

const reach = ({ y, low = y, high = y }: Point): number[] => [y, low, high];

const spot = ({ x, y }: Point, axes: Axes, room: Room) => ({
  x: axes.x.share(x) * room.width,
  y: (1 - axes.y.share(y)) * room.height,
});

/** A point and the ends of its error bar. */
const spots = (point: Point, axes: Axes, room: Room) => reach(point).map((y) => spot({ x: point.x, y }, axes, room));

/** Places along an error bar. */
const bar_of = (point: Point, axes: Axes, room: Room): Spot[] => {
  const [at, low, high] = spots(point, axes, room) as [Spot, Spot, Spot];
  return low.y === high.y ? [at] : between(low, high);
};

/** Places along the steps of a front, a few points apart, so that labels keep off them. */
function steps_of(front: readonly Point[], { better }: Pareto, axes: Axes, room: Room) {
  return front.slice(1).flatMap((right, i) => {
    const left = front[i] as Point;
    const [a, b] = [spot(left, axes, room), spot(right, axes, room)];
    const corner = better.x === 'low' ? { x: b.x, y: a.y } : { x: a.x, y: b.y };
    return [...between(a, corner), ...between(corner, b)];
  });
}

function between(a: Spot, b: Spot) {
  const count = Math.ceil(Math.hypot(b.x - a.x, b.y - a.y) / 8);
  return Array.from({ length: count + 1 }, (_, i) => {
    const t = i / Math.max(count, 1);
    return { x: a.x + t * (b.x - a.x), y: a.y + t * (b.y - a.y) };
  });
}

const labels_of = (points: readonly Point[], axes: Axes, room: Room): Label[] =>
  points.flatMap((point) => (point.label ? { ...spot(point, axes, room), text: point.label } : []));

function placed_labels(
  labels: readonly Label[],
  marks: readonly Spot[],
  room: Room,
  lines: readonly Spot[] = [],
): Layer[] {
  const places = place_labels(labels, marks, room, lines);
  return text_layer(
    labels.flatMap(({ text }, i) => {
      const place = places[i];
      return place === undefined ? [] : { ...place, text };
    }),
  );
}

const whiskers = (series: readonly Series[], axes: Axes): Layer[] =>
  whisker_layers(
    series.flatMap(({ points, look }) =>
      points.flatMap(({ x, y, low, high }) =>
        low === undefined || high === undefined ? [] : { x, y, low, high, color: ink(style_of(look).color) },
      ),
    ),
    axes,
  );

/** Error bars in a darker shade of their series: over its marks they would vanish in its own. */
const ink = (color: string): string =>
  `#${[1, 3, 5]
    .map((from) =>
      Math.round(0.55 * Number.parseInt(color.slice(from, from + 2), 16))
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`;

/** `nested`: large marks behind, small ones in front, so that all of series that coincide stay visible. */
function point_layer(series: readonly Series[], axes: Axes, nested = false): Layer[] {
  const many = series.length > 4 || series.some(({ points }) => points.length > 60);
  const values = series.flatMap(({ points, look, hollow }, i) => {
    const size = nested ? Math.max(170 * 0.7 ** i, 60) : many ? 70 : 90;
    const { color, marker } = style_of(look);
    const paint = hollow ? { fill: 'white', stroke: color } : { fill: color, stroke: 'black' };
    return points.map(({ x, y }) => ({ x, y, size, shape: MARKERS[marker], ...paint }));
  });
  return [
    {
      data: { values },
      mark: {
        type: 'point',
        size: own('size'),
        opacity: 1,
        strokeWidth: 1,
        shape: own('shape'),
        fill: own('fill'),
        stroke: own('stroke'),
      },
      encoding: position(axes),
    },
  ];
}

/** What a mark brings itself: channels with fields are the legend's alone, or its parts would not be joined. */
const own = (field: string) => ({ expr: `datum.${field}` });

function line_layer(series: readonly Series[], axes: Axes): Layer[] {
  const values = series.flatMap(({ points, look }, line) => {
    const { color, dash } = style_of(look);
    return points.map(({ x, y }) => ({ x, y, line, color, dash: full(dash) }));
  });
  const detail = { field: 'line', type: 'nominal' as const };
  return [
    {
      data: { values },
      mark: { type: 'line', strokeWidth: 1.8, stroke: own('color'), strokeDash: own('dash') },
      encoding: { ...position(axes), detail },
    },
  ];
}

function band_layer({ points, look }: Series, axes: Axes): Layer[] {
  const values = points.map(({ x, y, low = y, high = y }) => ({ x, low, high }));
  return [
    {
      data: { values },
      mark: { type: 'area', color: style_of(look).color, opacity: 0.2, line: false },
      encoding: { x: axes.x.channel('x'), y: axes.y.channel('low'), y2: { field: 'high' } },
    },
  ];
}

const FIT_POINTS = 48;

/** A straight line, which logarithmic axes bend. */
function fit_layer({ slope, intercept, look }: Fit, points: readonly Point[], axes: Axes): Layer[] {
  const xs = points.map(({ x }) => x);
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  const bent = axes.x.log || axes.y.log;
  const count = bent ? FIT_POINTS : 1;
  const values = Array.from({ length: count + 1 }, (_, i) => {
    const t = i / count;
    const x = axes.x.log ? from * (to / from) ** t : from + t * (to - from);
    return { x, y: intercept + slope * x };
  }).filter(({ y }) => y >= axes.y.domain[0] && y <= axes.y.domain[1]);
  const color = look === undefined ? 'black' : style_of(look).color;
  return [
    {
      data: { values },
      mark: { type: 'line', color, strokeWidth: 1.5, strokeDash: [6, 4] },
      encoding: position(axes),
    },
  ];
}

type Roof = NonNullable<Scatter['roofs']>[number];

function roof_layer(corners: readonly (readonly [number, number])[], axes: Axes): Layer[] {
  return [
    {
      data: { values: corners.map(([x, y], order) => ({ x, y, order })) },
      mark: { type: 'line', color: AID.line, strokeWidth: 1.6 },
      encoding: { ...position(axes), order: { field: 'order', type: 'quantitative' } },
    },
  ];
}

/** Along the longest stretch of its roof, above it. */
function roof_label({ label, points }: Roof, axes: Axes, room: Room): Layer[] {
  const corners = points.map(([x, y]) => spot({ x, y }, axes, room));
  const stretches = corners.slice(1).map((b, i) => {
    const a = corners[i] as Spot;
    return { a, b, length: Math.hypot(b.x - a.x, b.y - a.y) };
  });
  const longest = stretches.toSorted((one, other) => other.length - one.length)[0];
  if (longest === undefined) return [];
  const { a, b, length } = longest;
  const turn = Math.atan2(b.y - a.y, b.x - a.x);
  const above = { x: (a.x + b.x) / 2 + 8 * Math.sin(turn), y: (a.y + b.y) / 2 - 8 * Math.cos(turn) };
  // What lies flat may be longer than its stretch.
  const flat = Math.abs(turn) < 0.01;
  const text = shortened(label, SIZE.note, flat ? room.width - 8 : length);
  const half = text_width(text, SIZE.note) / 2 + 4;
  const x = flat ? Math.min(Math.max(above.x, half), room.width - half) : above.x;
  return text_layer([{ ...above, x, text }], { color: AID.text, degrees: (180 * turn) / Math.PI });
}

export const fit_notes = ({ fits = [] }: Lines | Scatter): string[] => fits.map(({ label }) => `dashed: ${label}`);
