import type { StageResult } from '../../engine/generate.ts';
import type { Component } from '../../engine/gpu/executor.ts';
import type { Span, TimelineReport } from '../../engine/gpu/timeline.ts';
import { make_ledger } from '../../engine/meter/ledger.ts';
import { type LegacyFlops, legacy_flops } from '../../engine/meter/legacy.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import type { Probe } from '../../engine/model/context.ts';
import type { Engine, GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import {
  type CountsRecord,
  type InstrumentedRun,
  type KernelRow,
  type MemoryRecord,
  type MethodSample,
  PARTS,
  type PartName,
  type Sample,
  STAGES,
  type StageName,
  type TokenCountsRecord,
} from './schema.ts';

/** Which published part a component of ours belongs to. */
const PART_OF: Readonly<Record<Component, PartName>> = {
  patch_embed: 'embed',
  attention: 'attention',
  mlp: 'mlp',
  pooling: 'pooling',
  norm: 'norm',
  moe_router: 'moe_routing',
  moe_experts: 'moe_experts',
  embed: 'embed',
  lm_head: 'head',
  sample: 'head',
  weights: 'embed',
};

export type Runner = Pick<Engine, 'generate' | 'executor' | 'facts' | 'tokenizer'>;

/** One plain run: every stage directly, between fences. */
export async function measure(
  model: Runner,
  request: GenerateRequest,
): Promise<{ sample: Sample; result: GenerateResult }> {
  const result = await model.generate(request).result;
  return { sample: sample_of(result), result };
}

const stage_of = (result: GenerateResult, stage: StageName): StageResult | undefined =>
  result.stages.find((one) => one.stage === stage);

function sample_of(result: GenerateResult): Sample {
  const wall = (stage: StageName) => stage_of(result, stage)?.wall_ms;
  const encoder = stage_of(result, 'vision_encoder');
  const projector = stage_of(result, 'projector');
  const decode_ms = wall('decode') ?? null;
  const vision_ms = encoder && projector ? projector.started_ms + projector.wall_ms - encoder.started_ms : undefined;
  const steps = result.decode_step_ms.length;
  const total_ms = result.total_ms;
  return {
    T_data_processing: result.preprocess_ms,
    T_vision_encoder: encoder?.wall_ms ?? null,
    T_projector: projector?.wall_ms ?? null,
    T_vision_total: vision_ms ?? null,
    T_LLM_prefill: wall('prefill') ?? null,
    T_LLM_decode: decode_ms,
    T_decode_per_step: [...result.decode_step_ms],
    T_decode_per_token: steps > 0 && decode_ms !== null ? decode_ms / steps : null,
    T_first_token: result.first_token_ms ?? null,
    T_total: total_ms,
    T_system_total: total_ms + result.preprocess_ms,
    T_gaps: total_ms - result.stages.reduce((sum, stage) => sum + stage.wall_ms, 0),
  };
}

/** Token counts under names that cannot be mistaken for each other. */
export function token_counts(
  { counts, tiling, decode_steps }: Pick<GenerateResult, 'counts' | 'tiling'> & { readonly decode_steps: number },
  image: GenerateRequest['image'],
): TokenCountsRecord {
  const inserted = counts.inserted_cells ?? 0;
  return {
    image_size: image === undefined ? null : `${image.width}x${image.height}`,
    tiling: tiling === undefined ? null : [tiling.rows, tiling.cols],
    num_crops: counts.views,
    vit_patches: counts.vit_patches ?? 0,
    pooled_vision_tokens: counts.pooled_cells ?? 0,
    inserted_vision_tokens: inserted,
    special_image_tokens: (counts.image_tokens ?? 0) - inserted,
    text_tokens: counts.text_tokens,
    prompt_length: counts.prompt_tokens,
    num_output_tokens: counts.new_tokens,
    decode_steps,
  };
}

/** Exact counts of what was dispatched, by stage. */
export function counters({
  ledger,
  stages,
}: {
  readonly ledger: GenerateResult['ledger'];
  readonly stages: readonly Pick<StageResult, 'stage'>[];
}): Partial<Record<StageName, CountsRecord>> {
  return Object.fromEntries(stages.map(({ stage }) => [stage, ledger.sum((row) => row.stage === stage)]));
}

export const exact_flops = (by_stage: Partial<Record<StageName, CountsRecord>>): Partial<Record<StageName, number>> =>
  Object.fromEntries(Object.entries(by_stage).map(([stage, counts]) => [stage, counts.flops]));

/** What published formulas say of these tokens. */
export const legacy_of = (config: ModelConfig, tokens: TokenCountsRecord): LegacyFlops =>
  legacy_flops(config, {
    views: tokens.num_crops,
    prompt_tokens: tokens.prompt_length,
    new_tokens: tokens.num_output_tokens,
  });

export function peak_memory({ memory }: Pick<GenerateResult, 'memory'>): MemoryRecord {
  return Object.fromEntries(Object.entries(memory).map(([purpose, { peak }]) => [purpose, peak])) as MemoryRecord;
}

export type Strip = [stage: number, layer: number, part: number, begin_ms: number, gpu_ms: number][];

export interface InstrumentedResult {
  readonly result: GenerateResult;
  readonly run: InstrumentedRun;
  readonly kernels: readonly Omit<KernelRow, 'floor_ms' | 'bound'>[];
  readonly strip: Strip;
  readonly clock: TimelineReport['clock'];
  readonly anchor_error_ms: number;
  readonly self_test: TimelineReport['self_test'];
}

/** One run with a stamp around every kernel: GPU time by stage, part and kernel. Its wall times are not the plain ones. */
export async function measure_kernels(model: Runner, request: GenerateRequest): Promise<InstrumentedResult> {
  const result = await model.generate({ ...request, timing: 'kernel' }).result;
  const timeline = result.timeline as TimelineReport;
  const wall_ms = result.stages.reduce((sum, stage) => sum + stage.wall_ms, 0);
  return {
    result,
    run: { wall_ms, ...run_of(timeline) },
    kernels: kernel_rows(timeline),
    strip: strip_of(timeline),
    clock: timeline.clock,
    anchor_error_ms: timeline.anchor_error_ms,
    self_test: timeline.self_test,
  };
}

const part_of = (component: Component): PartName => PART_OF[component];

function run_of({ spans, span_ns, sum_ns, faults }: TimelineReport): Omit<InstrumentedRun, 'wall_ms'> {
  const stages = new Map<StageName, { begin_ns: number; end_ns: number; gpu_ns: number }>();
  const parts = new Map<string, { stage: StageName; part: PartName; gpu_ms: number }>();
  for (const { first, begin_ns, end_ns, own_ns } of spans) {
    const stage = first.tag.stage as StageName;
    const known = stages.get(stage);
    if (known === undefined) stages.set(stage, { begin_ns, end_ns, gpu_ns: own_ns });
    else {
      known.end_ns = end_ns;
      known.gpu_ns += own_ns;
    }
    const part = part_of(first.tag.component);
    const sum = parts.get(`${stage} ${part}`) ?? { stage, part, gpu_ms: 0 };
    sum.gpu_ms += own_ns / 1e6;
    parts.set(`${stage} ${part}`, sum);
  }
  return {
    span_ms: span_ns / 1e6,
    sum_ms: sum_ns / 1e6,
    gaps_ms: (span_ns - sum_ns) / 1e6,
    stages: [...stages].map(([stage, { begin_ns, end_ns, gpu_ns }]) => ({
      stage,
      gpu_ms: gpu_ns / 1e6,
      span_ms: (end_ns - begin_ns) / 1e6,
    })),
    parts: [...parts.values()],
    faults,
  };
}

function kernel_rows({ spans }: TimelineReport): Omit<KernelRow, 'floor_ms' | 'bound'>[] {
  const groups = new Map<string, Span[]>();
  for (const span of spans) {
    const { kernel, pipeline, tag } = span.first;
    const key = `${tag.stage} ${part_of(tag.component)} ${kernel.name} ${pipeline.variant.name}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [span]);
    else group.push(span);
  }
  return [...groups.values()].map((group) => {
    const { kernel, pipeline, tag } = (group[0] as Span).first;
    const ledger = make_ledger();
    for (const { first } of group) ledger.record(first);
    return {
      stage: tag.stage as StageName,
      part: part_of(tag.component),
      kernel: kernel.name,
      variant: pipeline.variant.name,
      gpu_ms: group.reduce((sum, { own_ns }) => sum + own_ns, 0) / 1e6,
      ...ledger.sum(),
    };
  });
}

function strip_of({ spans }: TimelineReport): Strip {
  const strip: Strip = [];
  for (const { first, end_ns, own_ns } of spans) {
    const { stage, layer = -1, component } = first.tag;
    const at = [STAGES.indexOf(stage as StageName), layer, PARTS.indexOf(part_of(component))] as const;
    const last = strip.at(-1);
    const begin_ms = (end_ns - own_ns) / 1e6;
    if (last && last[0] === at[0] && last[1] === at[1] && last[2] === at[2]) last[4] = end_ns / 1e6 - last[3];
    else strip.push([...at, begin_ms, own_ns / 1e6]);
  }
  return strip;
}

/**
 * The two older ways, as published profiles used them, for comparison only.
 * subtraction: four passes timed by themselves (encoder; encoder and projector; prompt; whole request); the stages are
 * their differences.
 * hook: prefill from the end of the first block to the end of the last, so without block 0, embedding, norm and head.
 */
export async function measure_by(
  method: MethodSample['method'],
  model: Runner,
  request: GenerateRequest,
): Promise<MethodSample> {
  const wall_of = async (over: Partial<GenerateRequest>) =>
    (await model.generate({ ...request, ...over }).result).total_ms;
  const has_image = request.image !== undefined;
  const encoder_ms = has_image ? await wall_of({ stopAfter: 'vision_encoder' }) : null;
  const vision_ms = has_image ? await wall_of({ stopAfter: 'projector' }) : null;
  const projector_ms = encoder_ms === null || vision_ms === null ? null : vision_ms - encoder_ms;
  const prefill_ms =
    method === 'hook'
      ? await prefill_by_hooks(model, request)
      : (await wall_of({ maxNewTokens: 0 })) - (vision_ms ?? 0);
  const T_total = await wall_of({});
  return {
    method,
    T_vision_encoder: encoder_ms,
    T_projector: projector_ms,
    T_vision_total: vision_ms,
    T_LLM_prefill: prefill_ms,
    T_LLM_decode: T_total - (vision_ms ?? 0) - prefill_ms,
    T_total,
  };
}

/** From the first block that ended to the last one, with a fence at both, as forward hooks on blocks time it. */
async function prefill_by_hooks(model: Runner, request: GenerateRequest): Promise<number> {
  const ends: number[] = [];
  const { executor, facts } = model;
  const last = facts.config.n_layers - 1;
  const probe: Probe = async (point, layer) => {
    if (point !== 'llm.hidden' || (layer !== 0 && layer !== last)) return;
    await executor.finish();
    ends.push(performance.now());
  };
  await model.generate({ ...request, maxNewTokens: 0, probe }).result;
  return (ends.at(-1) ?? 0) - (ends[0] ?? 0);
}
