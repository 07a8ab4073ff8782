import type { Distribution } from '../charts.ts';
import { percentile } from '../stats.ts';
import { style_of } from '../style.ts';
import { axis_of, percent_axis, round_step } from './axes.ts';
import { type Axes, guide_layers, position } from './layers.ts';
import type { Layer, Room } from './page.ts';
import { labels_under, slots_channel } from './slots.ts';
import { hatched } from './theme.ts';

/** Whether groups are drawn as lines rather than as fields. */
export const outlined = ({ shape, groups }: Distribution): boolean =>
  shape === 'cdf' || (shape === 'histogram' && groups.length > BESIDE);

type Group = Distribution['groups'][number];

export function distribution_layers(given: Distribution, room: Room): Layer[] {
  // Values lie along x, but under boxes along y.
  const axis = given.shape === 'box' ? ('y' as const) : ('x' as const);
  const chart = { ...given, guides: (given.guides ?? []).map((guide) => ({ ...guide, axis })) };
  if (chart.shape === 'box') return box_layers(chart, room);
  return chart.shape === 'cdf' ? cdf_layers(chart, room) : histogram_layers(chart, room);
}

const all_values = ({ groups, guides = [] }: Distribution): number[] => [
  ...groups.flatMap(({ values }) => values),
  ...guides.map(({ at }) => at),
];

/** Groups up to this many stand beside one another in each bin; more are outlines. */
const BESIDE = 3;
const MOST_BINS = 60;

function histogram_layers(chart: Distribution, room: Room): Layer[] {
  const { groups, guides = [] } = chart;
  const log = chart.value.scale === 'log';
  const edges = edges_of(
    groups.flatMap(({ values }) => values),
    log,
    chart.bins,
  );
  const counts = groups.map(({ values }) => counted(values, edges));
  const sides = { length: room.width, standing: false };
  const axes = {
    x: axis_of({ ...chart.value, from_zero: false }, [...edges, ...guides.map(({ at }) => at)], sides),
    y: axis_of({ label: 'Count' }, counts.flat(), {
      ...{ length: room.height, standing: true, margin: [0, 0.1], least_step: 1 },
    }),
  };
  const inner = (i: number): [number, number] => [edges[i] as number, edges[i + 1] as number];
  if (outlined(chart)) return [...guide_layers(guides, axes, room), ...outlines(groups, counts, edges, axes)];
  const bars = groups.flatMap(({ look }, g) =>
    (counts[g] as number[]).flatMap((count, i) => {
      const [from, to] = inner(i);
      const at = (part: number): number =>
        log ? from * (to / from) ** (part / groups.length) : from + ((to - from) * part) / groups.length;
      return count > 0 ? [{ x: at(g), x2: at(g + 1), y: 0, y2: count, fill: hatched(look) }] : [];
    }),
  );
  return [
    {
      data: { values: bars },
      mark: { type: 'rect', stroke: 'black', strokeWidth: 0.8 },
      encoding: {
        ...position(axes),
        x2: { field: 'x2' },
        y2: { field: 'y2' },
        fill: { field: 'fill', type: 'nominal', scale: null },
      },
    },
    ...guide_layers(
      guides,
      axes,
      room,
      bars.flatMap((bar) => spots_in(bar, axes, room)),
    ),
  ];
}

/** Where a label would stand on a bar. */
function spots_in(bar: { x: number; x2: number; y2: number }, { x, y }: Axes, room: Room): { x: number; y: number }[] {
  const middle = ((x.share(bar.x) + x.share(bar.x2)) / 2) * room.width;
  const top = (1 - y.share(bar.y2)) * room.height;
  return Array.from({ length: Math.ceil((room.height - top) / 12) }, (_, i) => ({ x: middle, y: top + 12 * i }));
}

