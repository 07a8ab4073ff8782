import { ceil_div, kernel } from '../spec.ts';
import lanes from './moe_sort_lanes.wgsl';
import tiled from './moe_sort_tiled.wgsl';
import tiles from './moe_tiles.wgsl';

/** Per expert, the slots that chose it, ascending and counted from slot0, and how many they are. */
export const moe_sort = kernel({
  name: 'moe_sort',
  bindings: [
    { name: 'experts', access: 'read' }, // [slot0 + rows * k] u32; an expert at most once a row, none in an empty slot
    { name: 'counts', access: 'read_write' }, // [experts] u32
    { name: 'lists', access: 'read_write' }, // [experts, rows] u32; only the first counts[e] of a list are written
  ],
  params: [
    ['rows', 'u32'],
    ['k', 'u32'],
    ['experts', 'u32'],
    ['slot0', 'u32'],
  ],
  host: ['pairs'], // slots that are not empty
  variants: [
    { name: 'tiled', wgsl: [tiled], grid: (p) => [p.experts, 1, 1] },
    { name: 'lanes', wgsl: [lanes], grid: (p) => [ceil_div(p.experts, 8), 1, 1] },
  ],
  flops: () => ({ useful: 0, other: 0 }),
  bytes: (p) => ({ weights: 0, read: 4 * p.pairs, written: 4 * (p.pairs + p.experts), kv: 0 }),
});

/** Tiles enough for any routing: every expert may end in a tile that is not full. */
export function max_tiles(pairs: number, experts: number, tile_rows: number): number {
  return ceil_div(pairs, tile_rows) + experts;
}

/** Cuts the experts' lists into tiles of tile_rows: (expert, first place in its list), then (0xffffffff, 0). */
export const moe_tiles = kernel({
  name: 'moe_tiles',
  bindings: [
    { name: 'counts', access: 'read' }, // [experts] u32
    { name: 'tiles', access: 'read_write' }, // [max_tiles] vec2u
  ],
  params: [
    ['experts', 'u32'],
    ['tile_rows', 'u32'],
    ['max_tiles', 'u32'],
  ],
  variants: [{ name: 'simple', wgsl: [tiles], grid: (p) => [ceil_div(p.max_tiles, 64), 1, 1] }],
  flops: () => ({ useful: 0, other: 0 }),
  bytes: (p) => ({ weights: 0, read: 4 * p.experts, written: 8 * p.max_tiles, kv: 0 }),
});
