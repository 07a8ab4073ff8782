import type { Figure } from '../lab/charts.ts';
import type { LatencyMetric } from '../lab/pareto.ts';
import { short_ms, type Table } from '../lab/tables.ts';
import { figure_of, grid_table, knob_pareto, LABELS_NOTE, short_name } from './knob_figures.ts';
import { keys_of } from './knob_files.ts';
import type { Front } from './knob_fronts.ts';
import { type LatencyRow, ms_of, TIMES, type Time } from './knob_latency.ts';

interface Drawn {
  readonly summary: readonly LatencyRow[];
  readonly latency_metric: LatencyMetric;
  readonly fronts: Readonly<Record<Time, { readonly settings: Front }>>;
  readonly note: string;
}

const METRIC_NAMES: Readonly<Record<LatencyMetric, string>> = { mean: 'mean', P50: 'median', P95: 'P95', P99: 'P99' };

/** How many requests the times rest on. */
function clock_note([first]: readonly LatencyRow[], metric: LatencyMetric): string {
  const { num_samples = 0, runs = 0 } = first?.latency ?? {};
  const of_runs = runs === 1 ? 'by one run' : `by the median of ${runs} runs`;
  return `latency: ${METRIC_NAMES[metric]} over ${num_samples} samples, each alone, ${of_runs}; host wall time`;
}

/** Accuracy against each of the three times, a figure each, as the study draws them. */
export const exp6_figures = ({ summary, latency_metric: metric, fronts, note }: Drawn): Figure[] =>
  TIMES.flatMap((time) => {
    const label = `${time === 'total' ? 'Total' : time === 'prefill' ? 'Prefill' : 'Decode'} latency (ms)`;
    const panel = knob_pareto(summary, (row) => ms_of(row, time, metric), keys_of(fronts[time]), {
      label,
      name_of: short_name,
    });
    const notes = [note, clock_note(summary, metric), LABELS_NOTE];
    return figure_of(`accuracy_vs_${time}_latency_pareto`, `Answers against ${time} latency`, notes, [panel]);
  });

export const exp6_tables = ({ summary, latency_metric: metric, fronts }: Drawn): Table[] => [
  grid_table(
    summary,
    keys_of(fronts.total),
    TIMES.map((time) => ({ name: time, of: (row: LatencyRow) => ms_of(row, time, metric) })),
  ),
  {
    title: 'steps up the front of total latency',
    columns: [
      ...['crops', 'experts', 'blocks'].map((name) => ({ name, unit: 'count' as const })),
      { name: METRIC_NAMES[metric], unit: 'ms' },
      { name: 'accuracy', unit: 'share' },
      { name: 'against the step before', unit: 'text' },
    ],
    rows: fronts.total.settings.map((step) => [
      ...[step.max_crops, step.top_k, step.num_active_blocks, step.cost, step.accuracy],
      step.step === null ? `fastest: ${short_ms(step.cost)}` : step.step.text.replace(/^.*: /, ''),
    ]),
  },
];
