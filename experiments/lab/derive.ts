import { z } from 'zod';
import {
  by_stage,
  type Configuration,
  count,
  counts_schema,
  finite,
  part_schema,
  STAGES,
  type StageName,
  type Summary,
  sample_schema,
  stage_schema,
  summary_schema,
} from './schema.ts';
import { linear_fit, spearman, summarise } from './stats.ts';
import { TIMES, type TimeName } from './times.ts';
import { largest, parts_of, scaled_of, stage_ms, stages_that_ran, sum, times_of } from './typical.ts';

/** Pieces that the files of several experiments share: their shapes, and how they follow from measured cells. */

/** By T_ name; null where a request has no such stage. */
export const statistics_schema = z.record(z.string(), summary_schema.nullable());
export type Statistics = Record<TimeName, Summary | null>;

/** Of the plain runs, as measured. */
export function statistics_of({ clean }: Configuration): Statistics {
  const of = (name: TimeName) => summarise(clean.samples.flatMap((sample) => sample[name] ?? []));
  return Object.fromEntries(TIMES.map((name) => [name, of(name)])) as Statistics;
}

const PERCENTILES = ['P50', 'P95', 'P99', 'mean', 'std', 'min', 'max'] as const;
type Percentiles = Record<(typeof PERCENTILES)[number], number | null>;

/** A row that is about one time has its statistics as keys of its own, as published rows have them. */
export const percentiles_shape = Object.fromEntries(PERCENTILES.map((key) => [key, finite.nullable()])) as Record<
  keyof Percentiles,
  z.ZodNullable<typeof finite>
>;

export function percentiles_of(configuration: Configuration, time: TimeName): Percentiles {
  const summary = statistics_of(configuration)[time];
  return Object.fromEntries(PERCENTILES.map((key) => [key, summary?.[key] ?? null])) as Percentiles;
}

/** Times of the whole model that follow from a slice of it; null where the model itself ran. */
export const scaled_statistics_schema = z
  .strictObject({
    model: z.string(),
    method: z.string(),
    statistics: statistics_schema,
    samples: z.array(sample_schema),
    /** Exact counts of the whole model. */
    counters: by_stage(counts_schema),
  })
  .nullable()
  .default(null);

export function scaled_statistics_of(configuration: Configuration): z.infer<typeof scaled_statistics_schema> {
  const scaled = scaled_of(configuration);
  if (scaled === null) return null;
  const of = (name: TimeName) => summarise(times_of(configuration, name));
  const statistics = Object.fromEntries(TIMES.map((name) => [name, of(name)]));
  return {
    model: scaled.model,
    method: scaled.method,
    statistics,
    samples: [...scaled.samples],
    counters: scaled.counters,
  };
}

/** The statistics that figures, shares and findings rest on. */
export const basis_statistics = (row: {
  readonly statistics: z.infer<typeof statistics_schema>;
  readonly scaled: z.infer<typeof scaled_statistics_schema>;
}): z.infer<typeof statistics_schema> => row.scaled?.statistics ?? row.statistics;

/** "Scaled to molmoe-1b from ...": on the face of everything that rests on scaled times. */
export function basis_of(configurations: readonly Configuration[]): string | undefined {
  const scaled = configurations.map(scaled_of).find((one) => one !== null);
  if (!scaled) return undefined;
  const { model, from, method, blocks } = scaled;
  const [[ran, all], [vision_ran, vision_all]] = [blocks.language, blocks.vision];
  return `Times are scaled to ${model} from ${from}: ${ran} of ${all} blocks and ${vision_ran} of ${vision_all} vision blocks ran (${method})`;
}

/** Tokens a second; null where a stage did not run or made nothing. */
export const rates_schema = z
  .strictObject({ prefill_tokens_per_s: finite.nullable(), decode_tokens_per_s: finite.nullable() })
  .nullable()
  .default(null);

export function rates_of(configuration: Configuration): z.infer<typeof rates_schema> {
  const { prompt_length, decode_steps } = configuration.tokens;
  const rate = (tokens: number, ms: number | undefined) => (ms ? (1000 * tokens) / ms : null);
  return {
    prefill_tokens_per_s: rate(prompt_length, stage_ms(configuration, 'prefill')),
    decode_tokens_per_s: rate(decode_steps, stage_ms(configuration, 'decode')),
  };
}

export const part_row_schema = z.strictObject({
  stage: stage_schema,
  part: part_schema,
  statistics: summary_schema,
  /** Of the whole model, where a slice of it ran: then shares rest on these. */
  scaled_ms: finite.nullable().default(null),
  share_of_stage: finite,
  ...counts_schema.shape,
  floor_ms: finite.nullable(),
});
type PartRow = z.infer<typeof part_row_schema>;

