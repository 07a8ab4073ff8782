import { bytes_per_weight, FORMATS, type WeightFormat } from '../../kernels/spec.ts';
import type { ModelConfig } from '../model/config.ts';
import { formats_of } from '../model/formats.ts';
import { geometry_of } from '../model/geometry.ts';
import type { AdapterCeilings } from './ceilings.ts';
import { block_plan, type FlopRequest } from './closed_forms.ts';
import type { Counts } from './ledger.ts';

export type Bound = 'compute' | 'memory' | 'launch';
export interface Floor {
  readonly floor_ms: number;
  /** The largest term of the floor. */
  readonly bound: Bound;
}

export type Roof = Omit<AdapterCeilings, 'fma_f16_flops' | 'matrix_f16_flops' | 'readback_ms'>;

/**
 * The least time that an adapter with these ceilings needs for this work: the longer of arithmetic and memory, which may
 * overlap, and the launches, which wait for each other.
 * - Arithmetic: useful FLOPs at the f32 rate, since every kernel adds in f32. Other operations count nothing.
 * - Memory: every operand once. A dispatch may find up to a cacheful of what it reads in the cache, where the one before
 *   left it, and may leave as much there; that much goes at the cache's rate, the rest at the stream's.
 * - Weights are only met again when the model has been gone through once more, so of `pass_weight_bytes` a cacheful at most
 *   can still be there. 0, where it is not known, lets all of them be.
 * Expert weights of a prompt are counted as if its tokens chose as many experts as they can.
 */
export function floor_of(counts: Counts, roof: Roof, pass_weight_bytes = 0): Floor {
  const { dispatches, flops, weight_bytes, read_bytes, kv_bytes, written_bytes } = counts;
  const compute = flops / roof.fma_f32_flops;
  const cached_share = pass_weight_bytes > roof.cache_bytes ? roof.cache_bytes / pass_weight_bytes : 1;
  const cached_weights = cached_share * weight_bytes;
  const in_cache = (bytes: number) => Math.min(bytes, dispatches * roof.cache_bytes);
  const activations = read_bytes + kv_bytes;
  const cached = cached_weights + in_cache(activations);
  const streamed = weight_bytes + activations - cached;
  const written = in_cache(written_bytes) / Math.max(roof.cache_read_bytes, roof.stream_write_bytes);
  const memory =
    cached / roof.cache_read_bytes +
    streamed / roof.stream_read_bytes +
    written +
    (written_bytes - in_cache(written_bytes)) / roof.stream_write_bytes;
  const launch_ms = dispatches * roof.dispatch_ms;
  const terms: Record<Bound, number> = { compute: 1000 * compute, memory: 1000 * memory, launch: launch_ms };
  return { floor_ms: Math.max(terms.compute, terms.memory) + launch_ms, bound: largest(terms) };
}

/** Floors of work that runs one after the other; what bounds most of their time. */
export function sum_floors(floors: readonly Floor[]): Floor {
  const terms: Record<Bound, number> = { compute: 0, memory: 0, launch: 0 };
  for (const { floor_ms, bound } of floors) terms[bound] += floor_ms;
  return { floor_ms: terms.compute + terms.memory + terms.launch, bound: largest(terms) };
}

const largest = (terms: Readonly<Record<Bound, number>>): Bound =>
  (Object.keys(terms) as Bound[]).reduce((a, b) => (terms[b] > terms[a] ? b : a));

/** Share of the measured time that the adapter itself asks for. */
export const efficiency = (floor_ms: number, measured_ms: number): number => floor_ms / measured_ms;

/** Nothing runs below its floor: where a time does, a probe (disturbed while it measured?) or this model is at fault. */
export const below_floor = (measured_ms: number, floor_ms: number): boolean => measured_ms < floor_ms;

/** Bytes of matrix weights that one pass of each stage goes through at least; one token's, in the language stages. */
export function pass_weight_bytes(
  config: ModelConfig,
  format: WeightFormat,
  top_k?: FlopRequest['top_k'],
): Readonly<Record<'vision_encoder' | 'projector' | 'prefill' | 'decode', number>> {
  const { d_model, expert_hidden, n_experts, embedding_size, projector_hidden, vit, vit_layers } = config;
  const formats = formats_of(format);
  const bytes_of = (count: number, stored: WeightFormat) => count * bytes_per_weight(FORMATS[stored]);
  const linear = (k: number, cols: number) => bytes_of(k * cols, formats.linear(k));
  const vit_blocks = Math.max(...vit_layers) + 1;
  const features = vit_layers.length * vit.emb;
  const plan = block_plan(config, top_k).filter((k) => k > 0);
  const expert = bytes_of(3 * d_model * expert_hidden, formats.experts(d_model, expert_hidden));
  const router = bytes_of(d_model * n_experts, formats.router);
  const blocks = plan.map((k) => linear(d_model, 4 * d_model) + router + k * expert);
  const lm_head = bytes_of(embedding_size * d_model, formats.lm_head(d_model));
  const language = blocks.reduce((sum, block) => sum + block, lm_head);
  const pooling = linear(features, 3 * vit.emb) + linear(vit.emb, vit.emb);
  const projector = linear(vit.emb, 2 * projector_hidden) + linear(projector_hidden, d_model);
  const vit_block = linear(vit.emb, 4 * vit.emb + vit.mlp) + linear(vit.mlp, vit.emb);
  return {
    vision_encoder: linear(geometry_of(config).patch_values, vit.emb) + vit_blocks * vit_block,
    projector: pooling + projector,
    prefill: language,
    decode: language,
  };
}
