import type { AdapterCeilings } from '../../engine/meter/ceilings.ts';
import { type Bound, below_floor, efficiency, type Floor, floor_of, sum_floors } from '../../engine/meter/roofline.ts';
import type { TokenCounts } from '../../engine/molmoe.ts';
import type { CountsRecord, KernelRow, StageName } from '../../experiments/lab/schema.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { ms, short_number, table } from '../print.ts';

/** A kernel's share of a stage: exact counts, its floor, and its GPU time in the instrumented run. */
export type KernelFloor = Omit<KernelRow, 'floor_ms' | 'bound'> & Floor;

export interface StageFacts extends Floor {
  readonly stage: StageName;
  readonly tokens_in: number;
  readonly tokens_out: number;
  readonly counts: CountsRecord;
  /** Wall time between fences of a plain run. */
  readonly wall_ms: number;
  /** Sum of all kernels of another run, in which each was stamped. */
  readonly gpu_ms: number;
  /** floor_ms / wall_ms. */
  readonly efficiency: number;
  readonly kernels: readonly KernelFloor[];
}

export interface Measured {
  readonly stage: StageName;
  readonly counts: CountsRecord;
  readonly wall_ms: number;
  readonly kernels: readonly Omit<KernelRow, 'floor_ms' | 'bound'>[];
}

/** Floors kernel by kernel, since one stage may hold kernels of every kind. */
export function stage_facts(
  { stage, counts, wall_ms, kernels }: Measured,
  tokens: TokenCounts,
  steps: number,
  ceilings: AdapterCeilings,
  pass_weight_bytes: number,
): StageFacts {
  const floors = kernels.map((row) => ({ ...row, ...floor_of(row, ceilings, pass_weight_bytes) }));
  const floor = sum_floors(floors);
  const [tokens_in, tokens_out] = tokens_of(stage, tokens, steps);
  return {
    stage,
    tokens_in,
    tokens_out,
    counts,
    wall_ms,
    gpu_ms: floors.reduce((sum, row) => sum + row.gpu_ms, 0),
    ...floor,
    efficiency: efficiency(floor.floor_ms, wall_ms),
    kernels: floors,
  };
}

function tokens_of(stage: StageName, tokens: TokenCounts, steps: number): [number, number] {
  const { vit_patches = 0, pooled_cells = 0, prompt_tokens } = tokens;
  if (stage === 'vision_encoder') return [vit_patches, vit_patches];
  if (stage === 'projector') return [vit_patches, pooled_cells];
  return stage === 'prefill' ? [prompt_tokens, 1] : [steps, steps];
}

export const moved_bytes = (counts: CountsRecord): number =>
  counts.weight_bytes + counts.read_bytes + counts.written_bytes + counts.kv_bytes;

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

export function stages_table(stages: readonly StageFacts[]): string {
  const head = ['stage', 'in', 'out', 'FLOPs', 'bytes', 'FLOP/byte', 'launches', 'floor', 'bound', 'wall', 'GPU sum'];
  const body = stages.map(({ stage, tokens_in, tokens_out, counts, floor_ms, bound, wall_ms, gpu_ms, ...rest }) => [
    stage,
    String(tokens_in),
    String(tokens_out),
    short_number(counts.flops),
    `${short_number(moved_bytes(counts))}B`,
    (counts.flops / moved_bytes(counts)).toPrecision(3),
    String(counts.dispatches),
    ms(floor_ms),
    bound,
    ms(wall_ms),
    ms(gpu_ms),
    percent(rest.efficiency),
  ]);
  return table([[...head, 'efficiency'], ...body]);
}

/** One element of a stage, how many it has, and what the sentence calls it. */
function unit_of({ stage, tokens_in, tokens_out }: StageFacts): readonly [count: number, name: string] {
  if (stage === 'vision_encoder') return [tokens_in, 'patch'];
  if (stage === 'projector') return [tokens_out, 'pooled cell'];
  return stage === 'prefill' ? [tokens_in, 'prompt position'] : [tokens_in, 'token'];
}

const SMALLER = { f32: 'f16', f16: 'q8', bf16: 'q8', q8: 'q4' } as const;

