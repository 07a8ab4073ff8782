import { few_rows_class, touching } from '../common/touching.ts';
import { weights } from '../common/weights.ts';
import input from '../matvec/input.wgsl';
import input4 from '../matvec/input4.wgsl';
import { LANES_COLS } from '../matvec/matvec.ts';
import { lanes_sum, slices_sum } from '../matvec/sums.ts';
import { bytes_per_weight, ceil_div, kernel } from '../spec.ts';
import down_lanes from './down_lanes.wgsl';
import down_tiled from './down_tiled.wgsl';
import gate_up_lanes from './gate_up_lanes.wgsl';
import gate_up_tiled from './gate_up_tiled.wgsl';

// The experts of a token or a few, straight from the router's choices: no sorting, no host. A weight slice holds experts
// expert0 .. expert0 + expert_count - 1 and serves the slots that chose one of them. Which slots those are is known only
// on the GPU, so costs are counted once for all slices: pairs_counted is rows * top_k on one slice's dispatch and 0 on
// the others'. Weight bytes are one matrix a pair, at most one an expert of the model: exact for one row, else the most
// that can be needed.

/** Column-eights a tiled workgroup owns; the other threads of its 256 split k. Few, so that one token fills a GPU. */
const EIGHTS = 4;

/**
 * h[slot] = silu(a * gate) * (a * up) for the slots of this slice; other slots stay as they are. Slots come first in the
 * grid: those of other slices leave at once, and a software adapter gives each thread one stretch of workgroups.
 */
export const expert_gate_up = kernel({
  name: 'expert_gate_up',
  bindings: [
    { name: 'a', access: 'read' }, // [a_row0 + rows, a_stride] f32
    { name: 'weights', access: 'read' }, // [expert_count, k, 2 * hidden padded to 8]: gate, then up
    { name: 'experts', access: 'read' }, // [rows * top_k] u32
    { name: 'h', access: 'read_write' }, // [rows * top_k, h_stride] f32
  ],
  params: [
    ['rows', 'u32'],
    ['top_k', 'u32'],
    ['k', 'u32'],
    ['hidden', 'u32'],
    ['a_stride', 'u32'],
    ['h_stride', 'u32'],
    ['expert0', 'u32'],
    ['expert_count', 'u32'],
    ['a_row0', 'u32'],
  ],
  host: ['pairs_counted', 'expert_count_total'],
  variants: [
    {
      name: 'tiled',
      wgsl: (o) => [weights(o), input4, slices_sum(o), gate_up_tiled],
      consts: () => ({ EIGHTS }),
      grid: (p) => [p.rows * p.top_k, ceil_div(p.hidden, 8 * EIGHTS), 1],
    },
    ...touching<'rows' | 'top_k' | 'hidden'>((name, consts) => ({
      ...{ name, consts },
      wgsl: (o) => [weights(o), input, lanes_sum(o), gate_up_lanes],
      grid: (p) => [p.rows * p.top_k, ceil_div(p.hidden, LANES_COLS), 1],
    })),
  ],
  shape_class: few_rows_class,
  flops: (p) => ({ useful: 2 * p.pairs_counted * p.k * 2 * p.hidden, other: 5 * p.pairs_counted * p.hidden }),
  bytes: (p, o) => ({
    weights:
      Math.min(p.pairs_counted, p.expert_count_total) * p.k * 2 * p.hidden * bytes_per_weight(Number(o.WEIGHT_FORMAT)),
    read: 4 * (p.pairs_counted / p.top_k) * (p.k + p.top_k),
    written: 4 * p.pairs_counted * p.hidden,
    kv: 0,
  }),
});

/** x[x_row0 + row] += sum over the row's slots of this slice of route_weights[slot] * (h[slot] * down). */
export const expert_down = kernel({
  name: 'expert_down',
  bindings: [
    { name: 'h', access: 'read' }, // [rows * top_k, h_stride] f32
    { name: 'weights', access: 'read' }, // [expert_count, hidden, cols padded to 8]
    { name: 'experts', access: 'read' }, // [rows * top_k] u32
    { name: 'route_weights', access: 'read' }, // [rows * top_k] f32
    { name: 'x', access: 'read_write' }, // [x_row0 + rows, x_stride] f32
  ],
  params: [
    ['rows', 'u32'],
    ['top_k', 'u32'],
    ['hidden', 'u32'],
    ['cols', 'u32'],
    ['h_stride', 'u32'],
    ['x_stride', 'u32'],
    ['expert0', 'u32'],
    ['expert_count', 'u32'],
    ['x_row0', 'u32'],
  ],
  host: ['pairs_counted', 'expert_count_total'],
  variants: [
    {
      name: 'tiled',
      wgsl: (o) => [weights(o), input4, slices_sum(o), down_tiled],
      consts: () => ({ EIGHTS }),
      grid: (p) => [ceil_div(p.cols, 8 * EIGHTS), p.rows, 1],
    },
    ...touching<'rows' | 'cols'>((name, consts) => ({
      ...{ name, consts },
      wgsl: (o) => [weights(o), input, lanes_sum(o), down_lanes],
      grid: (p) => [ceil_div(p.cols, LANES_COLS), p.rows, 1],
    })),
  ],
  shape_class: few_rows_class,
  flops: (p) => ({ useful: 2 * p.pairs_counted * p.hidden * p.cols, other: 2 * p.pairs_counted * p.cols }),
  bytes: (p, o) => ({
    weights:
      Math.min(p.pairs_counted, p.expert_count_total) * p.hidden * p.cols * bytes_per_weight(Number(o.WEIGHT_FORMAT)),
    read: 4 * p.pairs_counted * (p.hidden + 2) + 4 * (p.pairs_counted / p.top_k) * p.cols,
    written: 4 * (p.pairs_counted / p.top_k) * p.cols,
    kv: 0,
  }),
});
