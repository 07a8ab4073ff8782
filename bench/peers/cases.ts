import { DTYPE_BYTES, type Dtype } from './onnx.ts';

/** What is compared: the model's own products, attentions, norms and routing, at the model's own sizes. */
export type Case =
  | { readonly kind: 'linear'; readonly op: string; readonly rows: number; readonly k: number; readonly cols: number }
  | {
      readonly kind: 'attention';
      readonly op: string;
      readonly rows: number;
      readonly heads: number;
      readonly head_dim: number;
      readonly causal: boolean;
    }
  | {
      readonly kind: 'norm';
      readonly op: string;
      readonly rows: number;
      readonly cols: number;
      readonly bias: boolean;
    }
  | {
      readonly kind: 'route';
      readonly op: string;
      readonly rows: number;
      readonly experts: number;
      readonly k: number;
    }
  | {
      readonly kind: 'combine';
      readonly op: string;
      readonly rows: number;
      readonly k: number;
      readonly cols: number;
    };

export const EPS = 1e-5;

export const CASES: readonly Case[] = [
  { kind: 'linear', op: 'matmul', rows: 577, k: 1024, cols: 1024 },
  { kind: 'linear', op: 'matmul', rows: 512, k: 2048, cols: 2048 },
  { kind: 'linear', op: 'matvec', rows: 1, k: 2048, cols: 2048 },
  { kind: 'linear', op: 'matvec', rows: 1, k: 2048, cols: 50304 },
  { kind: 'attention', op: 'attention', rows: 577, heads: 16, head_dim: 64, causal: false },
  { kind: 'attention', op: 'causal attention', rows: 512, heads: 16, head_dim: 128, causal: true },
  { kind: 'norm', op: 'rms norm', rows: 512, cols: 2048, bias: false },
  { kind: 'norm', op: 'layer norm', rows: 577, cols: 1024, bias: true },
  { kind: 'route', op: 'softmax + top-k', rows: 512, experts: 64, k: 8 },
  { kind: 'combine', op: 'combine', rows: 512, k: 8, cols: 2048 },
];

export function shape_of(c: Case): string {
  if (c.kind === 'linear') return `${c.rows}x${c.k}x${c.cols}`;
  if (c.kind === 'attention') return `${c.rows} tokens, ${c.heads}x${c.head_dim}`;
  if (c.kind === 'norm') return `${c.rows}x${c.cols}`;
  if (c.kind === 'combine') return `${c.rows}x${c.cols}, ${c.k} a row`;
  return `${c.rows}x${c.experts}, top ${c.k}`;
}

export type Inputs = Readonly<Record<string, Float32Array>>;

/**
 * Values in [-scale, scale) from a fixed seed, in steps that a half holds exactly, so that f32 and f16 get the same
 * numbers. `scale` is a power of two.
 */
function values(count: number, seed: number, scale: number): Float32Array {
  const out = new Float32Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = ((state >> 22) / 512) * scale;
  }
  return out;
}

export function inputs_of(c: Case): Inputs {
  if (c.kind === 'linear') {
    return { a: values(c.rows * c.k, 1, 1), weights: values(c.k * c.cols, 2, 1 / 32) };
  }
  if (c.kind === 'attention') {
    const count = c.rows * c.heads * c.head_dim;
    return { q: values(count, 1, 1), k: values(count, 2, 1), v: values(count, 3, 1) };
  }
  if (c.kind === 'norm') {
    const x = values(c.rows * c.cols, 1, 2);
    return { x, weight: values(c.cols, 2, 1), ...(c.bias ? { bias: values(c.cols, 3, 1) } : {}) };
  }
  if (c.kind === 'combine') {
    const [parts, weights] = [values(c.rows * c.k * c.cols, 1, 1), values(c.rows * c.k, 2, 1)];
    return { parts, weights, x: values(c.rows * c.cols, 3, 1) };
  }
  return { logits: values(c.rows * c.experts, 1, 4) };
}

/** [rows, rows], added to scores by peers that compose causal attention. */
export const causal_mask = (rows: number): Float32Array =>
  Float32Array.from({ length: rows ** 2 }, (_, i) => (i % rows > Math.floor(i / rows) ? -1e30 : 0));

/** What the mathematics needs: matrix FLOPs, and values of weights and of the rest, each once. */
function needs(c: Case): { flops: number; weights: number; activations: number } {
  if (c.kind === 'linear') {
    const { rows, k, cols } = c;
    return { flops: 2 * rows * k * cols, weights: k * cols, activations: rows * (k + cols) };
  }
  if (c.kind === 'attention') {
    const pairs = c.causal ? (c.rows * (c.rows + 1)) / 2 : c.rows * c.rows;
    const width = c.heads * c.head_dim;
    return { flops: 4 * pairs * width, weights: 0, activations: 4 * c.rows * width };
  }
  if (c.kind === 'norm') {
    return { flops: 0, weights: (c.bias ? 2 : 1) * c.cols, activations: 2 * c.rows * c.cols };
  }
  if (c.kind === 'combine') {
    return { flops: 0, weights: 0, activations: c.rows * (c.k * (c.cols + 1) + 2 * c.cols) };
  }
  return { flops: 0, weights: 0, activations: c.rows * (c.experts + 2 * c.k) };
}

/** GFLOP/s where arithmetic is what counts, else GB/s. Activations are f32 in the engine, of `dtype` in a peer. */
export function rate(c: Case, ms: number, dtype: Dtype, engine: boolean): { value: number; unit: string } {
  const { flops, weights, activations } = needs(c);
  if (flops > 0 && c.rows > 1) return { value: flops / ms / 1e6, unit: 'GFLOP/s' };
  const bytes = weights * DTYPE_BYTES[dtype] + activations * (engine ? 4 : DTYPE_BYTES[dtype]);
  return { value: bytes / ms / 1e6, unit: 'GB/s' };
}

/**
 * Storage formats worth comparing: halves where weights are what is moved, else what the engine computes in. The
 * vocabulary in f32 is 400 MB, and says no more than the smaller product does.
 */
export function dtypes_of(c: Case): readonly Dtype[] {
  if (c.kind !== 'linear') return ['f32'];
  return c.k * c.cols > 2 ** 26 ? ['f16'] : ['f16', 'f32'];
}

/** One operation on one contender's device, its inputs there already. */
export interface Runner {
  /** The whole result of one operation, as f32; of routing the weights. */
  readonly result: () => Promise<Float32Array>;
  /** Makes ready for runs of so many operations. */
  readonly repeat: (times: number) => Promise<void>;
  /** From handing them over to knowing that all are finished. */
  readonly run: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface Contender {
  readonly name: string;
  readonly version: string;
  readonly adapter: string;
  readonly note: string;
  /** It has no halves: where the engine keeps f16 weights, it keeps the same values as f32. */
  readonly only_f32?: true;
  /** Whether there is anything to compare; `open` throws with the reason where it does not run after all. */
  readonly offers: (c: Case, dtype: Dtype) => boolean;
  readonly open: (c: Case, inputs: Inputs, dtype: Dtype) => Promise<Runner>;
}
