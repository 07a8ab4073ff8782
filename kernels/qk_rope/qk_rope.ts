import { row_variants } from '../norm/norm.ts';
import { kernel, type Options } from '../spec.ts';
import body from './qk_rope.wgsl';

const width = (p: { readonly heads: number }, o: Options): number => p.heads * Number(o.HEAD_DIM);

/**
 * From the fused projection to attention's inputs: RMS norm of q and k over the full heads * HEAD_DIM vector, half-split
 * rotation (dimension j pairs with j + HEAD_DIM/2), k and v written to the cache. HEAD_DIM is a multiple of 8.
 */
export const qk_rope = kernel({
  name: 'qk_rope',
  bindings: [
    { name: 'qkv', access: 'read' }, // [rows, qkv_stride] f32: q at column 0, k at k_col0, v at v_col0
    { name: 'q_weight', access: 'read' }, // [heads * HEAD_DIM] f32
    { name: 'k_weight', access: 'read' }, // [heads * HEAD_DIM] f32
    { name: 'rope', access: 'read' }, // [positions, HEAD_DIM / 2] vec2f (cos, sin)
    { name: 'row_table', access: 'read' }, // [table_row0 + rows] vec2u (sequence slot, position)
    { name: 'q', access: 'read_write' }, // [rows, q_stride] f32
    { name: 'k_cache', access: 'read_write' }, // [slots * capacity, kv_stride] f32
    { name: 'v_cache', access: 'read_write' }, // [slots * capacity, kv_stride] f32
  ],
  /** Columns and strides are multiples of 4; position < capacity. */
  params: [
    ['rows', 'u32'],
    ['heads', 'u32'],
    ['qkv_stride', 'u32'],
    ['k_col0', 'u32'],
    ['v_col0', 'u32'],
    ['q_stride', 'u32'],
    ['kv_stride', 'u32'],
    ['capacity', 'u32'],
    ['table_row0', 'u32'], // row r reads row_table[table_row0 + r]
    ['row0', 'u32'], // rows row0 .. row0 + rows - 1: of sequences that share this cache
    ['eps', 'f32'],
  ],
  moves: ['table_row0'],
  variants: row_variants<'rows'>([body], (p) => p.rows),
  // Norms 4 a value, rotation 3 a value, of q and k.
  flops: (p, o) => ({ useful: 0, other: p.rows * (14 * width(p, o) + 6) }),
  bytes: (p, o) => ({
    weights: 8 * width(p, o),
    read: p.rows * (12 * width(p, o) + 4 * Number(o.HEAD_DIM) + 8),
    written: 4 * p.rows * width(p, o),
    kv: 8 * p.rows * width(p, o),
  }),
});
