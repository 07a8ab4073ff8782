import { ceil_div, kernel } from '../spec.ts';
import lanes from './moe_route_lanes.wgsl';
import tiled from './moe_route_tiled.wgsl';
import one_k from './one_k.wgsl';
import order_key from './order_key.wgsl';
import row_order from './row_order.wgsl';
import two_ks from './two_ks.wgsl';

/** The tiled variant keeps a row of logits in workgroup memory. */
export const MOE_ROUTE_MAX_EXPERTS = 256;

/** What stands in a slot that its row leaves over; its weight is negative. */
export const NO_EXPERT = 0xffffffff;

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
    { name: 'tiled', wgsl: [one_k, order_key, row_order, tiled], grid: (p) => [p.rows, 1, 1] },
    { name: 'lanes', wgsl: [one_k, order_key, lanes], grid: (p) => [ceil_div(p.rows, 8), 1, 1] },
  ],
  flops: (p) => ({ useful: 0, other: p.rows * (3 * p.experts + p.k) }), // subtract, exponential, sum; one division a choice
  bytes: (p) => ({ weights: 0, read: 4 * p.rows * p.experts, written: 8 * p.rows * p.k, kv: 0 }),
});

/** The same where rows of text and rows of a picture take different numbers: k slots a row, of which it fills its first. */
export const moe_route_mixed = kernel({
  name: 'moe_route_mixed',
  bindings: [
    { name: 'logits', access: 'read' }, // [row0 + rows, stride] f32
    { name: 'marks', access: 'read' }, // [mark0 + row0 + rows] u32, not 0 where the row is a picture's
    { name: 'experts', access: 'read_write' }, // [(row0 + rows) * k] u32
    { name: 'weights', access: 'read_write' }, // [(row0 + rows) * k] f32
  ],
  params: [
    ['rows', 'u32'],
    ['experts', 'u32'], // 1 .. MOE_ROUTE_MAX_EXPERTS
    ['k', 'u32'], // slots a row: the larger of the two below
    ['stride', 'u32'],
    ['row0', 'u32'],
    ['k_text', 'u32'],
    ['k_picture', 'u32'],
    ['mark0', 'u32'], // the mark of row 0
  ],
  host: ['pairs'], // slots that are filled
  variants: [
    { name: 'tiled', wgsl: [two_ks, order_key, row_order, tiled], grid: (p) => [p.rows, 1, 1] },
    { name: 'lanes', wgsl: [two_ks, order_key, lanes], grid: (p) => [ceil_div(p.rows, 8), 1, 1] },
  ],
  flops: (p) => ({ useful: 0, other: 3 * p.rows * p.experts + p.pairs }),
  bytes: (p) => ({ weights: 0, read: 4 * p.rows * (p.experts + 1), written: 8 * p.pairs, kv: 0 }),
});
