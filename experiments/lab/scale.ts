import { type DryMachine, dry_model } from '../../engine/dry_run.ts';
import { cell_rows } from '../../engine/input/layout.ts';
import { config_to_json, type ModelConfig } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { type Knobs, plan_blocks, plan_pictures } from '../../engine/model/knobs.ts';
import { preset_config, whole_of } from '../../engine/model/presets.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { exact_flops, legacy_of, type Runner } from './measure.ts';
import {
  type Configuration,
  type Instrumented,
  PARTS,
  type PartName,
  type Sample,
  type Scaled,
  STAGES,
  type StageName,
  type TokenCountsRecord,
} from './schema.ts';

/**
 * From a model cut in depth to the whole one: what runs once counts once, and what a block takes, times the blocks. Which is
 * which, the layer of each time stamp says.
 */
type WithoutLegacy = Omit<Scaled, 'flops'>;
export type Scaling =
  | { readonly scaled: WithoutLegacy; readonly why: null }
  | { readonly scaled: null; readonly why: string };

export interface NamedConfig {
  readonly name: string;
  readonly config: ModelConfig;
}

export interface ScaleInput {
  /** What was measured, and what it is a slice of. */
  readonly slice: NamedConfig;
  readonly whole: NamedConfig;
  readonly knobs: Knobs;
  readonly samples: readonly Sample[];
  readonly instrumented: Instrumented | null;
  /** Of the whole model: `whole_counters`. */
  readonly counters: Scaled['counters'];
}

/** Adds to an observed cell what it means for the whole model; null where the model is no slice of one. */
export type Scaler = (
  knobs: Knobs,
  cell: Pick<Configuration, 'tokens' | 'clean' | 'instrumented' | 'requests'>,
  /** Stamps of another request of its shape, where the cell has none. */
  like?: Instrumented,
) => Promise<Configuration['scaled']>;

export function scaler_of({ facts, executor }: Pick<Runner, 'facts' | 'executor'>): Scaler {
  const name = whole_of(facts.name);
  if (name === undefined) return async () => null;
  const slice = { name: facts.name, config: facts.config };
  const whole = { name, config: preset_config(name) };
  let counter: ReturnType<typeof whole_counter> | undefined;
  return async (knobs, { tokens, clean, instrumented, requests }, like) => {
    const why_not =
      requests.length > 1 ? 'only the first of several requests was stamped' : why_not_scaled({ slice, whole, knobs });
    if (why_not !== undefined) return { why_not };
    counter ??= whole_counter(whole.config, facts.dtype, executor);
    const counters = await (await counter)(tokens, whole_knobs(facts.config, knobs));
    const { samples } = clean;
    const { scaled, why } = scale({
      slice,
      whole,
      knobs,
      samples,
      instrumented: instrumented ?? like ?? null,
      counters,
    });
    if (scaled === null) return { why_not: why };
    const borrowed = instrumented === null ? { method: `${scaled.method} of a like request`, parts: [] } : {};
    return { ...scaled, ...borrowed, flops: { exact: exact_flops(counters), legacy: legacy_of(whole.config, tokens) } };
  };
}

/** Blocks that run: all of the language model, and those of the ViT up to the last that is tapped. */
export const depth_of = ({ n_layers, vit_layers }: ModelConfig): Depth => ({
  language: n_layers,
  vision: Math.max(...vit_layers) + 1,
});

/** Why the whole's times do not follow from a request with these knobs; undefined where they do. */
export function why_not_scaled({
  slice,
  whole,
  knobs,
}: Pick<ScaleInput, 'slice' | 'whole' | 'knobs'>): string | undefined {
  if (JSON.stringify(without_depth(slice.config)) !== JSON.stringify(without_depth(whole.config))) {
    return `${slice.name} and ${whole.name} differ in more than depth`;
  }
  const plan = plan_blocks(slice.config, knobs);
  if (plan.includes(0)) return 'blocks were masked: which of the whole would be, the slice does not say';
  const pictures = plan_pictures(slice.config, knobs);
  if (new Set(plan).size > 1 || new Set(pictures).size > 1)
    return 'top-k differs from block to block, and the whole has more blocks than were given';
  return undefined;
}

function without_depth(config: ModelConfig): object {
  const { n_layers, vit_layers, vision_backbone, ...same } = config_to_json(config);
  return { ...same, vision_backbone: { ...(vision_backbone as object), image_num_layers: 0 } };
}

/** The knobs of a request to the slice as the whole takes them: one top-k, however many blocks. */
export const whole_knobs = (slice: ModelConfig, { topK, topKVision, blocks, ...crops }: Knobs): Knobs => ({
  ...crops,
  ...(topK === undefined ? {} : { topK: plan_blocks(slice, { topK })[0] }),
  ...(topKVision === undefined ? {} : { topKVision: plan_pictures(slice, { topKVision })[0] }),
});

/** Counts requests to the whole model, exactly and without running them: one counter serves many requests. */
export async function whole_counter(
  whole: ModelConfig,
  dtype: WeightFormat,
  machine: DryMachine,
): Promise<(tokens: TokenCountsRecord, knobs: Knobs) => Promise<Scaled['counters']>> {
  const model = await dry_model(whole, dtype, machine);
  return async ({ prompt_length, num_crops, num_output_tokens, decode_steps, tiling }, knobs) => {
    const [rows, cols] = tiling ?? [0, 0];
    const asks = tiling !== null && knobs.topKVision !== undefined;
    const index = asks ? cell_rows({ rows, cols }, geometry_of(whole)) : undefined;
    // The step that made the end-of-text token ran too, though the token does not count.
    const maxNewTokens = Math.max(num_output_tokens, decode_steps > 0 ? decode_steps + 1 : 0);
    const request = { prompt_tokens: prompt_length, views: num_crops, maxNewTokens, knobs, index };
    const { stages } = await model.run(request);
    return Object.fromEntries(stages.map(({ stage, ...counts }) => [stage, counts]));
  };
}

