import { touching } from '../common/touching.ts';
import { team_consts } from '../common/weights.ts';
import { type Bytes, ceil_div, kernel, next_power, type Options, round_up, type Traits } from '../spec.ts';
import combine from './attention_decode_combine.wgsl';
import lanes from './attention_decode_lanes.wgsl';
import tiled from './attention_decode_tiled.wgsl';

const head_dim = (o: Options): number => Number(o.HEAD_DIM);

const CHUNK = 128; // keys that a tiled workgroup scores at once
const GPU_WORKGROUPS = 512;
const SOFTWARE_WORKGROUPS = 16;
const SOFTWARE_KEYS = 64;

/** How keys are shared out among workgroups: as few splits as keep the adapter busy. */
export function decode_splits(
  keys: number,
  heads: number,
  rows: number,
  traits: Traits,
): { readonly splits: number; readonly split_keys: number } {
  const [workgroups, unit] = traits.software ? [SOFTWARE_WORKGROUPS, SOFTWARE_KEYS] : [GPU_WORKGROUPS, CHUNK];
  const wanted = Math.min(ceil_div(workgroups, Math.max(1, heads * rows)), ceil_div(keys, unit));
  const split_keys = round_up(Math.max(1, ceil_div(keys, Math.max(1, wanted))), unit);
  return { splits: Math.max(1, ceil_div(keys, split_keys)), split_keys };
}

/** f32 values in `partial`: for each row, head and split a weighted sum, then its maximum and total, padded to four. */
export function decode_partial_values(rows: number, heads: number, splits: number, head_dim: number): number {
  return rows * heads * splits * (head_dim + 4);
}

/** One query a row against the cached keys 0 .. position of its slot; splits > 1 need `attention_decode_combine`. */
export const attention_decode = kernel({
  name: 'attention_decode',
  bindings: [
    { name: 'q', access: 'read' }, // [rows, q_stride] f32
    { name: 'k_cache', access: 'read' }, // [slots * capacity, kv_stride] f32
    { name: 'v_cache', access: 'read' }, // [slots * capacity, kv_stride] f32
    { name: 'row_table', access: 'read' }, // (slot, position) a row
    { name: 'o', access: 'read_write' }, // [rows, o_stride] f32
    { name: 'partial', access: 'read_write', optional: true }, // [rows, heads, splits, HEAD_DIM + 4] f32
  ],
  params: [
    ['rows', 'u32'],
    ['heads', 'u32'],
    ['q_stride', 'u32'],
    ['kv_stride', 'u32'],
    ['o_stride', 'u32'],
    ['capacity', 'u32'],
    ['table_row0', 'u32'],
    ['row0', 'u32'], // rows row0 .. row0 + rows - 1: of sequences that share this cache
    ['splits', 'u32'],
    ['split_keys', 'u32'],
    ['scale', 'f32'],
  ],
  host: ['keys'], // attended keys, summed over rows
  moves: ['table_row0'],
  grows: ['keys'],
  variants: [
    {
      name: 'tiled',
      wgsl: [tiled],
      grid: (p) => [p.splits, p.heads, p.rows],
    },
    ...touching<'rows' | 'heads' | 'splits'>((name, consts) => ({
      name,
      wgsl: [lanes],
      subgroups: true,
      least_subgroup: 4,
      consts: (_, traits) => ({ ...team_consts(traits), ...consts() }),
      grid: (p, _, traits) => [p.splits, ceil_div(p.heads, traits.subgroup_size / team_consts(traits).TEAM), p.rows],
    })),
  ],
  shape_class: (p) => `rows<=${next_power(p.rows, 4)}`,
  flops: (p, o) => ({
    useful: 4 * p.keys * p.heads * head_dim(o),
    other: 2 * p.keys * p.heads + (p.splits === 1 ? p.rows * p.heads * head_dim(o) : 0),
  }),
  bytes: (p, o): Bytes => {
    const result = p.splits === 1 ? p.rows * p.heads * head_dim(o) : partial_values(p, o);
    return {
      weights: 0,
      read: 4 * p.rows * p.heads * head_dim(o),
      written: 4 * result,
      kv: 8 * p.keys * p.heads * head_dim(o),
    };
  },
});

const partial_values = (p: { rows: number; heads: number; splits: number }, o: Options): number =>
  decode_partial_values(p.rows, p.heads, p.splits, head_dim(o));

/** Brings the splits of each row and head to one maximum, adds them up and divides. */
export const attention_decode_combine = kernel({
  name: 'attention_decode_combine',
  bindings: [
    { name: 'partial', access: 'read' }, // as attention_decode leaves it
    { name: 'o', access: 'read_write' }, // [rows, o_stride] f32
  ],
  params: [
    ['rows', 'u32'],
    ['heads', 'u32'],
    ['splits', 'u32'],
    ['o_stride', 'u32'],
  ],
  variants: [
    {
      name: 'simple',
      wgsl: [combine],
      grid: (p, o) => [ceil_div((p.rows * p.heads * head_dim(o)) / 4, 64), 1, 1],
    },
  ],
  flops: (p, o) => ({
    useful: 0,
    other: p.rows * p.heads * (p.splits * (2 * head_dim(o) + 3) + head_dim(o)),
  }),
  bytes: (p, o) => ({
    weights: 0,
    read: 4 * partial_values(p, o),
    written: 4 * p.rows * p.heads * head_dim(o),
    kv: 0,
  }),
});
