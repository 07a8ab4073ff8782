import type { Figure } from '../lab/charts.ts';
import type { Values } from '../lab/define.ts';
import type { Table } from '../lab/tables.ts';
import type { m3_files } from './m3_files.ts';

type Measured = Values<(typeof m3_files)['m3_overhead_measurements']>;

export function m3_figures({ choosing, turning, requests, full_ms, chosen_by }: Measured): Figure[] {
  const notes = [`${requests} requests; one with everything on takes ${full_ms.P50.toFixed(1)} ms (median)`, chosen_by];
  const groups = (all: readonly { what: string; values: readonly number[] }[]) =>
    all.map(({ what: name, values }, look) => ({ name, look, values }));
  return [
    {
      ...{ name: 'm3_choosing', title: 'What choosing takes', notes },
      panels: [
        {
          ...{ kind: 'distribution', shape: 'cdf', value: { label: 'Time of choosing (ms)', scale: 'log' } },
          groups: groups(choosing.map(({ what, values_ms }) => ({ what, values: values_ms }))),
        },
      ],
    },
    {
      name: 'm3_turning',
      title: 'What turning the knobs takes',
      notes: [
        ...notes,
        'First run after turning, less the median of the next two; below zero: the first was the faster one',
      ],
      panels: [
        {
          ...{
            kind: 'distribution',
            shape: 'box',
            value: { label: 'First run less the next (ms)', from_zero: false },
          },
          groups: groups(turning.map(({ what, differences_ms }) => ({ what, values: differences_ms }))),
        },
      ],
    },
  ];
}

export const m3_tables = ({ choosing, full_ms }: Measured): Table[] => [
  {
    title: 'what choosing takes',
    columns: [
      { name: 'what', unit: 'text' },
      { name: 'n', unit: 'count' },
      ...['median', 'P95'].map((name) => ({ name, unit: 'ms' as const })),
      { name: 'of a full request', unit: 'share' },
    ],
    rows: choosing.map(({ what, summary: { n, P50, P95 } }) => [what, n, P50, P95, P50 / full_ms.P50]),
  },
];
