import uPlot from 'uplot';
import { el, type LegendItem, legend } from './dom.ts';
import { axis, number_size, on_hover, plot, QUIET } from './plot.ts';
import { line_swatch, type Shape, shape_swatch, theme, trace_shape } from './style.ts';
import type { Tip } from './tip.ts';

export interface ScatterPoint {
  readonly x: number;
  readonly y: number;
  readonly tip: Tip;
}

export interface ScatterGroup {
  readonly name: string;
  readonly label: string;
  readonly colour: string;
  readonly shape: Shape;
  readonly points: readonly ScatterPoint[];
}

export interface ScatterLine {
  readonly name: string;
  readonly label: string;
  readonly dash: readonly number[];
  readonly points: readonly (readonly [number, number])[];
}

export interface ScatterOptions {
  readonly label: string;
  readonly x_axis: string;
  readonly y_axis: string;
  readonly groups: readonly ScatterGroup[];
  readonly lines: readonly ScatterLine[];
  readonly log?: boolean;
  readonly x_range: readonly [number, number];
  readonly y_range: readonly [number, number];
  readonly height: number;
}

const RADIUS = 5;
const REACH_PX = 28;

/** Points in groups, and straight lines between given ends. */
export function scatter_chart(options: ScatterOptions): HTMLElement {
  const { groups, lines } = options;
  const hidden = new Set<string>();
  // uPlot wants one list of x for all series: each point and line end has a place of its own in it.
  const marks = [
    ...groups.flatMap((group, g) => group.points.map(({ x, y, tip }) => ({ x, y, series: lines.length + g, tip }))),
    ...lines.flatMap((line, l) => line.points.map(([x, y]) => ({ x, y, series: l, tip: null }))),
  ].sort((a, b) => a.x - b.x);
  const columns = [...lines, ...groups].map((_, series) =>
    marks.map((mark) => (mark.series === series ? mark.y : null)),
  );

  const find = (chart: uPlot, left: number, top: number): Tip | null => {
    let best = REACH_PX;
    let tip: Tip | null = null;
    for (const mark of marks) {
      const group = groups[mark.series - lines.length];
      if (mark.tip === null || group === undefined || hidden.has(group.name)) continue;
      const away = Math.hypot(chart.valToPos(mark.x, 'x') - left, chart.valToPos(mark.y, 'y') - top);
      if (away < best) {
        best = away;
        tip = mark.tip;
      }
    }
    return tip;
  };

  const shapes =
    (shape: Shape): uPlot.Series.Points.PathBuilder =>
    (chart, series) => {
      const path = new Path2D();
      for (const [i, y] of (chart.data[series] ?? []).entries()) {
        if (y === null || y === undefined) continue;
        const at = [chart.valToPos(chart.data[0][i] as number, 'x', true), chart.valToPos(y, 'y', true)] as const;
        trace_shape(path, shape, ...at, RADIUS * uPlot.pxRatio);
      }
      return { stroke: path, fill: path, flags: 3 };
    };

  const distr = options.log ? 3 : 1;
  const box = el('div', { class: 'chart', role: 'img', 'aria-label': options.label });
  const chart = plot(
    box,
    () => options.height,
    () => ({
      data: [marks.map(({ x }) => x), ...columns],
      options: {
        ...QUIET,
        padding: [12, 16, 0, 0],
        scales: {
          x: { time: false, distr, range: [...options.x_range] },
          y: { distr, range: [...options.y_range] },
        },
        axes: [axis(options.x_axis, { size: 32 }), axis(options.y_axis, { size: number_size })],
        series: [
          {},
          ...lines.map(
            ({ dash }): uPlot.Series => ({
              stroke: () => theme().muted,
              width: 2,
              dash: [...dash],
              spanGaps: true,
              points: { show: false },
            }),
          ),
          ...groups.map(
            ({ colour, shape }): uPlot.Series => ({
              stroke: () => theme().paper,
              width: 1,
              paths: () => null,
              points: { show: true, paths: shapes(shape), fill: colour, stroke: () => theme().paper, width: 1 },
            }),
          ),
        ],
        hooks: { setCursor: on_hover(find) },
      },
    }),
  );
  const items: LegendItem[] = [
    ...groups.map(({ name, label, colour, shape }) => ({ name, label, swatch: shape_swatch(colour, shape) })),
    ...lines.map(({ name, label, dash }) => ({ name, label, swatch: line_swatch('#808892', dash) })),
  ];
  const order = [...lines, ...groups].map(({ name }) => name);
  const toggles = legend(items, (now) => {
    hidden.clear();
    for (const name of now) hidden.add(name);
    chart.change((self) => {
      for (const [i, name] of order.entries()) {
        const show = !hidden.has(name);
        if (self.series[i + 1]?.show !== show) self.setSeries(i + 1, { show });
      }
    });
  });
  return el('figure', { class: 'plot' }, el('div', { class: 'controls' }, toggles), box);
}
