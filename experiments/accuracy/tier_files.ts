import { z } from 'zod';
import { type CropTierName, crop_tiers } from '../../engine/input/tiling.ts';
import type { Saved } from '../lab/define.ts';
import { STRATEGIES } from '../lab/sampling.ts';
import { type Configuration, count, finding_schema, finite } from '../lab/schema.ts';
import type { ScoredSample } from '../lab/schema_answers.ts';
import { summarise } from '../lab/stats.ts';
import { COSTS } from './knob_files.ts';
import { median_of, times_of_sample } from './knob_latency.ts';
import { config_of, config_shape, quality_of, quality_shape, samples_of, scored_of } from './quality.ts';
import { TIER_NAMES } from './tiers.ts';

/** What files of tiers of crops say, by the names of the program that the study measured them with. */

/** As the program's files call the times. */
const TIME_NAMES = ['T_vision_total', 'T_LLM_prefill', 'T_LLM_decode', 'T_total', 'T_decode_per_token'] as const;
type TimeName = (typeof TIME_NAMES)[number];

const step_schema = z.strictObject({ mean: finite, std: finite, p50: finite, p95: finite, p99: finite, count });
const STATISTICS = ['mean', 'std', 'p50', 'p95', 'p99'] as const;
const latency_stats_shape = Object.fromEntries(
  TIME_NAMES.flatMap((time) => STATISTICS.map((name) => [`${time}_${name}`, finite.nullable()])),
);

const tier_schema = z.enum(TIER_NAMES);
const range_schema = z.strictObject({ min_crops: count, max_crops: count });
const place_shape = { tier: tier_schema, tier_range: range_schema, top_k: count, num_active_blocks: count };

export const tier_row_shape = {
  key: z.string(),
  ...place_shape,
  /** The most crops that a picture of the samples got. */
  max_crops: count,
  selected_crops_distribution: z.record(z.string(), count),
  selected_crops_mean: finite,
  selected_crops_std: finite,
  target_vision_tokens_mean: finite,
  target_vision_tokens_std: finite,
  actual_vision_tokens_mean: finite,
  actual_vision_tokens_std: finite,
  num_total_blocks: count,
  active_block_indices: z.array(count),
  accuracy_std: finite,
  latency_stats: z.strictObject({ ...latency_stats_shape, T_decode_per_step_stats: z.record(z.string(), step_schema) }),
  ...quality_shape,
};
export type TierRow = z.infer<z.ZodObject<typeof tier_row_shape>>;

const sample_schema = z.strictObject({
  sample_id: z.string(),
  ...place_shape,
  output_tokens: count,
  content_tokens: count,
  ends_with_eos: z.boolean(),
  actual_num_crops: count,
  target_vision_tokens: count,
  actual_vision_tokens: count,
  actual_text_tokens: count,
  total_sequence_length: count,
  accuracy: finite,
  pred: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  T_vision_total: finite.nullable(),
  T_LLM_prefill: finite.nullable(),
  T_LLM_decode: finite.nullable(),
  T_total: finite.nullable(),
  T_decode_per_token: finite.nullable(),
  T_decode_per_step: z.array(finite).nullable(),
});

const place_of = ({ settings }: Configuration) => {
  const tier = settings.tier as CropTierName;
  const { min_crops, max_crops } = crop_tiers[tier];
  return {
    ...{ tier, tier_range: { min_crops, max_crops }, top_k: Number(settings.top_k) },
    num_active_blocks: Number(settings.num_active_blocks),
  };
};

/** Tokens of a picture before any of them overlap: as many a view, the overview included. */
function target_tokens({ tokens }: Configuration, { tokens: { num_crops } }: ScoredSample): number {
  return tokens.num_crops === 0 ? 0 : num_crops * (tokens.pooled_vision_tokens / tokens.num_crops);
}

/** High-resolution crops: all views but the overview. */
const crops_of = ({ tokens: { num_crops } }: ScoredSample): number => Math.max(0, num_crops - 1);

function times_of(sample: ScoredSample): Record<TimeName, number | null> & { T_decode_per_step: number[] | null } {
  const { T_total_ms, T_vision_ms, T_prefill_ms, T_decode_ms } = times_of_sample(sample);
  const steps = (sample.latency ?? []).flatMap(({ T_decode_per_step }) =>
    T_decode_per_step ? [T_decode_per_step] : [],
  );
  const least = Math.min(...steps.map(({ length }) => length));
  const per_step =
    steps.length === 0
      ? null
      : Array.from({ length: least }, (_, i) => median_of(steps.map((run) => run[i] as number)) as number);
  return {
    ...{ T_vision_total: T_vision_ms, T_LLM_prefill: T_prefill_ms, T_LLM_decode: T_decode_ms, T_total: T_total_ms },
    T_decode_per_token: T_decode_ms === null || !per_step?.length ? null : T_decode_ms / per_step.length,
    T_decode_per_step: per_step,
  };
}

const mean_and_std = (values: readonly number[]): [number, number] => {
  const { mean = 0, std = 0 } = summarise(values) ?? {};
  return [mean, std];
};

