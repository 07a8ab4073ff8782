import { ceil_div, kernel } from '../spec.ts';
import lanes from './moe_route_lanes.wgsl';
import tiled from './moe_route_tiled.wgsl';
import order_key from './order_key.wgsl';
import row_order from './row_order.wgsl';

/** The tiled variant keeps a row of logits in workgroup memory. */
export const MOE_ROUTE_MAX_EXPERTS = 256;

/**
 * Softmax over all experts, then the k largest, largest first, ties to the lower id, not renormalised.
 * Output slot = row * k + j, with the row counted from the start of `logits`.
 */
export const moe_route = kernel({
  name: 'moe_route',
  bindings: [
    { name: 'logits', access: 'read' }, // [row0 + rows, stride] f32
    { name: 'experts', access: 'read_write' }, // [(row0 + rows) * k] u32
    { name: 'weights', access: 'read_write' }, // [(row0 + rows) * k] f32
  ],
  params: [
    ['rows', 'u32'],
    ['experts', 'u32'], // 1 .. MOE_ROUTE_MAX_EXPERTS
    ['k', 'u32'], // 1 .. experts
    ['stride', 'u32'],
    ['row0', 'u32'], // first row of logits, and first row of slots
  ],
  variants: [
    { name: 'tiled', wgsl: [order_key, row_order, tiled], grid: (p) => [p.rows, 1, 1] },
    { name: 'lanes', wgsl: [order_key, lanes], grid: (p) => [ceil_div(p.rows, 8), 1, 1] },
  ],
  flops: (p) => ({ useful: 0, other: p.rows * (3 * p.experts + p.k) }), // subtract, exponential, sum; one division a choice
  bytes: (p) => ({ weights: 0, read: 4 * p.rows * p.experts, written: 8 * p.rows * p.k, kv: 0 }),
});
