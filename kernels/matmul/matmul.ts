import epilogue from '../common/epilogue.wgsl';
import { lanes_products, weights } from '../common/weights.ts';
import { bytes_per_weight, ceil_div, kernel, type Options, round_up } from '../spec.ts';
import lanes from './matmul_lanes.wgsl';
import tiled from './matmul_tiled.wgsl';

/** Bits of the parameter `epilogue`, as in common/epilogue.wgsl. */
export const EPILOGUE = { none: 0, bias: 1, accumulate: 2, quick_gelu: 4, silu: 8 } as const;

export const LINEAR_BINDINGS = [
  { name: 'a', access: 'read' }, // [rows, a_stride] f32
  { name: 'weights', access: 'read' }, // [k, cols padded to 8]; declared by common/weights.ts, so it stays the second
  { name: 'bias', access: 'read', optional: true }, // [cols of the whole output padded to 8] f32
  { name: 'c', access: 'read_write' }, // [rows, c_stride] f32; this slice fills columns col0 ..
] as const;

/** cols is the true width of this slice; strides are in values and multiples of 4; col0 is a multiple of 8. */
export const LINEAR_PARAMS = [
  ['rows', 'u32'],
  ['k', 'u32'],
  ['cols', 'u32'],
  ['a_stride', 'u32'],
  ['c_stride', 'u32'],
  ['col0', 'u32'],
  ['a_row0', 'u32'], // first row read in a
  ['c_row0', 'u32'], // first row written in c
  ['epilogue', 'u32'],
] as const;

/** cols without the padding between matrices that lie side by side: what the mathematics needs. */
export const LINEAR_HOST = ['true_cols'] as const;

export type LinearParam = (typeof LINEAR_PARAMS)[number][0] | (typeof LINEAR_HOST)[number];

type LinearDims = Readonly<Record<LinearParam, number>>;
const has = (p: LinearDims, bit: number): number => (p.epilogue & bit ? 1 : 0);

export function linear_flops(p: LinearDims) {
  const out = p.rows * p.true_cols;
  const activation = 4 * has(p, EPILOGUE.quick_gelu | EPILOGUE.silu);
  return { useful: 2 * out * p.k, other: out * (has(p, EPILOGUE.bias) + has(p, EPILOGUE.accumulate) + activation) };
}

export function linear_bytes(p: LinearDims, o: Options) {
  return {
    weights: p.k * p.true_cols * bytes_per_weight(Number(o.WEIGHT_FORMAT)) + 4 * p.true_cols * has(p, EPILOGUE.bias),
    read: 4 * p.rows * (p.k + p.true_cols * has(p, EPILOGUE.accumulate)),
    written: 4 * p.rows * p.true_cols,
    kv: 0,
  };
}

const LANES_ROWS = 16;
const TILE = 64;

/** c[rows, cols] = activation(a[rows, k] x weights[k, cols] + bias) (+ c): every projection with more than a few rows. */
export const matmul = kernel({
  name: 'matmul',
  bindings: LINEAR_BINDINGS,
  params: LINEAR_PARAMS,
  host: LINEAR_HOST,
  variants: [
    {
      name: 'tiled',
      wgsl: (o) => [weights(o), epilogue, tiled],
      grid: (p) => [ceil_div(p.cols, TILE), ceil_div(p.rows, TILE), 1],
      executed: (p) => 2 * round_up(p.rows, TILE) * round_up(p.cols, TILE) * round_up(p.k, 16),
    },
    {
      name: 'lanes',
      wgsl: (o) => [weights(o), epilogue, lanes_products(o), lanes],
      subgroups: true,
      consts: (_, traits) => ({ LANES: traits.subgroup_size }),
      grid: (p, _, traits) => [ceil_div(p.cols, 8 * traits.subgroup_size), ceil_div(p.rows, LANES_ROWS), 1],
      executed: (p, _, traits) => 2 * round_up(p.rows, LANES_ROWS) * round_up(p.cols, 8 * traits.subgroup_size) * p.k,
    },
  ],
  flops: linear_flops,
  bytes: linear_bytes,
});
