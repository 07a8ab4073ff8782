import type { Chart, Distribution, Heat, Lines, Pareto, Pie, Scatter, Stack, Strip } from '../../charts.ts';
import type { Column, Table } from '../../tables.ts';
import { spaced } from '../dom.ts';
import { ascending, quantile } from './spread.ts';

type Row = (string | number | null)[];

const words = (name: string): Column => ({ name: spaced(name), unit: 'text' });
const number = (name: string): Column => ({ name, unit: /\((FLOP|bytes|B)(\/s)?\)$/.test(name) ? 'flop' : 'number' });

/** The numbers of a chart as a table: the same to read as to see. */
export function rows_of(chart: Chart, title: string): Table {
  const { columns, rows, note } = body_of(chart);
  return { title: chart.title ?? title, columns, rows, note };
}

function body_of(chart: Chart): Omit<Table, 'title'> {
  switch (chart.kind) {
    case 'stack':
      return stack_rows(chart);
    case 'distribution':
      return distribution_rows(chart);
    case 'pie':
      return pie_rows(chart);
    case 'heat':
      return heat_rows(chart);
    case 'strip':
      return strip_rows(chart);
    default:
      return plane_rows(chart);
  }
}

function plane_rows(chart: Lines | Scatter | Pareto): Omit<Table, 'title'> {
  const points = chart.series.flatMap((series) => series.points.map((point) => ({ name: series.name, point })));
  const has = (key: 'label' | 'low') => points.some(({ point }) => point[key] !== undefined);
  const front = chart.kind === 'pareto' ? chart.front : null;
  const columns = [
    words(('legend' in chart && chart.legend) || 'series'),
    ...(has('label') ? [words('point')] : []),
    number(chart.x.label),
    number(chart.y.label),
    ...(has('low') ? [number('from'), number('to')] : []),
    ...(front ? [words('on the front')] : []),
  ];
  const rows = points.map(
    ({ name, point }): Row => [
      name,
      ...(has('label') ? [point.label ?? null] : []),
      point.x,
      point.y,
      ...(has('low') ? [point.low ?? null, point.high ?? null] : []),
      ...(front ? [front.some(({ x, y }) => x === point.x && y === point.y) ? 'yes' : 'no'] : []),
    ],
  );
  const lines = [
    ...('fits' in chart ? (chart.fits ?? []) : []),
    ...('guides' in chart ? (chart.guides ?? []) : []),
    ...(chart.kind === 'scatter' ? (chart.roofs ?? []) : []),
  ].map(({ label }) => label);
  return { columns, rows, note: lines.length > 0 ? `Lines: ${lines.join('; ')}` : undefined };
}

/** "Configuration (image, prompt, answer)". */
export const categories_of = ({ categories, lines = [] }: Stack): string =>
  lines.length > 0 ? `${categories} (${lines.join(', ')})` : categories;

function stack_rows(chart: Stack): Omit<Table, 'title'> {
  const { bars, value } = chart;
  const names = [...new Set(bars.flatMap(({ segments }) => segments.map(({ name }) => name)))];
  const totals = bars.some(({ total }) => total !== undefined);
  const columns = [
    words(categories_of(chart)),
    ...names.map((name) => number(spaced(name))),
    ...(totals ? [words('total')] : []),
  ];
  const rows = bars.map(({ label, segments, total }): Row => {
    const values = names.map((name) => segments.find((one) => one.name === name)?.value ?? null);
    return [label.join(' · '), ...values, ...(totals ? [total?.label ?? null] : [])];
  });
  return { columns, rows, note: value.label };
}

function distribution_rows({ groups, value }: Distribution): Omit<Table, 'title'> {
  const shares = [0, 0.25, 0.5, 0.75, 1];
  const names = ['least', 'first quarter', 'median', 'third quarter', 'most'];
  const rows = groups.map(({ name, values }): Row => {
    const sorted = ascending(values);
    return [name, sorted.length, ...shares.map((share) => (sorted.length > 0 ? quantile(sorted, share) : null))];
  });
  return {
    columns: [words('group'), { name: 'values', unit: 'count' }, ...names.map(number)],
    rows,
    note: value.label,
  };
}

function pie_rows({ slices, total }: Pie): Omit<Table, 'title'> {
  const sum = slices.reduce((all, { value }) => all + value, 0);
  const rows = slices.map(({ name, value }): Row => [spaced(name), value, sum > 0 ? value / sum : null]);
  const columns: Column[] = [words('slice'), number('value'), { name: 'share', unit: 'share' }];
  return { columns, rows, note: total && `Total: ${total}` };
}

function heat_rows({ rows, columns, row_title, column_title, values, value }: Heat): Omit<Table, 'title'> {
  return {
    columns: [words(row_title), ...columns.map(number)],
    rows: rows.map((name, r): Row => [name, ...columns.map((_, c) => values[r]?.[c] ?? null)]),
    note: `${value}; columns: ${column_title}`,
  };
}

/** A strip has thousands of spans: added up by track and name. */
function strip_rows({ tracks, time }: Strip): Omit<Table, 'title'> {
  const rows = tracks.flatMap(({ name, spans }) => {
    const looks = [...new Set(spans.map(({ look }) => look))];
    return looks.map((look): Row => {
      const own = spans.filter((span) => span.look === look);
      return [name, spaced(String(look)), own.length, own.reduce((sum, { from, to }) => sum + to - from, 0)];
    });
  });
  const columns: Column[] = [words('track'), words('what'), { name: 'spans', unit: 'count' }, number('sum')];
  return { columns, rows, note: time.label };
}
