import { InputError } from '../../../engine/errors.ts';
import type { Chart, Figure, Series } from '../charts.ts';
import { bar_end } from './stack.ts';
import { printable } from './text.ts';

/** Beyond this, the ends of an axis are no numbers any more. */
const LARGEST = 1e300;

/** The figure with every text fit for print; what cannot be drawn is a fault of one line that names the place. */
export function checked(figure: Figure): Figure {
  const clean = copied(figure, `figure ${printable(figure.name)}`) as Figure;
  const fault = (expected: string, found: string, todo = 'leave the figure out or measure what it shows'): never => {
    throw new InputError(`figure ${clean.name}: expected ${expected}, found ${found}; ${todo}`);
  };
  if (clean.panels.length === 0) fault('at least one chart', 'none');
  for (const chart of clean.panels) check_chart(chart, fault);
  return clean;
}

type Fault = (expected: string, found: string, todo?: string) => never;

function copied(value: unknown, where: string): unknown {
  if (typeof value === 'string') return printable(value);
  if (typeof value === 'number' && !(Math.abs(value) <= LARGEST)) {
    throw new InputError(`${where}: expected a finite number, found ${value}; mend what computes it`);
  }
  if (Array.isArray(value)) return value.map((one, i) => copied(one, `${where}[${i}]`));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copied(one, `${where}.${key}`)]));
  }
  return value;
}

function check_chart(chart: Chart, fault: Fault): void {
  switch (chart.kind) {
    case 'lines':
    case 'scatter':
    case 'pareto':
      check_series(chart.series, fault);
      if (chart.kind === 'scatter' && chart.speeds && !(chart.x.scale === 'log' && chart.y.scale === 'log')) {
        fault('two logarithmic axes under lines of equal speed', 'a linear one', 'make both logarithmic');
      }
      return;
    case 'stack':
      check_stack(chart, fault);
      return;
    case 'distribution':
      if (chart.groups.length === 0) fault('at least one group of values', 'none');
      for (const { name, values } of chart.groups) if (values.length === 0) fault(`values in group ${name}`, 'none');
      if (chart.bins !== undefined && !(Number.isInteger(chart.bins) && chart.bins >= 1 && chart.bins <= 1000)) {
        fault('1 to 1,000 bins', `${chart.bins}`, 'choose fewer or leave the choice open');
      }
      return;
    case 'pie':
      for (const { name, value } of chart.slices) if (value < 0) fault(`a slice of at least 0 for ${name}`, `${value}`);
      if (!(chart.slices.reduce((sum, { value }) => sum + value, 0) > 0)) fault('slices of more than 0', 'none');
      return;
    case 'heat': {
      const { rows, columns, values } = chart;
      if (values.length !== rows.length) fault(`${rows.length} rows of values`, `${values.length}`);
      for (const row of values)
        if (row.length !== columns.length) fault(`${columns.length} values a row`, `${row.length}`);
      if (!values.flat().some((value) => value !== null)) fault('at least one value in the map', 'none');
      return;
    }
    case 'strip':
      if (!chart.tracks.some(({ spans }) => spans.length > 0)) fault('at least one span of time', 'none');
      for (const { from, to, name } of chart.tracks.flatMap(({ spans }) => spans)) {
        if (to < from) fault(`the end of ${name} after its beginning`, `${from} to ${to}`, 'mend what computes it');
      }
  }
}

function check_series(series: readonly Series[], fault: Fault): void {
  if (!series.some(({ points }) => points.length > 0)) fault('at least one point', 'none');
  for (const { name, points } of series) {
    for (const { y, low = y, high = y } of points) {
      if (low > y || high < y)
        fault(`an error bar around ${y} in ${name}`, `${low} to ${high}`, 'mend what computes it');
    }
  }
}

/** What a label says and a bar shows is one number: a total that is not the sum of its segments is a fault. */
function check_stack({ bars, value, shares }: Extract<Chart, { kind: 'stack' }>, fault: Fault): void {
  if (!bars.some(({ segments }) => segments.length > 0)) fault('at least one bar with segments', 'none');
  for (const bar of bars) {
    const name = bar.label.join(', ');
    if (value.scale === 'log' && bar_end(bar) <= 0) fault(`more than 0 in bar ${name} on a logarithmic axis`, '0');
    for (const segment of bar.segments) {
      if (segment.value < 0) fault(`segments of at least 0 in bar ${name}`, `${segment.name} ${segment.value}`);
    }
    const { total } = bar;
    if (total === undefined || shares) continue;
    const sum = bar_end(bar);
    if (Math.abs(sum - total.value) > 1e-6 * Math.max(Math.abs(total.value), Math.abs(sum))) {
      fault(`segments of bar ${name} that add up to its total ${total.value}`, `${sum}`, 'scale them to it');
    }
    if ((total.low ?? total.value) > total.value || (total.high ?? total.value) < total.value) {
      fault(
        `an error bar around ${total.value} on bar ${name}`,
        `${total.low} to ${total.high}`,
        'mend what computes it',
      );
    }
  }
}
