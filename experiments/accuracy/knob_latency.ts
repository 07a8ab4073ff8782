import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import type { Saved } from '../lab/define.ts';
import { not_tested } from '../lab/findings.ts';
import type { LatencyMetric } from '../lab/pareto.ts';
import { type Configuration, count, type Finding, finite, type Summary } from '../lab/schema.ts';
import type { ScoredSample } from '../lab/schema_answers.ts';
import { ms } from '../lab/schema_values.ts';
import { percentile, spearman } from '../lab/stats.ts';
import { sum } from '../lab/typical.ts';
import { LEAST_FOR_INTERVAL } from '../lab/words.ts';
import { best_of, by_number_of_knobs, contest, halves_of, in_points, WORTH_KNOWING } from './knob_contests.ts';
import { front_body, front_file_schema } from './knob_files.ts';
import type { Entered, Entrant } from './knob_fronts.ts';
import {
  cell_config_of,
  cell_config_shape,
  type GridRow,
  grid_row,
  grid_row_shape,
  knobs_of,
  knobs_shape,
  of_samples,
} from './knob_grid.ts';
import { bootstrap } from './metrics/bootstrap.ts';
import { against, samples_of, scored_of } from './quality.ts';

/** Latencies of combined knobs: of requests one by one, never a share of a batch. */

export const TIMES = ['total', 'prefill', 'decode'] as const;
export type Time = (typeof TIMES)[number];

const statistics_schema = z.strictObject({
  mean: finite,
  std: finite,
  P50: finite,
  P95: finite,
  P99: finite,
  min: finite,
  max: finite,
});

/** As the study's files say it; null where no request took the time at all. */
export const latency_row_shape = {
  latency_total_ms: statistics_schema,
  latency_prefill_ms: statistics_schema.nullable(),
  latency_decode_ms: statistics_schema.nullable(),
};
export type LatencyRow = GridRow & z.infer<z.ZodObject<typeof latency_row_shape>>;

const seven = ({ mean: middle, std, P50, P95, P99, min, max }: Summary) => ({
  ...{ mean: middle, std, P50, P95, P99, min, max },
});

export function with_latency(row: GridRow): LatencyRow {
  if (row.latency === null) {
    throw new InputError(`${row.key}: expected timed samples, found none; ask again with --timed 1 or more`);
  }
  const { T_total, T_LLM_prefill, T_LLM_decode } = row.latency;
  return {
    ...row,
    latency_total_ms: seven(T_total),
    latency_prefill_ms: T_LLM_prefill && seven(T_LLM_prefill),
    latency_decode_ms: T_LLM_decode && seven(T_LLM_decode),
  };
}

export const ms_of = (row: LatencyRow, time: Time, metric: LatencyMetric): number | null =>
  row[`latency_${time}_ms`]?.[metric] ?? null;

export const timed_sample_schema = z.strictObject({
  sample_id: z.string(),
  ...knobs_shape,
  T_total_ms: ms,
  T_vision_ms: ms.nullable(),
  T_prefill_ms: ms.nullable(),
  T_decode_ms: ms.nullable(),
  /** Timed runs; each time is the median of them. */
  runs: count,
  num_vision_tokens: count,
  num_language_tokens: count,
  num_output_tokens: count,
  num_total_tokens: count,
  accuracy: finite,
});

export const median_of = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : percentile(known, 50);
};

export const time_fronts_schema = z.strictObject({
  total: front_file_schema,
  prefill: front_file_schema,
  decode: front_file_schema,
});

/** A front a time. */
export function time_fronts(of: (time: Time) => Entered): z.infer<typeof time_fronts_schema> {
  const [total, prefill, decode] = [of('total'), of('prefill'), of('decode')].map(({ entrants }) =>
    front_body('latency', entrants),
  ) as [FrontBody, FrontBody, FrontBody];
  return { total, prefill, decode };
}
type FrontBody = ReturnType<typeof front_body>;

/** Of a timed sample the medians of its runs. */
export const times_of_sample = ({ latency = [] }: ScoredSample) => ({
  T_total_ms: median_of(latency.map(({ T_total }) => T_total)),
  T_vision_ms: median_of(
    latency.map(({ T_vision_encoder: encoder, T_projector: projector }) =>
      encoder === null || projector === null ? null : encoder + projector,
    ),
  ),
  T_prefill_ms: median_of(latency.map(({ T_LLM_prefill }) => T_LLM_prefill)),
  T_decode_ms: median_of(latency.map(({ T_LLM_decode }) => T_LLM_decode)),
});

export function timed_samples(one: Configuration): z.infer<typeof timed_sample_schema>[] {
  const scored = scored_of(one);
  return samples_of(one).flatMap((sample, i) => {
    const { T_total_ms, ...times } = times_of_sample(sample);
    if (T_total_ms === null) return [];
    const { inserted_vision_tokens, prompt_length, num_output_tokens } = sample.tokens;
    return [
      {
        ...{ sample_id: sample.sample_id, ...knobs_of(one), T_total_ms, ...times },
        runs: sample.latency?.length ?? 0,
        num_vision_tokens: inserted_vision_tokens,
        num_language_tokens: prompt_length - inserted_vision_tokens,
        num_output_tokens,
        num_total_tokens: prompt_length + num_output_tokens,
        accuracy: scored[i]?.score ?? 0,
      },
    ];
  });
}

