import { ceil_div, kernel } from '../spec.ts';
import tap_windows_simple from './tap_windows.wgsl';
import window_mean_simple from './window_mean.wgsl';

/**
 * One tapped ViT layer of a batch of crops, laid out as 2x2 windows: columns col0 .. col0+emb of `windows`. The class
 * token is dropped, a padding crop's features become 0, and padded patches get their pad embedding.
 */
export const tap_windows = kernel({
  name: 'tap_windows',
  bindings: [
    { name: 'x', access: 'read' }, // [crops of this batch * (grid_side^2 + 1), x_stride] f32
    { name: 'masks', access: 'read' }, // [all crops * grid_side^2] f32, row-major patches
    { name: 'keep', access: 'read' }, // [all crops] f32: 0 for a padding crop, else 1
    { name: 'pad_embed', access: 'read' }, // [2, pad_cols] f32: row 0 for mask == 0, row 1 for other masks < 1
    { name: 'windows', access: 'read_write' }, // [all crops * cells * 4, w_stride] f32; places (0,0) (0,1) (1,0) (1,1)
  ],
  /** emb, col0, pad_cols and strides are multiples of 4; grid_side is even; crop0 is the batch's first crop. */
  params: [
    ['crops', 'u32'],
    ['emb', 'u32'],
    ['x_stride', 'u32'],
    ['w_stride', 'u32'],
    ['col0', 'u32'],
    ['pad_cols', 'u32'],
    ['grid_side', 'u32'],
    ['crop0', 'u32'],
  ],
  variants: [
    {
      name: 'simple',
      wgsl: [tap_windows_simple],
      grid: (p) => [ceil_div(p.emb, 4 * 64), p.grid_side ** 2, p.crops],
    },
  ],
  flops: (p) => ({ useful: 0, other: 2 * p.crops * p.grid_side ** 2 * p.emb }),
  bytes: (p) => ({
    weights: 8 * p.emb,
    read: 4 * p.crops * (p.grid_side ** 2 * (p.emb + 1) + 1),
    written: 4 * p.crops * p.grid_side ** 2 * p.emb,
    kv: 0,
  }),
});

/** Mean of each cell's four places: the query of attention pooling. */
export const window_mean = kernel({
  name: 'window_mean',
  bindings: [
    { name: 'windows', access: 'read' }, // [cells * 4, w_stride] f32
    { name: 'mean', access: 'read_write' }, // [cells, m_stride] f32
  ],
  /** cols and strides are multiples of 4. */
  params: [
    ['cells', 'u32'],
    ['cols', 'u32'],
    ['w_stride', 'u32'],
    ['m_stride', 'u32'],
  ],
  variants: [{ name: 'simple', wgsl: [window_mean_simple], grid: (p) => [ceil_div(p.cols, 4 * 64), p.cells, 1] }],
  flops: (p) => ({ useful: 0, other: 4 * p.cells * p.cols }),
  bytes: (p) => ({ weights: 0, read: 16 * p.cells * p.cols, written: 4 * p.cells * p.cols, kv: 0 }),
});
