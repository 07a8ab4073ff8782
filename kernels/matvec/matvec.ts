import epilogue from '../common/epilogue.wgsl';
import { touching } from '../common/touching.ts';
import { weights } from '../common/weights.ts';
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
import input from './input.wgsl';
import input4 from './input4.wgsl';
import lanes from './matvec_lanes.wgsl';
import tiled from './matvec_tiled.wgsl';
import { lanes_sum, slices_sum } from './sums.ts';

/** Column-eights a tiled workgroup owns; the other threads of its 256 split k. */
export const EIGHTS = 8;
/** Columns of a `lanes` workgroup: 8 lanes of 16, as in lanes_sum.wgsl. */
export const LANES_COLS = 128;

/** EIGHTS: column-eights that a workgroup owns; the other threads of its 256 split k. */
const tiled_variant = (name: Variant['name'], EIGHTS: number): Variant<LinearParam> => ({
  name,
  wgsl: (o) => [weights(o), input4, slices_sum(o), epilogue, tiled],
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
    ...touching<'rows' | 'cols'>((name, consts) => ({
      ...{ name, consts },
      wgsl: (o) => [weights(o), input, lanes_sum(o), epilogue, lanes],
      grid: (p) => [ceil_div(p.cols, LANES_COLS), p.rows, 1],
    })),
  ],
  shape_class: linear_class,
  flops: linear_flops,
  bytes: linear_bytes,
});
