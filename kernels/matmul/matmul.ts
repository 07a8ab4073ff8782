import epilogue from '../common/epilogue.wgsl';
import matrix_tile from '../common/matrix_tile.wgsl';
import matrix_units from '../common/matrix_units.wgsl';
import register_tile from '../common/register_tile.wgsl';
import { lanes_products, team_consts, weights } from '../common/weights.ts';
import {
  bytes_per_weight,
  ceil_div,
  FORMATS,
  format_name,
  kernel,
  matrix_consts,
  next_power,
  type Options,
  round_up,
  subgroups_down,
  type Variant,
} from '../spec.ts';
import lanes from './matmul_lanes.wgsl';
import tile from './matmul_tile.wgsl';
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

/** Shapes of a product that are likely to share their fastest variant. */
export const linear_class = (p: LinearDims, o: Options): string =>
  `rows<=${next_power(p.rows, 4)} k${p.k} n${p.cols} ${format_name(o.WEIGHT_FORMAT)}`;

const TILE = 64;

type Linear = Variant<LinearParam>;

const lanes_variant = (name: Linear['name'], ROWS: number): Linear => ({
  name,
  more_rows: ROWS > 16 ? 16 : undefined,
  wgsl: (o) => [weights(o), epilogue, lanes_products(o), lanes],
  subgroups: true,
  least_subgroup: Math.min(8, ROWS / 2),
  consts: (_, traits) => ({ ...team_consts(traits), ROWS }),
  grid: (p, _, traits) => [ceil_div(p.cols, 8 * traits.subgroup_size), ceil_div(p.rows, ROWS), 1],
  executed: (p, _, traits) => 2 * round_up(p.rows, ROWS) * round_up(p.cols, 8 * traits.subgroup_size) * p.k,
});

/** `rows` x `cols` outputs a workgroup, slices of `slice` along k. */
const in_tiles = (rows: number, cols: number, slice: number): Pick<Linear, 'grid' | 'executed'> => ({
  grid: (p) => [ceil_div(p.cols, cols), ceil_div(p.rows, rows), 1],
  executed: (p) => 2 * round_up(p.rows, rows) * round_up(p.cols, cols) * round_up(p.k, slice),
});

/** Formats that the tiles of matrix units and of packed weights can decode. */
const half_or_float = (o: Options): boolean => Number(o.WEIGHT_FORMAT) <= FORMATS.bf16;

const register_variant = (name: Linear['name'], rows: number, cols: number, down: number, packed = false): Linear => ({
  name,
  wgsl: (o) => [weights(o), epilogue, register_tile, tile],
  fits: (o) => half_or_float(o) && (!packed || o.WEIGHT_FORMAT !== FORMATS.f32),
  consts: () => ({ TILE_ROWS: rows, TILE_COLS: cols, DOWN: down, PACKED: packed }),
  ...in_tiles(rows, cols, 16),
});

const matrix_variant = (name: Linear['name'], side: number, down: number, workgroup_bytes: number): Linear => ({
  name,
  wgsl: (o) => [weights(o), epilogue, matrix_units, matrix_tile, tile],
  matrix: true,
  workgroup_bytes,
  fits: (o) => half_or_float(o),
  consts: (_, traits) => ({
    ...{ TILE_ROWS: side, TILE_COLS: side, DOWN: subgroups_down(side, down, 2, traits), ACROSS: 2 },
    ...matrix_consts(traits),
  }),
  ...in_tiles(side, side, 32),
});

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
      ...in_tiles(TILE, TILE, 16),
    },
    register_variant('tiled_32', 32, 64, 8),
    register_variant('tiled_128', 128, 128, 16),
    register_variant('tiled_packed', 128, 128, 16, true),
    matrix_variant('matrix', 128, 4, 28 * 1024),
    matrix_variant('matrix_64', 64, 2, 14 * 1024),
    lanes_variant('lanes', 32),
    lanes_variant('lanes_16', 16),
    lanes_variant('lanes_8', 8),
  ],
  shape_class: linear_class,
  flops: linear_flops,
  bytes: linear_bytes,
});
