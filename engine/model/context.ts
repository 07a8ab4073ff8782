import { EPILOGUE, matmul } from '../../kernels/matmul/matmul.ts';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { rms_norm } from '../../kernels/norm/norm.ts';
import { norm_matvec } from '../../kernels/norm_matvec/norm_matvec.ts';
import { FORMATS, round_up, row_stride, type WeightFormat } from '../../kernels/spec.ts';
import type { Buffer } from '../gpu/buffers.ts';
import type { Executor, Tag } from '../gpu/executor.ts';
import type { ModelConfig } from './config.ts';
import type { Matrix, ModelWeights } from './weight_layout.ts';

/** Sees intermediate results by the names of the reference data; only `verify` and tests ask for it. */
export type Probe = (point: string, layer: number, x: View) => Promise<void>;

/** Rows of f32 in a buffer. */
export interface View {
  readonly buffer: Buffer;
  readonly rows: number;
  readonly cols: number;
  readonly stride: number;
}

/** What every stage of the model works with. */
export interface Context {
  readonly executor: Executor;
  readonly config: ModelConfig;
  readonly weights: ModelWeights;
  readonly probe?: Probe;
}

/** Up to this many rows a product reads its weights once a row: a matrix-vector kernel a row. */
export const FEW_ROWS = 4;

export const padded = (cols: number): number => round_up(cols, 8);

export const weight_option = (matrix: { readonly format: WeightFormat }) => ({ WEIGHT_FORMAT: FORMATS[matrix.format] });

/**
 * Hands a part of a stage to the GPU. A software adapter takes seconds for a stage, and work handed over cannot be taken
 * back: there each part is waited for, so that an abort need not wait for the whole.
 */
export async function submit_part(ctx: Context, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await (ctx.executor.device.traits.software ? ctx.executor.finish() : ctx.executor.flush());
}

/** An activation buffer of [rows, cols and some]. */
export function activation(ctx: Context, label: string, rows: number, cols: number): View {
  const stride = row_stride(cols);
  return { buffer: ctx.executor.buffers.create(label, 4 * rows * stride, 'activations'), rows, cols, stride };
}

/** Rows of an activation this wide that one binding holds. */
export const rows_that_fit = (ctx: Context, cols: number): number =>
  Math.max(1, Math.floor(ctx.executor.device.max_binding_bytes / (4 * row_stride(cols))));

export function release(ctx: Context, ...views: readonly View[]): void {
  ctx.executor.buffers.destroy(...views.map((view) => view.buffer));
}

interface LinearOptions {
  readonly epilogue?: number;
  readonly rows?: number;
  readonly a_row0?: number;
  readonly c_row0?: number;
  /** RMS norm of `a` on the way, few rows only. */
  readonly norm?: Buffer;
}

/** c = epilogue(a x matrix), slice by slice. Rows may be a range of either side. */
export function linear(
  ctx: Context,
  a: View,
  matrix: Matrix,
  c: View,
  tag: Tag,
  { epilogue = 0, rows = a.rows, a_row0 = 0, c_row0 = 0, norm }: LinearOptions = {},
): void {
  const bias = matrix.bias === undefined ? 0 : EPILOGUE.bias;
  for (const slice of matrix.slices) {
    const buffers = { a: a.buffer, weights: slice.buffer, bias: matrix.bias, c: c.buffer };
    const sizes = {
      ...{ rows, k: matrix.k, cols: slice.cols, true_cols: slice.true_cols, a_stride: a.stride, c_stride: c.stride },
      ...{ col0: slice.col0, a_row0, c_row0, epilogue: bias | epilogue },
    };
    const option = weight_option(matrix);
    if (norm !== undefined) {
      const eps = ctx.config.norm_eps;
      ctx.executor.dispatch(norm_matvec, { ...buffers, norm }, { ...sizes, eps }, option, tag);
    } else ctx.executor.dispatch(rows <= FEW_ROWS ? matvec : matmul, buffers, sizes, option, tag);
  }
}

/** c = norm(x) x matrix, in one launch for few rows; else by way of `scratch`. */
export function norm_linear(
  ctx: Context,
  x: View,
  weight: Buffer,
  scratch: View,
  matrix: Matrix,
  c: View,
  tag: Tag,
  { rows, x_row0 = 0 }: { readonly rows: number; readonly x_row0?: number },
): void {
  if (rows <= FEW_ROWS) {
    linear(ctx, x, matrix, c, tag, { rows, a_row0: x_row0, norm: weight });
    return;
  }
  norm(ctx, x, weight, scratch, rows, x_row0, { ...tag, component: 'norm' });
  linear(ctx, scratch, matrix, c, tag, { rows });
}

/** RMS norm of rows x_row0 .. of x. */
export function norm(ctx: Context, x: View, weight: Buffer, y: View, rows: number, x_row0: number, tag: Tag): void {
  ctx.executor.dispatch(
    rms_norm,
    { x: x.buffer, weight, y: y.buffer },
    { rows, cols: x.cols, x_stride: x.stride, y_stride: y.stride, x_row0, y_row0: 0, eps: ctx.config.norm_eps },
    {},
    tag,
  );
}