export function tier_row(one: Configuration, saved: Pick<Saved, 'run'>, full: Configuration | undefined): TierRow {
  const samples = samples_of(one);
  const layers = saved.run.fingerprint.provenance.model.layers;
  const crops = samples.map(crops_of);
  const distribution: Record<string, number> = {};
  for (const n of crops.toSorted((a, b) => a - b)) distribution[n] = (distribution[n] ?? 0) + 1;
  const [selected_crops_mean, selected_crops_std] = mean_and_std(crops);
  const [target_mean, target_std] = mean_and_std(samples.map((sample) => target_tokens(one, sample)));
  const [actual_mean, actual_std] = mean_and_std(samples.map(({ tokens }) => tokens.inserted_vision_tokens));
  const quality = quality_of(one, full);
  return {
    ...{ key: one.key, ...place_of(one), max_crops: Math.max(...crops), selected_crops_distribution: distribution },
    ...{ selected_crops_mean, selected_crops_std },
    ...{ target_vision_tokens_mean: target_mean, target_vision_tokens_std: target_std },
    ...{ actual_vision_tokens_mean: actual_mean, actual_vision_tokens_std: actual_std },
    num_total_blocks: layers,
    active_block_indices: (one.knobs.blocks as number[] | undefined) ?? Array.from({ length: layers }, (_, i) => i),
    accuracy_std: quality.std,
    latency_stats: latency_stats(samples),
    ...quality,
  };
}

function latency_stats(samples: readonly ScoredSample[]): TierRow['latency_stats'] {
  const timed = samples.filter(({ latency }) => latency !== undefined).map(times_of);
  const named = TIME_NAMES.flatMap((time) => {
    const found = summarise(timed.flatMap((times) => times[time] ?? []));
    const values = { mean: found?.mean, std: found?.std, p50: found?.P50, p95: found?.P95, p99: found?.P99 };
    return STATISTICS.map((name) => [`${time}_${name}`, values[name] ?? null] as const);
  });
  const longest = Math.max(0, ...timed.map(({ T_decode_per_step }) => T_decode_per_step?.length ?? 0));
  const positions = Array.from({ length: longest }, (_, i) => {
    const {
      mean,
      std,
      P50: p50,
      P95: p95,
      P99: p99,
      n,
    } = summarise(timed.flatMap(({ T_decode_per_step }) => T_decode_per_step?.[i] ?? [])) as NonNullable<
      ReturnType<typeof summarise>
    >;
    return [`pos_${i}`, { mean, std, p50, p95, p99, count: n }] as const;
  });
  return {
    ...Object.fromEntries(named),
    T_decode_per_step_stats: Object.fromEntries(positions),
  } as TierRow['latency_stats'];
}

export const tier_config_shape = {
  ...config_shape,
  sampling_strategy: z.enum(STRATEGIES),
  /** The first blocks, or those that scores of importance keep. */
  block_choice: z.enum(['prefix', 'importance']),
};

export const config_of_tiers = (saved: Saved, configurations: readonly Configuration[]) => ({
  ...config_of(saved, configurations),
  sampling_strategy: z.enum(STRATEGIES).parse(saved.options?.sampling),
  block_choice: saved.options?.importanceScoresFile === undefined ? ('prefix' as const) : ('importance' as const),
});

/** Of one cell: everything at the top, as the program writes it. */
export const tier_file_shape = {
  ...tier_row_shape,
  per_sample_results: z.array(sample_schema),
  config: z.strictObject(tier_config_shape),
};

export function tier_file_body(one: Configuration, saved: Saved, full: Configuration | undefined) {
  const scored = scored_of(one);
  return {
    ...tier_row(one, saved, full),
    per_sample_results: samples_of(one).map((sample, i) => {
      const { num_output_tokens, inserted_vision_tokens, prompt_length } = sample.tokens;
      const ends_with_eos = sample.finish === 'eos';
      const output_tokens = num_output_tokens + (ends_with_eos ? 1 : 0);
      return {
        ...{
          sample_id: sample.sample_id,
          ...place_of(one),
          output_tokens,
          content_tokens: num_output_tokens,
          ends_with_eos,
        },
        actual_num_crops: crops_of(sample),
        target_vision_tokens: target_tokens(one, sample),
        actual_vision_tokens: inserted_vision_tokens,
        actual_text_tokens: prompt_length - inserted_vision_tokens,
        total_sequence_length: prompt_length + output_tokens,
        ...{ accuracy: scored[i]?.score ?? 0, pred: sample.answer, metadata: sample.metadata, ...times_of(sample) },
      };
    }),
    config: config_of_tiers(saved, [one]),
  };
}

/** Without the crops' mean, which workers of other samples would call otherwise: coco-2014-vqa_imgsizetier-low_topk4_blocks12. */
export function tier_file_name(one: Configuration, { run }: Pick<Saved, 'run'>): string {
  const { tier, top_k, num_active_blocks } = place_of(one);
  const set = (run.fingerprint.dataset?.name ?? '').replaceAll('_', '-');
  return `${set}_imgsizetier-${tier}_topk${top_k}_blocks${num_active_blocks}`;
}

export const tiers_file_shape = {
  summary: z.array(z.strictObject(tier_row_shape)),
  config: z.strictObject(tier_config_shape),
  front: z.strictObject({ rule: z.string(), cost: z.enum(COSTS), keys: z.array(z.string()) }),
  note: z.string(),
  findings: z.array(finding_schema),
};
