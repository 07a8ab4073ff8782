import { ceil_div, kernel } from '../spec.ts';
import simple from './swiglu.wgsl';
import mixed from './swiglu_mixed.wgsl';

/** h = silu(gate) * up. */
export const swiglu = kernel({
  name: 'swiglu',
  bindings: [
    { name: 'gate_up', access: 'read' }, // [rows, in_stride] f32: gate at column 0, up at column up_col0
    { name: 'h', access: 'read_write' }, // [rows, out_stride] f32
  ],
  /** up_col0 and strides are multiples of 4. Columns up to the next multiple of 4 are computed: zeros where the input's are. */
  params: [
    ['rows', 'u32'],
    ['hidden', 'u32'],
    ['in_stride', 'u32'],
    ['out_stride', 'u32'],
    ['up_col0', 'u32'],
  ],
  variants: [{ name: 'simple', wgsl: [simple], grid: (p) => [ceil_div(p.hidden, 4 * 64), p.rows, 1] }],
  flops: (p) => ({ useful: 0, other: 5 * p.rows * p.hidden }),
  bytes: (p) => ({ weights: 0, read: 8 * p.rows * p.hidden, written: 4 * p.rows * p.hidden, kv: 0 }),
});

/** The same for slots of which some have no expert (`moe_route_mixed`): rows of those are neither read nor written. */
export const swiglu_mixed = kernel({
  name: 'swiglu_mixed',
  bindings: [
    { name: 'gate_up', access: 'read' }, // [rows, in_stride] f32
    { name: 'experts', access: 'read' }, // [slot0 + rows] u32
    { name: 'h', access: 'read_write' }, // [rows, out_stride] f32
  ],
  params: [
    ['rows', 'u32'],
    ['hidden', 'u32'],
    ['in_stride', 'u32'],
    ['out_stride', 'u32'],
    ['up_col0', 'u32'],
    ['slot0', 'u32'],
  ],
  host: ['pairs'], // rows that have an expert
  variants: [{ name: 'simple', wgsl: [mixed], grid: (p) => [ceil_div(p.hidden, 4 * 64), p.rows, 1] }],
  flops: (p) => ({ useful: 0, other: 5 * p.pairs * p.hidden }),
  bytes: (p) => ({ weights: 0, read: 8 * p.pairs * p.hidden, written: 4 * p.pairs * p.hidden, kv: 0 }),
});
