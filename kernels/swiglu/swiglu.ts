import { ceil_div, kernel } from '../spec.ts';
import simple from './swiglu.wgsl';

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
