import { ceil_div, kernel } from '../spec.ts';
import combine from './moe_combine.wgsl';

/**
 * x[x_row0 + t] += sum over j of weights[slot0 + t * k + j] * y[t * k + j]. With the option MIXED a row's slots end at the
 * first negative weight.
 */
export const moe_combine = kernel({
  name: 'moe_combine',
  bindings: [
    { name: 'y', access: 'read' }, // [rows * k, y_stride] f32
    { name: 'weights', access: 'read' }, // [slot0 + rows * k] f32
    { name: 'x', access: 'read_write' }, // [x_row0 + rows, x_stride] f32
  ],
  params: [
    ['rows', 'u32'],
    ['k', 'u32'],
    ['cols', 'u32'],
    ['y_stride', 'u32'],
    ['x_stride', 'u32'],
    ['x_row0', 'u32'],
    ['slot0', 'u32'],
  ],
  host: ['pairs'], // slots that are not empty
  variants: [
    {
      name: 'simple',
      wgsl: [combine],
      consts: (o) => ({ MIXED: o.MIXED === true }),
      grid: (p) => [ceil_div(p.cols, 256), p.rows, 1],
    },
  ],
  flops: (p) => ({ useful: 0, other: 2 * p.pairs * p.cols }),
  bytes: (p) => ({
    weights: 0,
    read: 4 * (p.pairs * (p.cols + 1) + p.rows * p.cols),
    written: 4 * p.rows * p.cols,
    kv: 0,
  }),
});