/** Bins of round width by the rule of Freedman and Diaconis, or as many as are asked for; even on a logarithmic axis too. */
function edges_of(values: readonly number[], log: boolean, bins?: number): number[] {
  const along = log ? values.map(Math.log10) : values;
  const back = (x: number): number => (log ? 10 ** x : x);
  const [low, high] = [Math.min(...along), Math.max(...along)];
  if (high - low <= 1e-9 * Math.max(Math.abs(high), Math.abs(low))) {
    const half = log ? 0.05 : 0.05 * Math.abs(high) || 0.5;
    return [back(low - half), back(high + half)];
  }
  if (bins !== undefined || log) {
    const count = bins ?? Math.min(MOST_BINS, Math.ceil((high - low) / least_width(along)));
    const inner = Array.from({ length: count + 1 }, (_, i) => back(low + ((high - low) * i) / count));
    return inner;
  }
  const step = round_step(Math.max(least_width(along), (high - low) / MOST_BINS));
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function least_width(values: readonly number[]): number {
  const reach = Math.max(...values) - Math.min(...values);
  const quartiles = percentile(values, 75) - percentile(values, 25);
  const sturges = reach / (Math.log2(values.length) + 1);
  return quartiles > 0 ? Math.min((2 * quartiles) / Math.cbrt(values.length), sturges) : sturges;
}

/** The last bin holds its upper end too. */
function counted(values: readonly number[], edges: readonly number[]): number[] {
  const counts = new Array<number>(edges.length - 1).fill(0);
  for (const value of values) {
    let i = 0;
    while (i < counts.length - 1 && value >= (edges[i + 1] as number)) i += 1;
    counts[i] = (counts[i] as number) + 1;
  }
  return counts;
}

function outlines(
  groups: readonly Group[],
  counts: readonly number[][],
  edges: readonly number[],
  axes: Axes,
): Layer[] {
  return groups.map(({ look }, g): Layer => {
    const heights = counts[g] as number[];
    const values = [
      { x: edges[0], y: 0, order: 0 },
      ...heights.map((y, i) => ({ x: edges[i], y, order: i + 1 })),
      { x: edges.at(-1), y: heights.at(-1), order: edges.length },
      { x: edges.at(-1), y: 0, order: edges.length + 1 },
    ];
    return step_layer(values, look, axes);
  });
}

function step_layer(values: object[], look: Group['look'], axes: Axes): Layer {
  const { color, dash } = style_of(look);
  return {
    data: { values },
    mark: { type: 'line', interpolate: 'step-after', color, strokeWidth: 2, strokeDash: [...dash] },
    encoding: { ...position(axes), order: { field: 'order', type: 'quantitative' } },
  };
}

function cdf_layers(chart: Distribution, room: Room): Layer[] {
  const axes = {
    x: axis_of({ ...chart.value, from_zero: false }, all_values(chart), { length: room.width, standing: false }),
    y: percent_axis('Share of values (%)', { length: room.height, standing: true }),
  };
  const marks = chart.groups.flatMap(({ values }) =>
    values.map((x) => {
      const below = values.filter((value) => value <= x).length / values.length;
      return { x: axes.x.share(x) * room.width, y: (1 - below) * room.height };
    }),
  );
  const curves = chart.groups.map(({ values, look }): Layer => {
    const sorted = values.toSorted((a, b) => a - b);
    const steps = sorted.map((x, i) => ({ x, y: (100 * (i + 1)) / sorted.length, order: i + 1 }));
    // All of them lie left of the right end.
    return step_layer(
      [{ x: sorted[0], y: 0, order: 0 }, ...steps, { x: axes.x.domain[1], y: 100, order: sorted.length + 1 }],
      look,
      axes,
    );
  });
  return [...guide_layers(chart.guides ?? [], axes, room, marks), ...curves];
}

/** Quartiles and median; whiskers to the last value within one and a half quartile distances; what lies beyond, one by one. */
export function box_of(values: readonly number[]) {
  const [low, middle, high] = [25, 50, 75].map((q) => percentile(values, q)) as [number, number, number];
  const reach = 1.5 * (high - low);
  const within = values.filter((value) => value >= low - reach && value <= high + reach);
  const beyond = values.filter((value) => value < low - reach || value > high + reach);
  return { low, middle, high, least: Math.min(low, ...within), most: Math.max(high, ...within), beyond };
}

function box_layers(chart: Distribution, room: Room): Layer[] {
  const { groups, guides = [] } = chart;
  const slot = room.width / groups.length;
  const half = Math.min(30 / slot, 0.3);
  const under = labels_under(
    groups.map(({ name, values }) => [`${name} (n\u00a0=\u00a0${values.length})`]),
    [],
    room,
  );
  const x = (field: string) => slots_channel(field, groups.length, null, { titlePadding: under.height });
  const y = axis_of({ from_zero: false, ...chart.value }, all_values(chart), {
    length: room.height,
    standing: true,
    margin: [0.05, 0.08],
  });
  const boxes = groups.map(({ values, look }, i) => ({
    ...box_of(values),
    at: i + 0.5,
    left: i + 0.5 - half,
    right: i + 0.5 + half,
    fill: hatched(look),
  }));
  const data = { values: boxes.map(({ beyond: _, ...box }) => box) };
  const rule = (from: string, to: string): Layer => ({
    data,
    mark: { type: 'rule', color: 'black', strokeWidth: 1.2 },
    encoding: { x: x('at'), y: y.channel(from), y2: { field: to } },
  });
  const across = (field: string, width: number, thickness: number): Layer => ({
    data,
    mark: { type: 'tick', orient: 'horizontal', size: width, thickness, opacity: 1, color: 'black' },
    encoding: { x: x('at'), y: y.channel(field) },
  });
  const dots = boxes.flatMap(({ beyond, at }) => beyond.map((value) => ({ at, value })));
  return [
    // There is no axis of values along x.
    ...guide_layers(guides, { x: y, y }, room),
    rule('least', 'low'),
    rule('high', 'most'),
    across('least', half * slot, 1.2),
    across('most', half * slot, 1.2),
    {
      data,
      mark: { type: 'rect', stroke: 'black', strokeWidth: 0.8 },
      encoding: {
        x: x('left'),
        x2: { field: 'right' },
        y: y.channel('low'),
        y2: { field: 'high' },
        fill: { field: 'fill', type: 'nominal', scale: null },
      },
    },
    {
      data,
      mark: { type: 'tick', orient: 'horizontal', size: 2 * half * slot, thickness: 4.4, opacity: 1, color: 'white' },
      encoding: { x: x('at'), y: y.channel('middle') },
    },
    across('middle', 2 * half * slot, 2),
    {
      data: { values: dots },
      mark: { type: 'point', filled: false, color: 'black', size: 28, opacity: 1, strokeWidth: 1 },
      encoding: { x: x('at'), y: y.channel('value') },
    },
    ...under.layers,
  ];
}
