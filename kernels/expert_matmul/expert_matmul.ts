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
  subgroups_down,
  type Variant,
} from '../spec.ts';
import lanes from './expert_matmul_lanes.wgsl';
import tile from './expert_matmul_tile.wgsl';
import tiled from './expert_matmul_tiled.wgsl';

const TILE = 64;

type Expert = Variant<'cols' | 'max_tiles'>;

/** Slots a tile, where the variant's family does not say it. */
const TILE_ROWS: Readonly<Record<string, number>> = {
  lanes: 32,
  lanes_8: 8,
  tiled_16: 16,
  tiled_32: 32,
  matrix_32: 32,
};

/** Slots that one tile of `moe_tiles` must hold for the variant that will run. */
export function expert_tile_rows({ name }: Pick<Variant, 'name'>): number {
  return TILE_ROWS[name] ?? TILE;
}

const lanes_variant = (name: Expert['name']): Expert => ({
  name,
  wgsl: (o) => [weights(o), lanes_products(o), lanes],
  subgroups: true,
  least_subgroup: Math.min(8, expert_tile_rows({ name }) / 2),
  consts: (_, traits) => ({ ...team_consts(traits), ROWS: expert_tile_rows({ name }) }),
  // Tiles first: those of one expert follow each other over the same strip of its weights, which stays in the cache.
  grid: (p, _, traits) => [p.max_tiles, ceil_div(p.cols, 8 * traits.subgroup_size), 1],
});

const half_or_float = (o: Options): boolean => Number(o.WEIGHT_FORMAT) <= FORMATS.bf16;

const register_variant = (name: Expert['name'], cols: number): Expert => ({
  name,
  wgsl: (o) => [weights(o), register_tile, tile],
  fits: (o) => half_or_float(o),
  consts: () => ({ TILE_ROWS: expert_tile_rows({ name }), TILE_COLS: cols, DOWN: 8, PACKED: false }),
  grid: (p) => [ceil_div(p.cols, cols), p.max_tiles, 1],
});

const matrix_variant = (name: Expert['name'], cols: number, workgroup_bytes: number): Expert => ({
  name,
  wgsl: (o) => [weights(o), matrix_units, matrix_tile, tile],
  matrix: true,
  workgroup_bytes,
  fits: (o) => half_or_float(o),
  consts: (_, traits) => ({
    ...{ TILE_ROWS: expert_tile_rows({ name }), TILE_COLS: cols, ACROSS: 2 },
    DOWN: subgroups_down(expert_tile_rows({ name }), 2, 2, traits),
    ...matrix_consts(traits),
  }),
  grid: (p) => [ceil_div(p.cols, cols), p.max_tiles, 1],
});

/**
 * c[slot] = a[row of slot] x weights[expert of slot], for the slots that `moe_sort` listed, tile by tile.
 * A weight slice holds experts expert0 .. expert0 + expert_count - 1; tiles of other experts, and surplus ones, return
 * at once. How many slots a slice serves is known only on the GPU, so costs are counted once for all slices:
 * pairs_counted is the token-expert pairs on one slice's dispatch and 0 on the others', a_rows_counted the rows of `a` that
 * feed them. For the same reason executed = useful, although the last tile of every expert is computed whole. Weight bytes
 * are one matrix a pair, at most one an expert of the model: the most that can be needed.
 */
export const expert_matmul = kernel({
  name: 'expert_matmul',
  bindings: [
    { name: 'a', access: 'read' }, // [a_row0 + slots / a_div, a_stride] f32
    { name: 'weights', access: 'read' }, // [expert_count, k, cols padded to 8]
    { name: 'tiles', access: 'read' }, // [max_tiles] vec2u: expert, first place in its list
    { name: 'counts', access: 'read' }, // [experts] u32
    { name: 'lists', access: 'read' }, // [experts, list_stride] u32
    { name: 'c', access: 'read_write' }, // [slots, c_stride] f32, columns padded to 8 are written
  ],
  params: [
    ['k', 'u32'],
    ['cols', 'u32'],
    ['a_stride', 'u32'],
    ['c_stride', 'u32'],
    ['expert0', 'u32'],
    ['expert_count', 'u32'],
    ['list_stride', 'u32'],
    ['a_div', 'u32'], // row of a = a_row0 + slot / a_div: slots a token where a holds tokens, 1 where it holds slots
    ['a_row0', 'u32'],
  ],
  // flop_k, flop_cols: the mathematics' own sizes, where k or cols are padded.
  // most_pairs: what the tiles were sized for; with the count of experts it decides the variant, so that one choice
  // of tile rows serves the sort and all its products.
  host: ['max_tiles', 'pairs_counted', 'a_rows_counted', 'most_pairs', 'expert_count_total', 'flop_k', 'flop_cols'],
  variants: [
    {
      name: 'tiled',
      wgsl: (o) => [weights(o), tiled],
      grid: (p) => [ceil_div(p.cols, TILE), p.max_tiles, 1],
    },
    register_variant('tiled_16', 64),
    register_variant('tiled_32', 64),
    register_variant('tiled_64x128', 128),
    matrix_variant('matrix', 64, 14 * 1024),
    matrix_variant('matrix_32', 64, 12 * 1024),
    matrix_variant('matrix_64x128', 128, 18 * 1024),
    lanes_variant('lanes'),
    lanes_variant('lanes_8'),
  ],
  // Only from what is known before the tiles are sized.
  shape_class: (p, o) =>
    `pairs<=${next_power(p.most_pairs, 2)} experts${p.expert_count_total} ${format_name(o.WEIGHT_FORMAT)}`,
  flops: (p) => ({ useful: 2 * p.pairs_counted * p.flop_k * p.flop_cols, other: 0 }),
  bytes: (p, o) => ({
    weights:
      Math.min(p.pairs_counted, p.expert_count_total) *
      p.flop_k *
      p.flop_cols *
      bytes_per_weight(Number(o.WEIGHT_FORMAT)),
    read: 4 * p.a_rows_counted * p.flop_k,
    written: 4 * p.pairs_counted * p.flop_cols,
    kv: 0,
  }),
});
