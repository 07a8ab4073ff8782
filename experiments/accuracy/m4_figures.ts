import type { Figure, Series } from '../lab/charts.ts';
import type { Values } from '../lab/define.ts';
import type { Table } from '../lab/tables.ts';
import { GUARD_NAMES, type GuardRow, type m4_files } from './m4_files.ts';

type Analysis = Values<(typeof m4_files)['m4_guardrail_analysis']>;

const x = { label: 'Budget (% of the full time)', from_zero: false };
const lines = (rows: readonly GuardRow[], what: 'false_accepts' | 'false_rejects'): Series[] =>
  GUARD_NAMES.map((guard, look) => ({
    ...{ name: guard, look },
    points: rows
      .filter((row) => row.guard === guard && row[what].of > 0)
      .map(({ fraction, [what]: { of: n, share, low, high } }) => {
        return { x: 100 * fraction + (look - 1) * 0.4, y: 100 * share, low: 100 * low, high: 100 * high, n };
      }),
  })).filter(({ points }) => points.length > 0);

export function m4_figures({ rows, requests, tries, chosen_by }: Analysis): Figure[] {
  const about = `${tries.length} settings drawn for ${requests} requests, each run once and alone`;
  const notes = [about, "error bars: Wilson's 95 %", chosen_by];
  const y = (label: string) => ({ label });
  return [
    {
      ...{ name: 'm4_false_accepts_and_rejects', title: 'How often the guard is wrong', notes },
      panels: [
        {
          kind: 'lines',
          title: 'Let through, and too long',
          x,
          y: y('Of those let through (%)'),
          series: lines(rows, 'false_accepts'),
        },
        {
          kind: 'lines',
          title: 'Kept back for nothing',
          x,
          y: y('Of those kept back (%)'),
          series: lines(rows, 'false_rejects'),
        },
      ],
    },
    {
      ...{ name: 'm4_measured_over_predicted', title: 'How far predictions are off', notes: [about, chosen_by] },
      panels: [
        {
          ...{
            kind: 'distribution',
            shape: 'cdf',
            value: { label: 'Measured over what was reckoned with', from_zero: false },
          },
          groups: [
            {
              name: 'the prediction',
              look: 0,
              values: tries.map((one) => (one.runs_ms[0] as number) / one.predicted_ms),
            },
            { name: 'upper end', look: 1, values: tries.map((one) => (one.runs_ms[0] as number) / one.limit_ms) },
          ],
          guides: [{ axis: 'x', at: 1, label: 'as reckoned' }],
        },
      ],
    },
  ];
}

export const m4_tables = ({ rows }: Analysis): Table[] => [
  {
    title: 'what the guard lets through and keeps back',
    columns: [
      { name: 'budget', unit: 'share' },
      { name: 'guard', unit: 'text' },
      ...['let through', 'too long', 'kept back', 'for nothing'].map((name) => ({ name, unit: 'count' as const })),
    ],
    rows: rows.map(({ fraction, guard, false_accepts: a, false_rejects: r }) => [
      fraction,
      guard,
      a.of,
      a.wrong,
      r.of,
      r.wrong,
    ]),
  },
];