/** GPU time of the parts of a stage in the instrumented runs, and what they did. */
export function part_rows(configuration: Configuration, stage: StageName): PartRow[] {
  const parts = parts_of(configuration, stage);
  const of_stage = sum(parts.map(([, ms]) => ms));
  const { runs = [], kernels = [] } = configuration.instrumented ?? {};
  return parts.map(([part, ms]) => {
    const times = runs.flatMap((run) => run.parts.filter((row) => row.stage === stage && row.part === part));
    const rows = kernels.filter((row) => row.stage === stage && row.part === part);
    const total = (name: keyof typeof counts_schema.shape) => sum(rows.map((row) => row[name]));
    const floors = rows.map((row) => row.floor_ms);
    return {
      stage,
      part,
      statistics: summarise(times.map((row) => row.gpu_ms)) as Summary,
      scaled_ms: scaled_of(configuration) === null ? null : ms,
      share_of_stage: of_stage > 0 ? ms / of_stage : 0,
      dispatches: total('dispatches'),
      flops: total('flops'),
      executed_flops: total('executed_flops'),
      other_ops: total('other_ops'),
      weight_bytes: total('weight_bytes'),
      read_bytes: total('read_bytes'),
      written_bytes: total('written_bytes'),
      kv_bytes: total('kv_bytes'),
      floor_ms: floors.every((floor) => floor !== null) ? sum(floors as number[]) : null,
    };
  });
}

export const parts_by_stage = (configuration: Configuration) => {
  const ran = STAGES.filter((stage) => parts_of(configuration, stage).length > 0);
  return {
    parts: ran.flatMap((stage) => part_rows(configuration, stage)),
    largest_part: Object.fromEntries(ran.map((stage) => [stage, largest(parts_of(configuration, stage))])),
  };
};

export const point_schema = z.strictObject({
  key: z.string(),
  stage: stage_schema,
  flops: finite,
  legacy_S1: finite,
  legacy_S4: finite,
  /** Median of the clean runs. */
  latency_ms: finite,
  bytes: finite,
  dispatches: count,
  floor_ms: finite.nullable(),
});
export type WorkPoint = z.infer<typeof point_schema>;

/** A point a cell and stage: what was asked of the adapter, and what it took. */
export function work_points(configurations: readonly Configuration[]): WorkPoint[] {
  return configurations.flatMap((configuration) =>
    stages_that_ran(configuration).map((stage) => {
      const scaled = scaled_of(configuration);
      const counts = (scaled ?? configuration).counters[stage];
      const { exact, legacy } = (scaled ?? configuration).flops;
      const rows = configuration.instrumented?.kernels.filter((row) => row.stage === stage) ?? [];
      const floors = scaled === null ? rows.map((row) => row.floor_ms) : [];
      return {
        key: configuration.key,
        stage,
        flops: exact[stage] ?? 0,
        legacy_S1: legacy.S1[stage] ?? 0,
        legacy_S4: legacy.S4[stage] ?? 0,
        latency_ms: stage_ms(configuration, stage) as number,
        bytes: counts ? counts.weight_bytes + counts.read_bytes + counts.written_bytes + counts.kv_bytes : 0,
        dispatches: counts?.dispatches ?? 0,
        floor_ms: floors.length > 0 && floors.every((ms) => ms !== null) ? sum(floors as number[]) : null,
      };
    }),
  );
}

export const correlation_schema = z.strictObject({
  /** A stage, or all of them together. */
  over: z.union([stage_schema, z.literal('pooled')]),
  flops: z.enum(['exact', 'S1', 'S4']),
  n: count,
  spearman: finite.nullable(),
  r_squared: finite.nullable(),
  ms_per_gflop: z.tuple([finite, finite]).nullable(),
});

/** How well FLOPs, as counted and as published formulas say, order and predict latency. */
export function correlations(points: readonly WorkPoint[]): z.infer<typeof correlation_schema>[] {
  const over = [...STAGES.filter((stage) => points.some((point) => point.stage === stage)), 'pooled'] as const;
  return over.flatMap((name) =>
    (['exact', 'S1', 'S4'] as const).map((which) => {
      const some = points.filter((point) => name === 'pooled' || point.stage === name);
      return { over: name, flops: which, n: some.length, ...correlation(some, which) };
    }),
  );
}

function correlation(points: readonly WorkPoint[], which: 'exact' | 'S1' | 'S4') {
  const x = points.map((point) => ({ exact: point.flops, S1: point.legacy_S1, S4: point.legacy_S4 })[which]);
  const y = points.map((point) => point.latency_ms);
  const varied = new Set(x).size > 1;
  const rates = points.map((_, i) => (1e9 * (y[i] as number)) / (x[i] as number)).filter(Number.isFinite);
  return {
    spearman: varied ? spearman(x, y) : null,
    r_squared: varied ? linear_fit(x, y).r_squared : null,
    ms_per_gflop: rates.length > 0 ? ([Math.min(...rates), Math.max(...rates)] as [number, number]) : null,
  };
}