/** What would shorten a stage, by what bounds it. */
function levers({ stage }: StageFacts, bound: Bound, dtype: WeightFormat): string {
  const sees = stage === 'vision_encoder' || stage === 'projector';
  const smaller = dtype === 'q4' ? 'smaller weights' : `smaller weights (--dtype ${SMALLER[dtype]})`;
  const experts = 'fewer experts (--top-k)';
  const blocks = 'fewer blocks (--blocks)';
  if (bound === 'launch') return sees ? 'fewer, larger kernels' : `fewer, larger kernels or ${blocks}`;
  if (sees) return bound === 'memory' ? `${smaller} or fewer crops (--max-crops)` : 'fewer crops (--max-crops)';
  if (bound === 'memory') return `${experts}, ${blocks} or ${smaller}`;
  return stage === 'prefill'
    ? `a shorter prompt, fewer crops (--max-crops), ${experts} or ${blocks}`
    : `${experts} or ${blocks}`;
}

/** What bounds the stage on this adapter and what would change it, from its numbers. */
export function bound_sentence(facts: StageFacts, ceilings: AdapterCeilings, dtype: WeightFormat): string {
  const { counts, bound } = facts;
  const [units, name] = unit_of(facts);
  const each = (value: number) => short_number(Number((value / units).toPrecision(3)));
  const bytes = moved_bytes(counts);
  const balance = (ceilings.fma_f32_flops / ceilings.stream_read_bytes).toPrecision(3);
  const intensity = `${(counts.flops / bytes).toPrecision(3)} FLOP a byte (this adapter balances at ${balance})`;
  const change = levers(facts, bound, dtype);
  if (bound === 'launch') {
    const us = (1000 * ceilings.dispatch_ms).toPrecision(3);
    return `Bound by launches: ${counts.dispatches} of at least ${us} us each, more than their arithmetic and bytes need; ${change} would shorten it, fewer FLOPs or bytes would not.`;
  }
  if (bound === 'memory') {
    return `Bound by memory: each ${name} reads ${each(counts.weight_bytes)}B of weights and moves ${each(bytes - counts.weight_bytes)}B besides for ${each(counts.flops)}FLOP: ${intensity}; ${change} would shorten it, fewer FLOPs would not.`;
  }
  return `Bound by arithmetic: each ${name} takes ${each(counts.flops)}FLOP and moves ${each(bytes)}B: ${intensity}; ${change} would shorten it, fewer bytes would not.`;
}

/** How far the measured time is from the floor, and which kernels and what else account for it. */
export function gap_sentence({ floor_ms, wall_ms, gpu_ms, kernels, stage }: StageFacts): string {
  if (below_floor(wall_ms, floor_ms)) {
    return `Its ${ms(wall_ms)} lie below the floor of ${ms(floor_ms)}, which cannot be: the ceilings were disturbed when they were measured (--recalibrate on a quiet machine), or the cost model is wrong.`;
  }
  const excess = (row: KernelFloor) => row.gpu_ms - row.floor_ms;
  const worst = kernels.reduce<KernelFloor | undefined>(
    (a, b) => (a === undefined || excess(b) > excess(a) ? b : a),
    undefined,
  );
  const times = `It takes ${(wall_ms / floor_ms).toPrecision(3)} times its floor`;
  const kernel =
    worst === undefined || excess(worst) <= 0
      ? ''
      : `; most above its own floor is ${worst.kernel} in ${worst.part} (${ms(worst.gpu_ms)} of GPU time, floor ${ms(worst.floor_ms)})`;
  const outside = wall_ms - gpu_ms;
  const host = stage === 'decode' ? 'submitting and reading back tokens' : 'submitting and waiting';
  const rest = outside > 0.2 * wall_ms ? `; ${ms(outside)} of the wall time are outside of kernels: ${host}` : '';
  return `${times}${kernel}${rest}.`;
}

/** Kernels that ran below their floor: a fault of probes or cost model, never a success. */
export function faults(stages: readonly StageFacts[]): string[] {
  return stages.flatMap(({ stage, kernels }) =>
    kernels
      .filter((row) => below_floor(row.gpu_ms, row.floor_ms))
      .map(
        ({ part, kernel, gpu_ms, floor_ms }) =>
          `${stage} ${part} ${kernel}: ${gpu_ms.toPrecision(3)} ms lie below their floor of ${floor_ms.toPrecision(3)} ms: a fault of the ceilings (--recalibrate on a quiet machine) or of the cost model`,
      ),
  );
}
