import type { Axis, Fit, Guide, Lines, Pareto, Point, Scatter, Series } from '../../charts.ts';
import { style_of } from '../../style.ts';
import { svg } from '../dom.ts';
import { measure, name_and_unit, si } from '../format.ts';
import { line_of, mark } from '../style.ts';
import type { Tip } from '../tip.ts';
import { type Frame, frame_of } from './frame.ts';
import { Labels } from './labels.ts';
import { type Choices, line, type Mark, path, type Scene, whisker } from './scene.ts';

/** More that a tooltip says of a point. */
export type More = ReadonlyMap<Point, Tip['lines']>;

type Plane = Lines | Scatter | Pareto;
type Place = readonly [number, number];

/** Beyond this many points a line carries no marks. */
const MOST_MARKED = 60;

/** Points in a plane: joined, alone, or with a front. */
export function plane(chart: Plane, width: number, { hidden }: Choices, more?: More): Scene {
  const shown = chart.series.filter(({ name }) => !hidden.has(name));
  const on_axis = ({ axis, at }: Guide) => chart[axis].scale !== 'log' || at > 0;
  const lines = 'guides' in chart ? (chart.guides ?? []).filter(on_axis) : [];
  const roofs = chart.kind === 'scatter' ? (chart.roofs ?? []) : [];
  const points = shown.flatMap((one) => one.points);
  const roof_points = roofs.flatMap((roof) => roof.points);
  // Room for the words above the highest roof.
  const above = roof_points.map(([, y]) => (chart.y.scale === 'log' ? 2 * y : 1.1 * y));
  const frame = frame_of(
    chart.x,
    chart.y,
    [...points.map(({ x }) => x), ...roof_points.map(([x]) => x), ...along(lines, 'x')],
    [...points.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]), ...above, ...along(lines, 'y')],
    width,
  );
  const labels = new Labels(frame);
  const place = ({ x, y }: Point): Place => [frame.x.at(x), frame.y.at(y)];
  const drawable = (point: Point) => (!frame.x.log || point.x > 0) && (!frame.y.log || point.y > 0);
  const behind: SVGElement[] = [];
  const front: SVGElement[] = [];
  const marks: Mark[] = [];
  for (const series of shown) {
    const own = series.points.filter(drawable);
    const sorted = chart.kind === 'lines' ? [...own].sort((a, b) => a.x - b.x) : own;
    if (chart.kind === 'lines') behind.push(...joined(chart, series, sorted, place, frame));
    const marked = chart.kind !== 'lines' || sorted.length <= MOST_MARKED;
    for (const point of sorted) {
      const [x, y] = place(point);
      const bar = !(chart.kind === 'lines' && chart.band) && error_bar(point, frame);
      if (bar) {
        behind.push(bar);
        labels.keep_free(x, frame.y.at(point.high ?? point.y), 4);
        labels.keep_free(x, frame.y.at(Math.max(point.low ?? point.y, frame.y.low)), 4);
      }
      if (marked) {
        front.push(mark(series.look, x, y, 5, series.hollow));
        labels.keep_free(x, y, 5);
      }
      marks.push({ x, y, tip: point_tip(series, point, chart, more?.get(point)) });
    }
  }
  if (chart.kind === 'pareto') behind.push(steps(chart, frame, drawable));
  for (const roof of roofs) {
    const ends = roof.points.map(([x, y]): Place => [frame.x.at(x), frame.y.at(y)]);
    behind.push(svg('path', { d: path(ends), class: 'roof' }));
    const end = ends.at(-1);
    if (end) labels.at_end(...end, roof.label);
  }
  if (chart.kind === 'scatter' && chart.speeds) behind.push(...speeds(frame, labels));
  if ('fits' in chart) behind.push(...(chart.fits ?? []).flatMap((fit) => fit_line(fit, shown, frame) ?? []));
  for (const guide of lines) behind.push(guide_line(guide, frame, labels));
  const seen = new Set<string>();
  for (const { point, at } of shown.flatMap((one) =>
    one.points.filter(drawable).map((point) => ({ point, at: place(point) })),
  )) {
    const once = `${point.label} ${at.map(Math.round)}`;
    if (point.label && !seen.has(once)) labels.beside(...at, point.label, chart.kind === 'pareto');
    seen.add(once);
  }
  const { height, nodes } = frame;
  return { height, nodes: [...nodes, clipped(behind, frame), ...front, ...labels.nodes], marks };
}

const along = (guides: readonly Guide[], axis: 'x' | 'y') => guides.flatMap((one) => (one.axis === axis ? one.at : []));

let clips = 0;
/** Lines may leave the plot; they are cut at its edge. */
function clipped(nodes: readonly SVGElement[], { left, right, top, bottom }: Frame): SVGElement {
  clips += 1;
  const id = `clip-${clips}`;
  const hole = svg('rect', { x: left - 6, y: top - 6, width: right - left + 12, height: bottom - top + 12 });
  return svg('g', {}, svg('clipPath', { id }, hole), svg('g', { 'clip-path': `url(#${id})` }, ...nodes));
}

