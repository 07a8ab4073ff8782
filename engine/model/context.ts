import { EPILOGUE, matmul } from '../../kernels/matmul/matmul.ts';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { rms_norm } from '../../kernels/norm/norm.ts';
import { norm_matvec } from '../../kernels/norm_matvec/norm_matvec.ts';
import { FORMATS, round_up, row_stride, type WeightFormat } from '../../kernels/spec.ts';
import type { Buffer } from '../gpu/buffers.ts';
import type { Executor, Tag } from '../gpu/executor.ts';
import type { ModelConfig } from './config.ts';
import type { Matrix, ModelWeights } from './weight_layout.ts';

/**
 * Sees intermediate results: under the names of the reference data, and within a block as `vit.block`, `attn.qkv`, `attn.q`,
 * `attn.heads`, `attn.residual`, `moe.normed` and `moe.hidden`. A view is read at once: what follows writes over it.
 */
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
 * Hands the layers so far to the GPU, after every so many of them or when they are as much as one dispatch may be: long
 * queues hold back errors and aborts, and some drivers stop a queue that runs for seconds. A software adapter takes seconds
 * for a stage, and work handed over cannot be taken back: there each part is waited for.
 */
export async function submit_layers(
  ctx: Context,
  layer: number,
  every: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { device, recorded, finish, flush } = ctx.executor;
  const is_much = (most: number) => recorded().reduce((sum, { flops }) => sum + flops.useful, 0) > most;
  const due = layer % every === every - 1;
  if (!due && (device.most_dispatch_flops === undefined || !is_much(device.most_dispatch_flops))) return;
  signal?.throwIfAborted();
  await (device.traits.software ? finish() : flush());
}

/** An activation buffer of [rows, cols and some]. */
export function activation(ctx: Context, label: string, rows: number, cols: number): View {
  const stride = row_stride(cols);
  return { buffer: ctx.executor.buffers.create(label, 4 * rows * stride, 'activations'), rows, cols, stride };
}

/** Rows that one dispatch may take: as many as a binding holds of an activation this wide, and as the adapter's pace allows of this much work. */
export function rows_that_fit({ executor: { device } }: Context, cols: number, row_flops: number): number {
  const held = Math.floor(device.max_binding_bytes / (4 * row_stride(cols)));
  const done = Math.floor((device.most_dispatch_flops ?? Number.POSITIVE_INFINITY) / row_flops);
  return Math.max(1, Math.min(held, done));
}

/** Rows cut into parts of equal size, as few as may be: a small rest would run on kernels for few rows. */
export const even_part = (rows: number, most: number): number => Math.ceil(rows / Math.ceil(rows / most));

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

/** c = epilogue(a x matrix), slice by slice, and in parts where all rows at once would take too long. Rows may be a range of either side. */
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
    const option = weight_option(matrix);
    const few = rows <= FEW_ROWS;
    const part = few ? rows : even_part(rows, rows_that_fit(ctx, slice.cols, 2 * matrix.k * slice.cols));
    for (let row0 = 0; row0 < rows; row0 += part) {
      const sizes = {
        ...{ rows: Math.min(part, rows - row0), k: matrix.k, cols: slice.cols, true_cols: slice.true_cols },
        ...{ a_stride: a.stride, c_stride: c.stride, col0: slice.col0, epilogue: bias | epilogue },
        ...{ a_row0: a_row0 + row0, c_row0: c_row0 + row0 },
      };
      if (norm !== undefined) {
        const eps = ctx.config.norm_eps;
        ctx.executor.dispatch(norm_matvec, { ...buffers, norm }, { ...sizes, eps }, option, tag);
      } else ctx.executor.dispatch(few ? matvec : matmul, buffers, sizes, option, tag);
    }
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
