import { ceil_div, kernel } from '../spec.ts';
import simple from './pool_attention.wgsl';

/** Multi-head attention of one query a cell over the cell's four window places. */
export const pool_attention = kernel({
  name: 'pool_attention',
  bindings: [
    { name: 'q', access: 'read' }, // [cells, q_stride] f32
    { name: 'kv', access: 'read' }, // [cells * 4, kv_stride] f32: keys at column 0, values at column v_col0
    { name: 'o', access: 'read_write' }, // [cells, o_stride] f32
  ],
  /** head_dim, v_col0 and strides are multiples of 4. */
  params: [
    ['cells', 'u32'],
    ['heads', 'u32'],
    ['head_dim', 'u32'],
    ['q_stride', 'u32'],
    ['kv_stride', 'u32'],
    ['v_col0', 'u32'],
    ['o_stride', 'u32'],
    ['scale', 'f32'],
  ],
  variants: [{ name: 'simple', wgsl: [simple], grid: (p) => [ceil_div(p.cells * p.heads, 64), 1, 1] }],
  flops: (p) => ({ useful: 16 * p.cells * p.heads * p.head_dim, other: 20 * p.cells * p.heads }),
  bytes: (p) => ({
    weights: 0,
    read: 4 * 9 * p.cells * p.heads * p.head_dim,
    written: 4 * p.cells * p.heads * p.head_dim,
    kv: 0,
  }),
});
