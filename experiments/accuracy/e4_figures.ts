import type { z } from 'zod';
import { POLICIES } from '../budget/policies.ts';
import type { Figure, Lines, Series } from '../lab/charts.ts';
import type { Table } from '../lab/tables.ts';
import { type E4Row, type e4_files, KEPT } from './e4_files.ts';

interface Results {
  readonly chosen_by: string;
  readonly rows: readonly E4Row[];
}
type Tries = z.infer<(typeof e4_files)['e4_requests']['tries']>;

const x = { label: "Budget (% of the request's full time)", from_zero: false };

/** A line a policy; a little apart, so that error bars do not hide each other. */
function by_policy(
  rows: readonly E4Row[],
  of: (row: E4Row) => { y: number; low?: number; high?: number; n: number }[],
): Series[] {
  return POLICIES.map((policy, look) => ({
    name: policy,
    look,
    points: rows
      .filter((row) => row.policy === policy)
      .flatMap((row) => of(row).map((point) => ({ x: 100 * row.fraction + (look - 2) * 0.4, ...point }))),
  })).filter(({ points }) => points.length > 0);
}

const held_panel = (title: string, rows: readonly E4Row[], what: 'promised' | 'all'): Lines => ({
  ...{ kind: 'lines', title, x, y: { label: 'Kept by the stopwatch (%)' } },
  series: by_policy(rows, (row) => {
    const { of, share, low, high } = row[what];
    return of === 0 ? [] : [{ y: 100 * share, low: 100 * low, high: 100 * high, n: of }];
  }),
  guides: [{ axis: 'y', at: 100 * KEPT, label: `${100 * KEPT} %` }],
});

export function e4_figures({ rows, chosen_by }: Results, tries: Tries): Figure[] {
  if (rows.length === 0) return [];
  const n = Math.max(...rows.map(({ requests }) => requests));
  const notes = [
    `${n} requests, each setting run once and alone; budgets are shares of the median of 3 full runs`,
    chosen_by,
  ];
  const ours = tries.filter(({ policy }) => policy === 'several knobs');
  return [
    {
      name: 'e4_held_share',
      title: 'How often a budget is kept',
      notes: [...notes, "Error bars: Wilson's 95 %; where nothing is promised the fastest setting runs"],
      panels: [held_panel('Of what was promised', rows, 'promised'), held_panel('Of all requests', rows, 'all')].filter(
        ({ series }) => series.length > 0,
      ),
    },
    {
      name: 'e4_quality',
      title: 'What answers are worth within a budget',
      notes: [
        ...notes,
        'An answer that was not promised, or is late, is worth nothing; error bars: 95 % of bootstraps over requests',
      ],
      panels: [
        {
          ...{ kind: 'lines', x, y: { label: 'Mean score (%)' } },
          series: by_policy(rows, ({ in_time_quality, in_time_ci95, requests }) => [
            {
              ...{ y: 100 * in_time_quality, n: requests },
              ...(in_time_ci95 && { low: 100 * in_time_ci95[0], high: 100 * in_time_ci95[1] }),
            },
          ]),
        },
      ],
    },
    {
      name: 'e4_predicted_vs_measured',
      title: 'Several knobs: predicted and measured',
      notes,
      panels: [
        {
          ...{ kind: 'scatter', x: { label: 'Predicted (ms)' }, y: { label: 'Measured (ms)' } },
          series: [...new Set(ours.map(({ fraction }) => fraction))].map((fraction, look) => ({
            name: `${(100 * (fraction ?? 0)).toFixed(0)} % of full`,
            look,
            points: ours
              .filter((one) => one.fraction === fraction)
              .map(({ predicted_ms, runs_ms }) => ({ x: predicted_ms, y: runs_ms[0] as number })),
          })),
          fits: [{ slope: 1, intercept: 0, label: 'equal' }],
        },
      ],
    },
  ];
}

export const e4_tables = (rows: readonly E4Row[]): Table[] => [
  {
    title: 'budgets kept, and answers in time',
    columns: [
      { name: 'budget', unit: 'share' },
      { name: 'policy', unit: 'text' },
      { name: 'promised', unit: 'count' },
      { name: 'kept', unit: 'count' },
      { name: 'kept of all', unit: 'share' },
      { name: 'budget ms', unit: 'ms' },
      { name: 'predicted', unit: 'ms' },
      { name: 'measured', unit: 'ms' },
      { name: 'expected', unit: 'share' },
      { name: 'scored', unit: 'share' },
      { name: 'in time', unit: 'share' },
    ],
    rows: rows.map((row) => [
      ...[row.fraction, row.policy, row.promised.of, row.promised.held, row.all.share],
      ...[row.budget_ms, row.predicted_ms, row.measured_ms, row.expected_quality, row.quality, row.in_time_quality],
    ]),
    note: 'Promised: requests for which the upper end of a prediction keeps to the budget. Kept: of those, by the stopwatch. Expected: by the table; scored: these answers; in time: one that was not promised, or is late, is worth nothing. Times are means.',
  },
];
