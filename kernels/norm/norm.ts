import { kernel, type Params, type Variant } from '../spec.ts';
import layer_norm_body from './layer_norm.wgsl';
import rms_norm_body from './rms_norm.wgsl';
import row_lanes from './row_lanes.wgsl';
import row_sums from './row_sums.wgsl';
import row_tiled from './row_tiled.wgsl';

/** The two variants of a kernel that gives a workgroup to each row; `body` is written over THREADS, row_sum4 and row_max. */
export function row_variants<P extends string>(
  body: readonly string[],
  rows: (p: Params<P>) => number,
): readonly Variant<P>[] {
  const grid: Variant<P>['grid'] = (p) => [rows(p), 1, 1];
  return [
    { name: 'tiled', wgsl: [row_sums, row_tiled, ...body], grid },
    {
      name: 'lanes',
      wgsl: [row_lanes, ...body],
      subgroups: true,
      least_subgroup: 4,
      consts: (_, traits) => ({ LANES: traits.subgroup_size }),
      grid,
    },
  ];
}

/** cols and strides are multiples of 4; columns of y from cols on are left as they are. */
const NORM_PARAMS = [
  ['rows', 'u32'],
  ['cols', 'u32'],
  ['x_stride', 'u32'],
  ['y_stride', 'u32'],
  ['x_row0', 'u32'], // first row read in x
  ['y_row0', 'u32'], // first row written in y
  ['eps', 'f32'],
] as const;

type NormParam = (typeof NORM_PARAMS)[number][0];

/** y = x * rsqrt(mean(x^2) + eps) * weight, row by row. */
export const rms_norm = kernel<NormParam>({
  name: 'rms_norm',
  bindings: [
    { name: 'x', access: 'read' }, // [rows, x_stride] f32
    { name: 'weight', access: 'read' }, // [cols] f32
    { name: 'y', access: 'read_write' }, // [rows, y_stride] f32
  ],
  params: NORM_PARAMS,
  variants: row_variants<'rows'>([rms_norm_body], (p) => p.rows),
  flops: (p) => ({ useful: 0, other: p.rows * (4 * p.cols + 3) }),
  bytes: (p) => ({ weights: 4 * p.cols, read: 4 * p.rows * p.cols, written: 4 * p.rows * p.cols, kv: 0 }),
});

/** y = (x - mean) * rsqrt(variance + eps) * weight + bias, row by row; the variance is the population's. */
export const layer_norm = kernel<NormParam>({
  name: 'layer_norm',
  bindings: [
    { name: 'x', access: 'read' }, // [rows, x_stride] f32
    { name: 'weight', access: 'read' }, // [cols] f32
    { name: 'bias', access: 'read' }, // [cols] f32
    { name: 'y', access: 'read_write' }, // [rows, y_stride] f32
  ],
  params: NORM_PARAMS,
  variants: row_variants<'rows'>([layer_norm_body], (p) => p.rows),
  flops: (p) => ({ useful: 0, other: p.rows * (8 * p.cols + 4) }),
  bytes: (p) => ({ weights: 8 * p.cols, read: 4 * p.rows * p.cols, written: 4 * p.rows * p.cols, kv: 0 }),
});
