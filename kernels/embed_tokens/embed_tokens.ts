import { weights } from '../common/weights.ts';
import { bytes_per_weight, ceil_div, kernel } from '../spec.ts';
import simple from './embed_tokens.wgsl';

/**
 * x[x_row0 + r] = the embedding of ids[id_row0 + r], where this slice of the table holds it; other rows are left as
 * they are, so a table in several slices is read by one dispatch a slice. Which slice holds an id is known on the GPU
 * only: costs count rows_counted, which is all rows on one slice's dispatch and 0 on the others'.
 */
export const embed_tokens = kernel({
  name: 'embed_tokens',
  bindings: [
    { name: 'ids', access: 'read' }, // [id_row0 + rows] u32
    { name: 'weights', access: 'read' }, // [id_count, d padded to 8] in the storage format
    { name: 'x', access: 'read_write' }, // [x_row0 + rows, x_stride] f32
  ],
  /** The slice holds ids first_id .. first_id + id_count - 1; x_stride is at least d rounded up to 8. */
  params: [
    ['rows', 'u32'],
    ['d', 'u32'],
    ['x_stride', 'u32'],
    ['id_row0', 'u32'],
    ['first_id', 'u32'],
    ['id_count', 'u32'],
    ['x_row0', 'u32'],
  ],
  host: ['rows_counted'],
  moves: ['id_row0'],
  variants: [{ name: 'simple', wgsl: (o) => [weights(o), simple], grid: (p) => [ceil_div(p.d, 8 * 64), p.rows, 1] }],
  flops: () => ({ useful: 0, other: 0 }),
  bytes: (p, o) => ({
    weights: p.rows_counted * p.d * bytes_per_weight(Number(o.WEIGHT_FORMAT)),
    read: 4 * p.rows_counted,
    written: 4 * p.rows_counted * p.d,
    kv: 0,
  }),
});
