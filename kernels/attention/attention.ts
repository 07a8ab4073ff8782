import matrix_units from '../common/matrix_units.wgsl';
import { ceil_div, kernel, matrix_consts, next_power, type Options, round_up, type Traits } from '../spec.ts';
import lanes from './attention_lanes.wgsl';
import matrix from './attention_matrix.wgsl';
import simple from './attention_simple.wgsl';
import tiled from './attention_tiled.wgsl';

const ATTENTION_PARAMS = [
  ['groups', 'u32'],
  ['rows', 'u32'], // queries a group
  ['keys', 'u32'], // keys a group; causal runs count theirs from first_position
  ['heads', 'u32'],
  ['q_stride', 'u32'],
  ['kv_stride', 'u32'], // of k and of v
  ['o_stride', 'u32'],
  ['q_col0', 'u32'],
  ['k_col0', 'u32'],
  ['v_col0', 'u32'],
  ['q_row0', 'u32'], // group g reads and writes rows q_row0 + g * rows ..
  ['k_row0', 'u32'], // group g sees keys k_row0 + g * keys ..
  ['first_position', 'u32'], // causal: query i sees keys 0 .. first_position + i
  ['scale', 'f32'],
] as const;

type AttentionDims = Readonly<Record<(typeof ATTENTION_PARAMS)[number][0], number>>;

const head_dim = (o: Options): number => Number(o.HEAD_DIM);

/** (query, key) pairs of one head. With tiles, rows and keys are rounded up as far as a tile reaches. */
function pairs(p: AttentionDims, o: Options, tile_rows = 1, tile_keys = 1): number {
  let sum = 0;
  for (let row = 0; row < p.rows; row += tile_rows) {
    const seen = o.CAUSAL ? p.first_position + Math.min(row + tile_rows, p.rows) : p.keys;
    sum += tile_rows * ceil_div(seen, tile_keys) * tile_keys;
  }
  return p.groups * sum;
}

/** A team of eight lanes holds the sums of its queries in registers. */
const TEAM = 8;
const TEAM_ROWS = 32;
const TEAM_COLUMNS = 64;
const TILE_ROWS = 64;
const TILE_KEYS = 32;
const TILE_COLUMNS = 32;
const SIMPLE_THREADS = 64;
/** At most: as many queries as there is workgroup memory for. */
const MATRIX_ROWS = 64;
const MATRIX_SUBGROUPS = 4;
const MATRIX_KEYS = 32;

/** Queries of a subgroup on matrix units, as many as lanes or, shared by two or four of them, 16; and the subgroups of a workgroup. */
function on_units({ matrix }: Traits) {
  const { m, subgroup } = matrix ?? { m: 16, subgroup: 32 };
  const own = Math.max(m, Math.min(16, subgroup));
  return { SHARERS: subgroup / own, SUBGROUPS: Math.min(MATRIX_SUBGROUPS, MATRIX_ROWS / own), rows: own };
}

const unit_rows = (traits: Traits): number => on_units(traits).rows * on_units(traits).SUBGROUPS;

/** o = softmax(q x k^T * scale) x v, head by head, scores never stored: ViT crops (groups) and causal prefill. */
export const attention = kernel({
  name: 'attention',
  bindings: [
    { name: 'q', access: 'read' }, // [rows of all groups, q_stride] f32
    { name: 'k', access: 'read' }, // [keys of all groups, kv_stride] f32
    { name: 'v', access: 'read' }, // [keys of all groups, kv_stride] f32
    { name: 'o', access: 'read_write' }, // [rows of all groups, o_stride] f32, head h in columns h * HEAD_DIM ..
  ],
  params: ATTENTION_PARAMS,
  variants: [
    {
      name: 'tiled',
      wgsl: [tiled],
      grid: (p) => [ceil_div(p.rows, TILE_ROWS), p.heads, p.groups],
      executed: (p, o) => 4 * p.heads * pairs(p, o, TILE_ROWS, TILE_KEYS) * round_up(head_dim(o), TILE_COLUMNS),
    },
    {
      name: 'matrix',
      wgsl: [matrix_units, matrix],
      matrix: true,
      workgroup_bytes: 23 * 1024,
      fits: (o) => head_dim(o) === 64 || head_dim(o) === 128,
      consts: (_, traits) => {
        const { SHARERS, SUBGROUPS } = on_units(traits);
        return { SHARERS, SUBGROUPS, ...matrix_consts(traits) };
      },
      grid: (p, _, traits) => [ceil_div(p.rows, unit_rows(traits)), p.heads, p.groups],
      executed: (p, o, traits) => 4 * p.heads * pairs(p, o, unit_rows(traits), MATRIX_KEYS) * head_dim(o),
    },
    {
      name: 'lanes',
      wgsl: [lanes],
      subgroups: true,
      consts: (_, traits) => ({ LANES: traits.subgroup_size }),
      grid: (p, _, traits) => [ceil_div(p.rows, TEAM_ROWS), ceil_div(p.heads, traits.subgroup_size / TEAM), p.groups],
      executed: (p, o) => 2 * p.heads * pairs(p, o, TEAM_ROWS) * (head_dim(o) + round_up(head_dim(o), TEAM_COLUMNS)),
    },
    {
      name: 'simple',
      wgsl: [simple],
      consts: () => ({ THREADS: SIMPLE_THREADS }),
      grid: (p) => [ceil_div(p.rows, SIMPLE_THREADS), p.heads, p.groups],
      executed: (p, o) => 4 * p.heads * pairs(p, o, 1, 4) * head_dim(o),
    },
  ],
  shape_class: (p, o) => {
    const keys = o.CAUSAL ? p.first_position + p.rows : p.keys;
    const sizes = `rows<=${next_power(p.rows, 4)} keys<=${next_power(keys, 4)} groups<=${next_power(p.groups, 4)}`;
    return `${sizes} heads${p.heads} d${head_dim(o)} ${o.CAUSAL ? 'causal' : 'full'}`;
  },
  flops: (p, o) => {
    const scores = p.heads * pairs(p, o);
    return {
      useful: 4 * scores * head_dim(o),
      other: 2 * scores + p.groups * p.rows * p.heads * head_dim(o), // exponential and sum a score, division a value
    };
  },
  bytes: (p, o) => {
    const row_bytes = 4 * p.heads * head_dim(o);
    const kv_rows = o.CAUSAL ? p.groups * (p.first_position + p.rows) : p.groups * p.keys;
    return {
      weights: 0,
      read: (p.groups * p.rows + (o.CAUSAL ? 0 : 2 * kv_rows)) * row_bytes,
      written: p.groups * p.rows * row_bytes,
      kv: o.CAUSAL ? 2 * kv_rows * row_bytes : 0,
    };
  },
});