function joined(
  { band, series }: Lines,
  { look, points: all }: Series,
  points: readonly Point[],
  place: (point: Point) => Place,
  { y }: Frame,
): SVGElement[] {
  const line_node = line_of(look, path(points.map(place)), series.length > 1);
  const ends = points.filter((one) => one.low !== undefined && one.high !== undefined);
  if (!band || ends.length < 2 || all.length === 0) return [line_node];
  const upper = ends.map((one): Place => [place(one)[0], y.at(one.high as number)]);
  const lower = ends.map((one): Place => [place(one)[0], y.at(one.low as number)]).reverse();
  const area = svg('path', { d: `${path([...upper, ...lower])}Z`, fill: style_of(look).color, class: 'band' });
  return [area, line_node];
}

function error_bar({ x, y, low, high }: Point, frame: Frame): SVGElement | null {
  if (low === undefined || high === undefined) return null;
  const least = frame.y.log ? Math.max(low, frame.y.low) : low;
  return least <= y || high >= y ? whisker(frame.x.at(x), frame.y.at(least), frame.y.at(high), 'y') : null;
}

export function point_tip(
  { name }: Series,
  { x, y, low, high, label }: Point,
  axes: { readonly x: Axis; readonly y: Axis },
  more: Tip['lines'] = [],
): Tip {
  const named = (axis: Axis, value: number) => ({
    label: name_and_unit(axis.label)[0],
    value: measure(value, axis.label),
  });
  const spread =
    low === undefined || high === undefined
      ? []
      : [{ label: 'from, to', value: `${measure(low, axes.y.label)} to ${measure(high, axes.y.label)}` }];
  const lines = [named(axes.x, x), named(axes.y, y), ...spread, ...more];
  return label && label !== name
    ? { title: label, lines: [{ label: 'series', value: name }, ...lines] }
    : { title: name, lines };
}

/** Dashed over the range of the points that it fits; bent where an axis is logarithmic. */
function fit_line({ slope, intercept, look }: Fit, series: readonly Series[], { x, y }: Frame): SVGElement | null {
  const own = series.filter((one) => look === undefined || one.look === look);
  const xs = own.flatMap(({ points }) => points.map((one) => one.x));
  if (xs.length === 0) return null;
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  const places = Array.from({ length: 41 }, (_, i): Place => {
    const at = from + ((to - from) * i) / 40;
    return [at, intercept + slope * at];
  }).filter(([at, value]) => (!x.log || at > 0) && (!y.log || value > 0));
  return svg('path', {
    d: path(places.map(([at, value]) => [x.at(at), y.at(value)])),
    class: 'fit',
    stroke: look === undefined ? 'var(--ink)' : style_of(look).color,
  });
}

function guide_line({ axis, at, label }: Guide, { x, y, left, right, top, bottom }: Frame, labels: Labels): SVGElement {
  if (axis === 'y') {
    labels.at_end(right, y.at(at), label);
    return line(left, y.at(at), right, y.at(at), 'guide');
  }
  labels.beside(x.at(at), top + 8, label);
  return line(x.at(at), top, x.at(at), bottom, 'guide');
}

/** Diagonals of equal FLOP/s, a power of ten apart or more, each labelled at its upper end. */
function speeds({ x, y, left }: Frame, labels: Labels): SVGElement[] {
  const slowest = Math.ceil(Math.log10((1e3 * x.low) / y.high));
  const fastest = Math.floor(Math.log10((1e3 * x.high) / y.low));
  const nodes: SVGElement[] = [];
  for (let exponent = slowest; exponent <= fastest; exponent++) {
    const per_ms = 10 ** (exponent - 3);
    const [from, to] = [Math.max(x.low, y.low * per_ms), Math.min(x.high, y.high * per_ms)];
    const end: Place = [x.at(to), y.at(to / per_ms)];
    if (from >= to || end[0] - left < 60) continue;
    nodes.push(line(x.at(from), y.at(from / per_ms), ...end, 'speed'));
    labels.at_end(end[0], end[1] + 9, si(10 ** exponent, 'FLOP/s'));
  }
  return nodes;
}

/** Between two points of a front the one with less of x holds where less is better, else the other. */
function steps({ front, better }: Pareto, { x, y }: Frame, drawable: (point: Point) => boolean): SVGElement {
  const places = front.filter(drawable).map((point): Place => [x.at(point.x), y.at(point.y)]);
  const corners = places.flatMap((to, i): Place[] => {
    const from = places[i - 1];
    if (from === undefined) return [to];
    return [better.x === 'low' ? [to[0], from[1]] : [from[0], to[1]], to];
  });
  return svg('path', { d: path(corners), class: 'front' });
}
