import { weights } from '../common/weights.ts';
import input4 from '../matvec/input4.wgsl';
import { slices_sum } from '../matvec/sums.ts';
import order_key from '../moe_route/order_key.wgsl';
import row_order from '../moe_route/row_order.wgsl';
import row_sums from '../norm/row_sums.wgsl';
import { bytes_per_weight, kernel } from '../spec.ts';
import body from './moe_router.wgsl';
import lanes from './moe_router_lanes.wgsl';
import params from './moe_router_params.wgsl';
import tiled from './moe_router_tiled.wgsl';

/** Column-eights that the tiled variant takes at a time. */
const EIGHTS = 8;

/**
 * What `rms_norm`, `matvec` and `moe_route` do, for the few rows of a decode step in one launch: the normalised row for
 * the experts, its router logits, and the chosen experts with their weights.
 */
export const moe_router = kernel({
  name: 'moe_router',
  bindings: [
    { name: 'x', access: 'read' }, // [rows, x_stride] f32
    { name: 'weights', access: 'read' }, // [k, experts padded to 8]
    { name: 'norm_weight', access: 'read' }, // [k] f32
    { name: 'normed', access: 'read_write' }, // [rows, normed_stride] f32
    { name: 'logits', access: 'read_write' }, // [rows, logits_stride] f32
    { name: 'experts', access: 'read_write' }, // [rows * top_k] u32
    { name: 'route_weights', access: 'read_write' }, // [rows * top_k] f32
  ],
  params: [
    ['k', 'u32'], // width of x, a multiple of 4
    ['experts', 'u32'], // 1 .. MOE_ROUTE_MAX_EXPERTS
    ['top_k', 'u32'],
    ['x_stride', 'u32'],
    ['normed_stride', 'u32'],
    ['logits_stride', 'u32'],
    ['eps', 'f32'],
  ],
  host: ['rows'],
  variants: [
    {
      name: 'tiled',
      wgsl: (o) => [params, weights(o), order_key, row_order, row_sums, input4, slices_sum(o), tiled, body],
      consts: () => ({ EIGHTS }),
      grid: (p) => [p.rows, 1, 1],
    },
    {
      name: 'lanes',
      wgsl: (o) => [params, weights(o), order_key, row_order, lanes, body],
      grid: (p) => [p.rows, 1, 1],
    },
  ],
  flops: (p) => ({
    useful: 2 * p.rows * p.k * p.experts,
    other: p.rows * (4 * p.k + 3 + 3 * p.experts + p.top_k), // the norm's, then softmax and a division a choice
  }),
  bytes: (p, o) => ({
    weights: p.k * p.experts * bytes_per_weight(Number(o.WEIGHT_FORMAT)) + 4 * p.k,
    read: 4 * p.rows * p.k,
    written: p.rows * (4 * p.k + 4 * p.experts + 8 * p.top_k),
    kv: 0,
  }),
});
