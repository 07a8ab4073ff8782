import { decode } from '../../engine/weights/half.ts';
import { round_up, row_stride } from '../../kernels/spec.ts';
import { type Data, range } from '../../test/reference/cases/case.ts';
import { attention, type BenchCase, combine, linear, norm, route } from '../cases.ts';
import { costs_of } from '../costs.ts';
import { DTYPE_BYTES, type Dtype } from './onnx.ts';

/** What is compared: the model's own products, attentions, norms and routing, at the model's own sizes. */
export type Operation = { readonly op: string; readonly rows: number } & (
  | { readonly kind: 'linear'; readonly k: number; readonly cols: number }
  | { readonly kind: 'attention'; readonly heads: number; readonly head_dim: number; readonly causal: boolean }
  | { readonly kind: 'norm'; readonly cols: number; readonly bias: boolean }
  | { readonly kind: 'route'; readonly experts: number; readonly k: number }
  | { readonly kind: 'combine'; readonly k: number; readonly cols: number }
);

export const EPS = 1e-5;

export const OPERATIONS: readonly Operation[] = [
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

export function shape_of(o: Operation): string {
  if (o.kind === 'linear') return `${o.rows}x${o.k}x${o.cols}`;
  if (o.kind === 'attention') return `${o.rows} tokens, ${o.heads}x${o.head_dim}`;
  if (o.kind === 'norm') return `${o.rows}x${o.cols}`;
  if (o.kind === 'combine') return `${o.rows}x${o.cols}, ${o.k} a row`;
  return `${o.rows}x${o.experts}, top ${o.k}`;
}

/** The operation as the engine launches it. */
export function case_of(o: Operation, format: Dtype, max_binding_bytes?: number): BenchCase {
  const { rows } = o;
  if (o.kind === 'linear') return linear({ stage: 'prefill', rows, k: o.k, cols: o.cols, format, max_binding_bytes });
  if (o.kind === 'attention') {
    return attention({ rows, heads: o.heads, head_dim: o.head_dim, first_position: o.causal ? 0 : undefined });
  }
  if (o.kind === 'norm') return norm(rows, o.cols, o.bias);
  if (o.kind === 'combine') return combine(rows, { d: o.cols, top_k: o.k });
  return route(rows, { experts: o.experts, top_k: o.k });
}

export type Inputs = Readonly<Record<string, Float32Array>>;

/** The case's numbers without the engine's layout, for peers. */
export function inputs_of(
  o: Operation,
  dtype: Dtype,
  { launches }: BenchCase,
  data: Readonly<Record<string, Data>>,
): Inputs {
  const of = (name: string) => data[name] as Float32Array;
  if (o.kind === 'attention') return { q: of('q'), k: of('k'), v: of('v') };
  if (o.kind === 'norm') return { x: of('x'), weight: of('weight'), ...(o.bias ? { bias: of('bias') } : {}) };
  if (o.kind === 'combine') {
    return { parts: of('y'), weights: of('weights'), x: of('x').subarray(0, o.rows * o.cols) };
  }
  if (o.kind === 'route') return { logits: of('logits') };
  const stride = row_stride(o.k);
  const a = new Float32Array(o.rows * o.k);
  for (const row of range(o.rows)) a.set(of('a').subarray(row * stride, row * stride + o.k), row * o.k);
  const weights = new Float32Array(o.k * o.cols);
  for (const { params, bind } of launches) {
    const [cols, col0] = [params.cols as number, params.col0 as number];
    const { buffer } = data[bind.weights as string] as Data;
    const values = decode(new Uint8Array(buffer), dtype === 'f16' ? 'F16' : 'F32');
    const wide = round_up(cols, 8);
    for (const row of range(o.k)) weights.set(values.subarray(row * wide, row * wide + cols), row * o.cols + col0);
  }
  return { a, weights };
}

/** [rows, rows], added to scores by peers that compose causal attention. */
export const causal_mask = (rows: number): Float32Array =>
  Float32Array.from({ length: rows ** 2 }, (_, i) => (i % rows > Math.floor(i / rows) ? -1e30 : 0));

export function output_values(o: Operation): number {
  if (o.kind === 'attention') return o.rows * o.heads * o.head_dim;
  return o.rows * (o.kind === 'route' ? o.k : o.cols);
}

export interface Rate {
  readonly value: number;
  readonly unit: string;
}

/** GFLOP/s where arithmetic is what counts, else GB/s. Activations are f32 in the engine, of `dtype` in a peer. */
export function rate(o: Operation, ms: number, dtype: Dtype, engine: boolean): Rate {
  const { flops, weight_bytes, other_bytes } = costs_of(case_of(o, dtype));
  if (flops > 0 && o.rows > 1) return { value: flops / ms / 1e6, unit: 'GFLOP/s' };
  const bytes = weight_bytes + other_bytes * (engine ? 1 : DTYPE_BYTES[dtype] / 4);
  return { value: bytes / ms / 1e6, unit: 'GB/s' };
}

/**
 * Storage formats worth comparing: halves where weights are what is moved, else what the engine computes in. The
 * vocabulary in f32 is 400 MB, and says no more than the smaller product does.
 */
export function dtypes_of(o: Operation): readonly Dtype[] {
  if (o.kind !== 'linear') return ['f32'];
  return o.k * o.cols > 2 ** 26 ? ['f16'] : ['f16', 'f32'];
}

/** Root of the mean squared difference over that of what is wanted. */
export function difference(got: Float32Array, wanted: Float32Array): number {
  if (got.length !== wanted.length) throw new Error(`${got.length} values where the engine has ${wanted.length}`);
  let [off, all] = [0, 0];
  for (let i = 0; i < got.length; i++) {
    off += ((got[i] as number) - (wanted[i] as number)) ** 2;
    all += (wanted[i] as number) ** 2;
  }
  return Math.sqrt(off / all);
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
}

export interface Peer extends Contender {
  /** Whether there is anything to compare; `open` throws with the reason where it does not run after all. */
  readonly offers: (o: Operation, dtype: Dtype) => boolean;
  readonly open: (o: Operation, inputs: Inputs, dtype: Dtype) => Promise<Runner>;
}