const prediction_schema = z.strictObject({
  sample_id: z.string(),
  question: z.string(),
  prediction: z.string(),
  references: z.array(z.string()).nullable(),
  accuracy: finite,
});

/** A cell's own file: times apart from predictions, which came in batches. */
export const timed_file_shape = {
  summary: z.array(z.strictObject({ ...grid_row_shape, ...latency_row_shape })),
  per_sample_latencies: z.array(timed_sample_schema),
  per_sample_predictions: z.array(prediction_schema),
  config: z.strictObject(cell_config_shape),
};

export function timed_file_body(one: Configuration, saved: Saved) {
  const scored = scored_of(one);
  return {
    summary: [with_latency(grid_row(one, saved))],
    per_sample_latencies: timed_samples(one),
    per_sample_predictions: samples_of(one).map(({ sample_id, question, answer, references }, i) => ({
      ...{ sample_id, question, prediction: answer, references, accuracy: scored[i]?.score ?? 0 },
    })),
    config: cell_config_of(one, saved),
  };
}

/** Rank correlation from which one order is said to be that of the other. */
const SAME_ORDER = 0.9;
const LEAST_CELLS = 8;
const SEED = 11;

/** Whether exact FLOPs sort the settings as the stopwatch does. */
export function flops_order(expectation: string, entrants: readonly Entrant[]): Finding {
  const rows = entrants.map(({ row: { flops }, cost }) => ({ flops, ms: cost }));
  if (rows.length < LEAST_CELLS) {
    return not_tested(expectation, `a rank correlation needs ${LEAST_CELLS} settings, here are ${rows.length}`);
  }
  const rank = (some: readonly (typeof rows)[number][]) =>
    spearman(
      some.map(({ flops }) => flops),
      some.map((row) => row.ms),
    ) ?? 0;
  const { value, ci95 } = bootstrap(rows, rank, { seed: SEED });
  const [low, high] = ci95 ?? [-1, 1];
  return {
    expectation,
    outcome: low >= SAME_ORDER ? 'confirmed' : high < SAME_ORDER ? 'refuted' : 'not tested',
    because: `over ${rows.length} settings the rank correlation of FLOPs and latency is ${value.toFixed(2)} (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}; the same order: ${SAME_ORDER} or more)`,
  };
}

/** A setting is said to be faster from this share of the full model's latency down. */
const FASTER = 0.8;

/** Time of the first over that of the second on the samples that both were timed with, and the interval over samples. */
function ratio_of_times(one: Configuration, other: Configuration) {
  const times = (of: Configuration) => new Map(timed_samples(of).map((row) => [row.sample_id, row.T_total_ms]));
  const base = times(other);
  const pairs = [...times(one)].flatMap(([id, took]) => {
    const before = base.get(id);
    return before === undefined ? [] : [{ took, before }];
  });
  const ratio = (some: readonly (typeof pairs)[number][]) =>
    sum(some.map(({ took }) => took)) / sum(some.map(({ before }) => before));
  return bootstrap(pairs, ratio, { seed: SEED });
}

/** There is a setting that is faster by a fifth and loses next to nothing: chosen on one half of the pictures, judged by the other. */
export function faster_without_loss(expectation: string, { entrants, full }: Entered): Finding {
  if (full === undefined) return not_tested(expectation, 'there is no cell of the full model to be faster than');
  const halves = halves_of(samples_of(full.one));
  if (halves === null) return not_tested(expectation, 'too few pictures: half of them choose');
  const best = best_of(
    entrants.filter(({ cost }) => cost <= FASTER * full.cost),
    halves[0],
  );
  if (best === undefined)
    return not_tested(expectation, `no setting takes ${percent(FASTER)} of the full model's time or less`);
  const found = against(of_samples(best.one, halves[1]), of_samples(full.one, halves[1]));
  const time = ratio_of_times(best.one, full.one);
  const range = time.ci95 === null ? 'no interval' : `95 % interval ${time.ci95.map(percent).join(' to ')}`;
  const kept = found.ci95 !== null && found.ci95[0] > -WORTH_KNOWING;
  const lost = found.ci95 !== null && found.ci95[1] < -WORTH_KNOWING;
  const fast = time.ci95 !== null && time.clusters >= LEAST_FOR_INTERVAL && time.ci95[1] < 1;
  return {
    expectation,
    outcome: kept && fast ? 'confirmed' : lost ? 'refuted' : 'not tested',
    because: `${best.one.key}, chosen on half of the pictures, takes ${percent(time.value)} of the full model's time (${range}, ${time.clusters} samples timed) and scores ${in_points(found)} on the others (next to nothing: the interval stays above −${(100 * WORTH_KNOWING).toFixed(0)} points)`,
  };
}

export const latency_findings = (total: Entered): Finding[] => [
  faster_without_loss('A setting is faster by a fifth and loses next to nothing', total),
  contest('Turning several knobs beats turning one', total, by_number_of_knobs(total.full), 'latency'),
  flops_order('FLOPs sort the settings as the stopwatch does', total.entrants),
];

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
