import { decode, encode } from '../../../engine/weights/half.ts';
import type { StoredDtype } from '../../../engine/weights/source.ts';
import {
  bytes_per_weight,
  FORMATS,
  type Kernel,
  type Options,
  type Params,
  round_up,
  type WeightFormat,
} from '../../../kernels/spec.ts';

export type Data = Float32Array | Uint32Array | Uint16Array | Int32Array;

export interface Launch {
  readonly kernel: Kernel;
  readonly params: Params;
  readonly options: Options;
  /** Bindings that take a buffer of another name. */
  readonly bind: Readonly<Record<string, string>>;
}

export function launch<P extends string>(
  kernel: Kernel<P>,
  params: Params<P>,
  options: Options = {},
  bind: Launch['bind'] = {},
): Launch {
  return { kernel: kernel as Kernel, params, options, bind };
}

/** What a buffer must hold after the launches: at these places, or without them from end to end. NaN: any value is right. */
export interface Want {
  readonly buffer: string;
  readonly at?: readonly number[];
  readonly values: ArrayLike<number>;
}

/** A kernel on one shape: what tests try by the hundred and benches time. */
export interface KernelCase {
  /** Of the launches those of this kernel are what it is about; others make ready or finish. */
  readonly kernel: Kernel;
  readonly launches: readonly Launch[];
  /** Makes the numbers, which can be hundreds of megabytes; what they come to only when asked for. Once a case. */
  readonly open: () => { readonly buffers: Readonly<Record<string, Data>>; readonly want: () => readonly Want[] };
}

/** [rows][parts * wide], each part's columns padded to eights. */
export interface Weights {
  /** As the storage format holds them. */
  readonly data: () => Data;
  readonly at: (row: number, col: number, part: number) => number;
}

/** Where the numbers of a case come from, and how many of its results are looked at. */
export interface Numbers {
  /** In [-scale, scale). */
  readonly values: (count: number, scale?: number) => Float32Array;
  readonly weights: (rows: number, cols: number, format: WeightFormat, parts?: number) => Weights;
  /** The same of a matrix [rows][cols] that is given. */
  readonly given: (matrix: Float32Array, cols: number, format: WeightFormat) => Weights;
  /** All of 0 .. count - 1, or some of them, the ends among them: the edges of tiles are where kernels go wrong. */
  readonly some: (count: number, most: number) => number[];
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Rows of a matrix inside a buffer. */
export interface Frame {
  readonly rows: number;
  readonly cols: number;
  readonly stride: number;
  readonly row0?: number;
  readonly col0?: number;
}

export const place = ({ stride, row0 = 0, col0 = 0 }: Frame, row: number, col: number): number =>
  (row0 + row) * stride + col0 + col;

export const frame_length = ({ rows, stride, row0 = 0 }: Frame): number => (row0 + rows) * stride;

/** Puts the frame's rows into a buffer of NaN, so that reading around them shows. */
export function framed(
  values: Float32Array,
  frame: Frame,
  out: Float32Array = new Float32Array(frame_length(frame)).fill(Number.NaN),
): Float32Array {
  const { rows, cols } = frame;
  for (let row = 0; row < rows; row++) out.set(values.subarray(row * cols, (row + 1) * cols), place(frame, row, 0));
  return out;
}

/** The buffer with other values in the frame. */
export function replaced(
  before: ArrayLike<number>,
  values: ArrayLike<number> | number,
  frame: Frame,
): Float64Array<ArrayBuffer> {
  const out = Float64Array.from(before);
  for (let i = 0; i < frame.rows * frame.cols; i++) {
    const at = place(frame, Math.floor(i / frame.cols), i % frame.cols);
    out[at] = typeof values === 'number' ? values : (values[i] as number);
  }
  return out;
}

export interface Picked {
  readonly rows: readonly number[];
  readonly cols: readonly number[];
}

/** The whole buffer with `values` in the frame and `padding` right of it; of a large frame only what is picked. */
export function wanted(
  buffer: string,
  before: ArrayLike<number>,
  frame: Frame,
  { rows, cols }: Picked,
  values: ArrayLike<number>,
  padding?: { readonly cols: number; readonly value: number },
): Want {
  if (rows.length < frame.rows || cols.length < frame.cols) {
    return { buffer, at: rows.flatMap((row) => cols.map((col) => place(frame, row, col))), values };
  }
  const around = padding ? replaced(before, padding.value, { ...frame, cols: padding.cols }) : before;
  return { buffer, values: replaced(around, values, frame) };
}

/** Some rows of a matrix, each `width` long. */
export function rows_of(matrix: Float32Array, rows: readonly number[], width: number): Float32Array {
  const out = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) out.set(matrix.subarray(row * width, (row + 1) * width), i * width);
  return out;
}

/** Some columns of `count` rows of weights: [count][cols]. */
export function gathered(from: Weights, row0: number, count: number, cols: readonly number[], part = 0): Float32Array {
  const out = new Float32Array(count * cols.length);
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < cols.length; i++) out[row * cols.length + i] = from.at(row0 + row, cols[i] as number, part);
  }
  return out;
}

export type PlainFormat = Exclude<WeightFormat, 'q8' | 'q4'>;

/** [rows][cols] with columns padded to eights by zeros, in a format that keeps every value by itself. */
export function packed(matrix: Float32Array, cols: number, format: PlainFormat): Uint32Array {
  const [rows, stride] = [matrix.length / cols, round_up(cols, 8)];
  const padded = framed(matrix, { rows, cols, stride }, new Float32Array(rows * stride));
  const bytes = new Uint8Array(padded.length * bytes_per_weight(FORMATS[format]));
  encode(padded, format.toUpperCase() as StoredDtype, bytes);
  return new Uint32Array(bytes.buffer);
}

/** A matrix [rows][cols] in such a format. */
export function plain_weights(matrix: Float32Array, cols: number, format: PlainFormat): Weights {
  const words = packed(matrix, cols, format);
  const values = decode(new Uint8Array(words.buffer), format.toUpperCase() as StoredDtype);
  return { data: () => words, at: (row, col) => values[row * round_up(cols, 8) + col] as number };
}
