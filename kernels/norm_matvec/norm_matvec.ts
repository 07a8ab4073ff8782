import epilogue from '../common/epilogue.wgsl';
import { few_rows_class, touching } from '../common/touching.ts';
import { weights } from '../common/weights.ts';
import { LINEAR_BINDINGS, LINEAR_HOST, LINEAR_PARAMS, linear_bytes, linear_flops } from '../matmul/matmul.ts';
import { EIGHTS, LANES_COLS } from '../matvec/matvec.ts';
import { lanes_sum, slices_sum } from '../matvec/sums.ts';
import row_sums from '../norm/row_sums.wgsl';
import { ceil_div, kernel } from '../spec.ts';
import lanes from './norm_matvec_lanes.wgsl';
import tiled from './norm_matvec_tiled.wgsl';
import normed_input from './normed_input.wgsl';
import normed_input4 from './normed_input4.wgsl';

/** `matvec` of the row's RMS norm, one launch for both. Over several weight slices the norm is counted once, with the first. */
export const norm_matvec = kernel({
  name: 'norm_matvec',
  bindings: [
    ...LINEAR_BINDINGS, // a: not normalised yet
    { name: 'norm', access: 'read' }, // [k] f32
  ],
  params: [...LINEAR_PARAMS, ['eps', 'f32']],
  host: LINEAR_HOST,
  variants: [
    {
      name: 'tiled',
      wgsl: (o) => [weights(o), row_sums, normed_input4, slices_sum(o), epilogue, tiled],
      consts: () => ({ EIGHTS }),
      grid: (p) => [ceil_div(p.cols, 8 * EIGHTS), p.rows, 1],
    },
    ...touching<'rows' | 'cols'>((name, consts) => ({
      ...{ name, consts },
      wgsl: (o) => [weights(o), normed_input, lanes_sum(o), epilogue, lanes],
      grid: (p) => [ceil_div(p.cols, LANES_COLS), p.rows, 1],
    })),
  ],
  shape_class: few_rows_class,
  flops: (p) => {
    const { useful, other } = linear_flops(p);
    return { useful, other: other + (p.col0 === 0 ? p.rows * (4 * p.k + 3) : 0) };
  },
  bytes: (p, o) => {
    const moved = linear_bytes(p, o);
    return { ...moved, weights: moved.weights + (p.col0 === 0 ? 4 * p.k : 0) };
  },
});
