import { ceil_div, kernel } from '../spec.ts';
import simple from './add_features.wgsl';

/** x[index[c]] += features[c]: image features join the token embeddings; cells with a negative index have no token. */
export const add_features = kernel({
  name: 'add_features',
  bindings: [
    { name: 'features', access: 'read' }, // [cells, f_stride] f32
    { name: 'index', access: 'read' }, // [cells] i32, each row at most once; outside 0 .. rows-1 means unused
    { name: 'x', access: 'read_write' }, // [rows, x_stride] f32
  ],
  /** cols and strides are multiples of 4. */
  params: [
    ['cells', 'u32'],
    ['cols', 'u32'],
    ['f_stride', 'u32'],
    ['x_stride', 'u32'],
    ['rows', 'u32'],
  ],
  /** Each cell belongs to one chunk of rows, but which is known only there: all are counted with the first. */
  host: ['cells_counted'],
  variants: [{ name: 'simple', wgsl: [simple], grid: (p) => [ceil_div(p.cols, 4 * 64), p.cells, 1] }],
  flops: (p) => ({ useful: 0, other: p.cells_counted * p.cols }),
  bytes: (p) => ({
    weights: 0,
    read: p.cells_counted * (8 * p.cols + 4),
    written: 4 * p.cells_counted * p.cols,
    kv: 0,
  }),
});
