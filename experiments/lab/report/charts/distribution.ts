import type { Distribution } from '../../charts.ts';
import { spaced, svg } from '../dom.ts';
import { count, measure, percent } from '../format.ts';
import { fitted, hatched, line_of, mark, text_width } from '../style.ts';
import { type Frame, frame_of, x_name, x_numbers } from './frame.ts';
import { Labels } from './labels.ts';
import { scale_of } from './scale.ts';
import { box, type Choices, line, type Mark, path, type Scene, text } from './scene.ts';
import { ascending, bins_of, quantile } from './spread.ts';

const ROW_PX = 44;

type Group = Distribution['groups'][number];

/** How values are spread: counts in bins, shares up to a value, or quartiles. */
export function distribution(chart: Distribution, width: number, { hidden }: Choices): Scene {
  const groups = chart.groups.filter(({ name, values }) => !hidden.has(name) && values.length > 0);
  const shown = { ...chart, groups };
  return { histogram, cdf, box: boxes }[chart.shape](shown, width);
}

function histogram(chart: Distribution, width: number): Scene {
  const bins = bins_of(chart);
  const most = Math.max(1, ...bins.flatMap(({ counts }) => counts));
  const value = { ...chart.value, from_zero: chart.value.from_zero === true };
  const frame = frame_of(
    value,
    { label: 'Values (count)' },
    bins.flatMap(({ from, to }) => [from, to]),
    [0, most],
    width,
  );
  const nodes: SVGElement[] = [];
  const marks: Mark[] = [];
  for (const { from, to, counts } of bins) {
    const [left, right] = [frame.x.at(from), frame.x.at(to)];
    // Groups stand side by side within a bin, so that none hides another.
    const wide = (right - left - 1) / counts.length;
    for (const [g, n] of counts.entries()) {
      const group = chart.groups[g] as Group;
      const [x, y] = [left + g * wide, frame.y.at(n)];
      nodes.push(box(x, y, wide, frame.bottom - y, hatched(group.look)));
      if (n === 0) continue;
      const range = `${measure(from, value.label)} to ${measure(to, value.label)}`;
      const lines = [
        { label: 'values', value: `${count(n)} of ${count(group.values.length)}` },
        { label: 'from, to', value: range },
      ];
      marks.push({
        x,
        y,
        width: Math.max(1, wide),
        height: frame.bottom - y,
        tip: { title: spaced(group.name), lines },
      });
    }
  }
  return finished(chart, frame, nodes, marks);
}

function cdf(chart: Distribution, width: number): Scene {
  const value = { ...chart.value, from_zero: chart.value.from_zero === true };
  const all = chart.groups.flatMap((one) => one.values);
  const frame = frame_of(value, { label: 'Values up to here (%)' }, all, [0, 100], width);
  const nodes: SVGElement[] = [];
  const marks: Mark[] = [];
  for (const { name, look, values } of chart.groups) {
    const sorted = ascending(values).filter((x) => !frame.x.log || x > 0);
    const places = sorted.map((x, i) => [frame.x.at(x), frame.y.at((100 * (i + 1)) / sorted.length)] as const);
    const corners = places.flatMap((to, i) => [[to[0], places[i - 1]?.[1] ?? frame.bottom] as const, to]);
    nodes.push(line_of(look, path(corners)));
    for (const [i, [x, y]] of places.entries()) {
      const lines = [
        { label: chart.value.label.replace(/ \(.*$/, ''), value: measure(sorted[i] as number, value.label) },
        { label: 'values up to here', value: percent((i + 1) / sorted.length) },
      ];
      marks.push({ x, y, tip: { title: spaced(name), lines } });
    }
  }
  return finished(chart, frame, nodes, marks);
}

function finished(chart: Distribution, frame: Frame, nodes: SVGElement[], marks: Mark[]): Scene {
  const labels = new Labels(frame);
  for (const { axis, at, label } of chart.guides ?? []) {
    const scale = axis === 'x' ? frame.x : frame.y;
    if (at < scale.low || at > scale.high) continue;
    const px = scale.at(at);
    if (axis === 'x') {
      nodes.push(line(px, frame.top, px, frame.bottom, 'guide'));
      labels.beside(px, frame.top + 8, label);
    } else {
      nodes.push(line(frame.left, px, frame.right, px, 'guide'));
      labels.at_end(frame.right, px, label);
    }
  }
  return { height: frame.height, nodes: [...frame.nodes, ...nodes, ...labels.nodes], marks };
}

/** A lying box a group: quartiles, the median, whiskers to the last value within 1.5 boxes, the others as points. */
function boxes(chart: Distribution, width: number): Scene {
  const { groups } = chart;
  const names = groups.map(({ name }) => spaced(name));
  const left = Math.min(width * 0.4, 12 + Math.max(0, ...names.map((name) => text_width(name))));
  const right = width - 14;
  const guides = (chart.guides ?? []).filter(({ axis }) => axis === 'x');
  const top = guides.length > 0 ? 22 : 6;
  const bottom = top + groups.length * ROW_PX;
  const value = { ...chart.value, from_zero: chart.value.from_zero === true };
  const x = scale_of(
    value,
    groups.flatMap((one) => one.values),
    left,
    right,
    70,
  );
  const nodes = [...x_numbers(x, top, bottom, width), x_name(value.label, left, right, width, bottom + 33)];
  const marks: Mark[] = [];
  for (const [i, { look, values, name }] of groups.entries()) {
    const sorted = ascending(values).filter((one) => !x.log || one > 0);
    if (sorted.length === 0) continue;
    const [q1, median, q3] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share)) as [number, number, number];
    const reach = 1.5 * (q3 - q1);
    const inner = sorted.filter((one) => one >= q1 - reach && one <= q3 + reach);
    const [low, high] = [inner[0] ?? q1, inner.at(-1) ?? q3];
    const y = top + i * ROW_PX + ROW_PX / 2;
    nodes.push(text(left - 8, y, fitted(names[i] ?? '', left - 8), 'ink', 'end'));
    nodes.push(
      svg('path', {
        d: `M${x.at(low)} ${y}H${x.at(high)}M${x.at(low)} ${y - 6}v12M${x.at(high)} ${y - 6}v12`,
        class: 'whisker',
      }),
    );
    const quartiles = box(x.at(q1), y - 12, x.at(q3) - x.at(q1), 24, hatched(look));
    quartiles.setAttribute('class', 'piece');
    nodes.push(quartiles, line(x.at(median), y - 12, x.at(median), y + 12, 'median'));
    for (const one of sorted.filter((each) => each < low || each > high)) nodes.push(mark(look, x.at(one), y, 3, true));
    const shown = (label: string, at: number) => ({ label, value: measure(at, value.label) });
    const lines = [
      shown('least', sorted[0] as number),
      shown('first quarter up to', q1),
      { ...shown('median', median), strong: true },
      shown('third quarter up to', q3),
      shown('most', sorted.at(-1) as number),
      { label: 'values', value: count(sorted.length) },
    ];
    marks.push({ x: left, y: y - 16, width: right - left, height: 32, tip: { title: spaced(name), lines } });
  }
  const labels = new Labels({ left: 0, right: width, top: 0, bottom });
  for (const { at, label } of guides.filter((guide) => guide.at >= x.low && guide.at <= x.high)) {
    nodes.push(line(x.at(at), top - 6, x.at(at), bottom, 'guide'));
    labels.beside(x.at(at), top - 12, label);
  }
  return { height: bottom + 44, nodes: [...nodes, ...labels.nodes], marks };
}