export function scale(input: ScaleInput): Scaling {
  const { slice, whole, instrumented, samples, counters } = input;
  const why = why_not_scaled(input) ?? (instrumented === null ? 'no instrumented run says what a block takes' : null);
  if (why !== null || instrumented === null) return { scaled: null, why: why as string };
  const [from, to] = [depth_of(slice.config), depth_of(whole.config)];
  const { parts, stages } = at_depth(instrumented, from, to);
  return {
    why: null,
    scaled: {
      ...{ model: whole.name, from: slice.name, method: 'stamps by layer' },
      blocks: { language: [from.language, to.language], vision: [from.vision, to.vision] },
      ...{ stages, parts, counters },
      samples: samples.map((sample) => scaled_sample(sample, stages)),
    },
  };
}

/** Blocks that run in the language model and in the vision encoder. */
export type Depth = Readonly<Record<'language' | 'vision', number>>;

/** GPU time of each part, and every stage's time over what it was, if not `from` but `to` blocks ran. */
export function at_depth(instrumented: Instrumented, from: Depth, to: Depth): Pick<Scaled, 'parts' | 'stages'> {
  const factors = part_factors(instrumented, from, to);
  const measured = mean_parts(instrumented);
  const parts = measured.map((row) => ({ ...row, gpu_ms: row.gpu_ms * (factors.get(key_of(row)) ?? 1) }));
  const sum = (rows: typeof parts, stage: StageName) =>
    rows.reduce((total, row) => total + (row.stage === stage ? row.gpu_ms : 0), 0);
  const stages = Object.fromEntries(
    STAGES.flatMap((stage) => {
      const gpu_ms = sum(measured, stage);
      return gpu_ms > 0 ? [[stage, { factor: sum(parts, stage) / gpu_ms }]] : [];
    }),
  ) as Scaled['stages'];
  return { parts, stages };
}

const key_of = ({ stage, part }: { readonly stage: StageName; readonly part: PartName }): string => `${stage} ${part}`;

/** A tap is inside a block and there is one for each feature, not one a block. */
const repeats = (layer: number, part: PartName): boolean => layer >= 0 && part !== 'pooling';

/** Whole over slice of each part's GPU time. Most parts run once or in every block; a norm does both. */
function part_factors({ strip }: Instrumented, from: Depth, to: Depth): Map<string, number> {
  const times = new Map<string, { once: number; blocks: number; deeper: number }>();
  for (const [stage_index, layer, part_index, , gpu_ms] of strip.rows) {
    const stage = STAGES[stage_index] as StageName;
    const part = PARTS[part_index] as PartName;
    const depth = stage === 'vision_encoder' ? 'vision' : 'language';
    const row = times.get(key_of({ stage, part })) ?? { once: 0, blocks: 0, deeper: to[depth] / from[depth] };
    row[repeats(layer, part) ? 'blocks' : 'once'] += gpu_ms;
    times.set(key_of({ stage, part }), row);
  }
  return new Map(
    [...times].map(([key, { once, blocks, deeper }]) => [key, (once + blocks * deeper) / (once + blocks || 1)]),
  );
}

function mean_parts({ runs }: Instrumented): { stage: StageName; part: PartName; gpu_ms: number }[] {
  const means = new Map<string, { stage: StageName; part: PartName; gpu_ms: number }>();
  for (const { stage, part, gpu_ms } of runs.flatMap((run) => run.parts)) {
    const mean = means.get(key_of({ stage, part })) ?? { stage, part, gpu_ms: 0 };
    mean.gpu_ms += gpu_ms / runs.length;
    means.set(key_of({ stage, part }), mean);
  }
  return [...means.values()];
}

/** What lies between the stages and before them is the same for any depth. */
function scaled_sample(sample: Sample, stages: Scaled['stages']): Sample {
  const scaled = <T extends number | null>(ms: T, stage: StageName): T =>
    (ms === null ? null : ms * (stages[stage]?.factor ?? 1)) as T;
  const { T_vision_encoder, T_projector, T_vision_total, T_LLM_prefill, T_LLM_decode } = sample;
  const times = {
    T_vision_encoder: scaled(T_vision_encoder, 'vision_encoder'),
    T_projector: scaled(T_projector, 'projector'),
    T_LLM_prefill: scaled(T_LLM_prefill, 'prefill'),
    T_LLM_decode: scaled(T_LLM_decode, 'decode'),
  };
  const more = (scaled_ms: number | null, ms: number | null) => (scaled_ms ?? 0) - (ms ?? 0);
  const vision_more = more(times.T_vision_encoder, T_vision_encoder) + more(times.T_projector, T_projector);
  const first_more = vision_more + more(times.T_LLM_prefill, T_LLM_prefill);
  const all_more = first_more + more(times.T_LLM_decode, T_LLM_decode);
  return {
    ...sample,
    ...times,
    T_vision_total: T_vision_total === null ? null : T_vision_total + vision_more,
    T_decode_per_step: sample.T_decode_per_step.map((ms) => scaled(ms, 'decode')),
    T_decode_per_token: scaled(sample.T_decode_per_token, 'decode'),
    T_first_token: sample.T_first_token === null ? null : sample.T_first_token + first_more,
    T_total: sample.T_total + all_more,
    T_system_total: sample.T_system_total + all_more,
  };
}
