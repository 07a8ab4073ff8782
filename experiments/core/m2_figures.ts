import type { Chart, Figure } from '../lab/charts.ts';
import { percentile, percentile_name } from '../lab/stats.ts';
import { short_ms, type Table } from '../lab/tables.ts';
import type { TimeName } from '../lab/times.ts';
import { type M2File, type RepeatRow, WITHIN } from './m2_files.ts';

/** Times whose spread is shown, and what they are called. */
const SHOWN = {
  T_data_processing: 'preparation',
  T_vision_total: 'vision',
  T_LLM_prefill: 'prefill',
  T_decode_per_token: 'decode a step',
  T_first_token: 'first token',
  T_total: 'total',
} as const satisfies Partial<Record<TimeName, string>>;
const TIMES = Object.keys(SHOWN) as (keyof typeof SHOWN)[];

export function m2_figures({ configurations: rows }: M2File): Figure[] {
  const repeated = rows.filter(({ runs }) => runs > 1);
  if (repeated.length === 0) return [];
  const notes = [
    `${[...new Set(rows.map(({ runs, warmup }) => `${runs} runs after ${warmup} that do not count`))].join('; ')}; host wall time between fences, as measured`,
  ];
  return [
    {
      name: 'm2_latency_distribution',
      title: 'How total latencies of one request are spread',
      notes,
      panels: repeated.map(histogram),
    },
    {
      name: 'm2_cov_analysis',
      title: 'How much runs vary, and how many a mean needs',
      notes: [...notes, 'right: of the mean of the first n runs, half its 95 % interval (Student’s t)'],
      panels: [spread(repeated), ...needed(repeated)],
    },
  ];
}

function histogram(row: RepeatRow, i: number): Chart {
  return {
    kind: 'distribution',
    shape: 'histogram',
    title: `${row.configuration}: CoV ${(100 * (row.CoV.T_total ?? 0)).toFixed(1)} %`,
    value: { label: 'Total latency (ms)', from_zero: false },
    groups: [{ name: row.configuration, look: i, values: row.T_total }],
    guides: [50, 95].map((q) => {
      const at = percentile(row.T_total, q);
      return { axis: 'x' as const, at, label: `${percentile_name(q, row.runs)}: ${short_ms(at)}` };
    }),
  };
}

const spread = (rows: readonly RepeatRow[]): Chart => ({
  kind: 'heat',
  title: 'Standard deviation over mean',
  rows: TIMES.map((time) => SHOWN[time]),
  columns: rows.map(({ configuration }) => configuration),
  row_title: 'Time',
  column_title: 'Configuration',
  values: TIMES.map((time) => rows.map(({ CoV }) => (CoV[time] == null ? null : 100 * CoV[time]))),
  value: 'CoV (%)',
  written: true,
});

function needed(rows: readonly RepeatRow[]): Chart[] {
  const series = rows.map(({ configuration, precision }, i) => ({
    name: configuration,
    look: i,
    // Two runs that happen to agree give an interval of 0, which has no place on this axis.
    points: precision.flatMap(({ n, half_width }) => (half_width > 0 ? [{ x: n, y: 100 * half_width }] : [])),
  }));
  if (series.every(({ points }) => points.length === 0)) return [];
  const x = { label: 'Runs', scale: 'log' as const };
  const y = { label: 'Half of the interval (% of the mean)', scale: 'log' as const };
  const guides = [{ axis: 'y' as const, at: 5, label: '5 %' }];
  return [{ kind: 'lines', title: 'How well the mean is known', x, y, series, guides }];
}

export function m2_tables({ configurations: rows }: M2File): Table[] {
  const counted = (name: string) => ({ name, unit: 'count' as const });
  const ms = (name: string) => ({ name, unit: 'ms' as const });
  const share = (name: string) => ({ name, unit: 'share' as const });
  return [
    {
      title: 'repeatability of the total latency',
      columns: [
        { name: 'configuration', unit: 'text' },
        counted('positions'),
        counted('top-k'),
        counted('blocks'),
        counted('runs'),
        ms('mean'),
        ms('median'),
        ms('std'),
        share('CoV'),
        share('drift'),
        counted('outliers'),
        ...WITHIN.map((within) => counted(`for ${100 * within} %`)),
      ],
      rows: rows.map((row) => {
        const total = row.statistics.T_total;
        return [
          row.configuration,
          row.prompt_length,
          row.top_k,
          row.num_active_blocks,
          row.runs,
          total?.mean ?? null,
          total?.median ?? null,
          total?.std ?? null,
          total?.CoV ?? null,
          row.drift,
          row.outliers,
          ...row.needed.map(({ by_cov }) => by_cov),
        ];
      }),
      note: 'for 5 %: runs after which half the 95 % interval of the mean is 5 % of it, by this CoV. As measured, also on a slice.',
    },
  ];
}
