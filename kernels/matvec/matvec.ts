import epilogue from '../common/epilogue.wgsl';
import weights from '../common/weights.wgsl';
import {
  LINEAR_BINDINGS,
  LINEAR_HOST,
  LINEAR_PARAMS,
  type LinearParam,
  linear_bytes,
  linear_class,
  linear_flops,
} from '../matmul/matmul.ts';
import { ceil_div, kernel, type Variant } from '../spec.ts';
import lanes_sum from './lanes_sum.wgsl';
import lanes from './matvec_lanes.wgsl';
import tiled from './matvec_tiled.wgsl';
import slices_sum from './slices_sum.wgsl';

/** Columns of a `lanes` workgroup: 8 lanes of 16, as in lanes_sum.wgsl. */
export const LANES_COLS = 128;

/** EIGHTS: column-eights that a workgroup owns; the other threads of its 256 split k. */
const tiled_variant = (name: Variant['name'], EIGHTS: number): Variant<LinearParam> => ({
  name,
  wgsl: [weights, slices_sum, epilogue, tiled],
  consts: () => ({ EIGHTS }),
  grid: (p) => [ceil_div(p.cols, 8 * EIGHTS), p.rows, 1],
});

/** What `matmul` does, for the few rows of a decode step: every weight is read once a row, nothing is shared by rows. */
export const matvec = kernel({
  name: 'matvec',
  bindings: LINEAR_BINDINGS,
  params: LINEAR_PARAMS,
  host: LINEAR_HOST,
  variants: [
    tiled_variant('tiled', 8),
    tiled_variant('tiled_4', 4),
    tiled_variant('tiled_16', 16),
    {
      name: 'lanes',
      wgsl: [weights, lanes_sum, epilogue, lanes],
      grid: (p) => [ceil_div(p.cols, LANES_COLS), p.rows, 1],
    },
  ],
  shape_class: linear_class,
  flops: linear_flops,
  bytes: linear_bytes,
});
