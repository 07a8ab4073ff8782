import type { Stage } from '../../engine/gpu/executor.ts';
import { decode, encode } from '../../engine/weights/half.ts';
import type { StoredDtype } from '../../engine/weights/source.ts';
import type { Kernel, Options, Params, Traits, Variant } from '../../kernels/spec.ts';

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

/** What places of a buffer must hold after the launches, by the CPU reference; without `at` from its first value on. */
export interface Want {
  readonly buffer: string;
  readonly at?: readonly number[];
  readonly values: ArrayLike<number>;
}

/** One kernel on one shape of the model. Made anew for each variant, since tiles differ; large arrays only when asked for. */
export interface KernelCase {
  /** What is timed: of the launches those of this kernel. */
  readonly kernel: Kernel;
  readonly stage: Stage;
  readonly shape: string;
  readonly launches: readonly Launch[];
  readonly buffers: () => Readonly<Record<string, Data>>;
  readonly want: () => readonly Want[];
}

/** What shapes depend on besides the model. */
export interface Setting {
  readonly traits: Traits;
  readonly max_binding_bytes: number;
  readonly variant: Pick<Variant, 'name'>;
}

/**
 * A prime, so that no row or column of a matrix repeats in step with it. Values have seven bits: every storage
 * format holds them exactly, and the reference needs no copy of what is too large to keep.
 */
const PERIOD = 65521;

export interface Pattern {
  readonly at: (i: number) => number;
  readonly f32: (count: number, offset?: number) => Float32Array;
  /** As the storage format holds them. */
  readonly stored: (count: number, dtype: StoredDtype, offset?: number) => Data;
}

/** A case by the setting of its variant. Only the one that is running is held: some hold hundreds of megabytes. */
export type Maker = (setting: Setting) => KernelCase;

const TABLES = new Map<string, Float32Array>();

function table_of(seed: number, scale: number): Float32Array {
  const known = TABLES.get(`${seed} ${scale}`);
  if (known !== undefined) return known;
  let state = Math.imul(seed, 0x9e3779b9) >>> 0;
  const table = Float32Array.from({ length: PERIOD }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (((state >>> 24) - 128) / 128) * scale;
  });
  TABLES.set(`${seed} ${scale}`, table);
  return table;
}

/** Repeatable values in [-scale, scale); `scale` is a power of two. */
export function pattern(seed: number, scale = 1): Pattern {
  const table = table_of(seed, scale);
  return {
    at: (i) => table[i % PERIOD] as number,
    f32: (count, offset = 0) => cycled(table, new Float32Array(count), offset),
    stored: (count, dtype, offset = 0) => {
      if (dtype === 'F32') return cycled(table, new Float32Array(count), offset);
      const bytes = new Uint8Array(2 * PERIOD);
      encode(table, dtype, bytes);
      if (decode(bytes, dtype).some((value, i) => value !== table[i])) throw new Error(`${dtype} rounds the pattern`);
      return cycled(new Uint16Array(bytes.buffer), new Uint16Array(count), offset);
    },
  };
}

function cycled<T extends Float32Array | Uint16Array>(table: T, out: T, offset: number): T {
  const first = offset % PERIOD;
  const part = (from: number, to: number) => table.subarray(from, to) as Float32Array & Uint16Array;
  out.set(part(first, Math.min(PERIOD, first + out.length)));
  if (out.length > PERIOD - first) out.set(part(0, Math.min(first, out.length - PERIOD + first)), PERIOD - first);
  for (let filled = PERIOD; filled < out.length; filled *= 2) {
    out.copyWithin(filled, 0, Math.min(filled, out.length - filled));
  }
  return out;
}

/** At most `most` of the numbers 0 .. count - 1, the ends among them: the edges of tiles are where kernels go wrong. */
export function spread(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1)));
}

/** Values of some rows and columns of a pattern that is laid out with a stride, row after row. */
export function taken(
  from: Pattern,
  rows: readonly number[],
  cols: readonly number[],
  stride: number,
  offset = 0,
): Float32Array {
  const out = new Float32Array(rows.length * cols.length);
  rows.forEach((row, r) => {
    cols.forEach((col, c) => {
      out[r * cols.length + c] = from.at(offset + row * stride + col);
    });
  });
  return out;
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Places of those rows and columns in a buffer. */
export const places = (rows: readonly number[], cols: readonly number[], stride: number, col0 = 0): number[] =>
  rows.flatMap((row) => cols.map((col) => row * stride + col0 + col));
