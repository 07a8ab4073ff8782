import { decode, encode } from '../engine/weights/half.ts';
import type { StoredDtype } from '../engine/weights/source.ts';
import { round_up } from '../kernels/spec.ts';
import { type Data, type Numbers, plain_weights, range } from '../test/reference/cases/case.ts';

/**
 * A prime, so that no row or column of a matrix repeats in step with it. Values have seven bits: every storage
 * format holds them exactly, and the reference needs no copy of what is too large to keep.
 */
const PERIOD = 65521;
const TABLES = new Map<string, Float32Array>();

/** Repeatable values in [-scale, scale); `scale` is a power of two. */
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

/** As the storage format holds them. */
function stored(table: Float32Array, count: number, dtype: StoredDtype): Data {
  if (dtype === 'F32') return cycled(table, new Float32Array(count));
  const bytes = new Uint8Array(2 * PERIOD);
  encode(table, dtype, bytes);
  if (decode(bytes, dtype).some((value, i) => value !== table[i])) throw new Error(`${dtype} rounds the pattern`);
  return cycled(new Uint16Array(bytes.buffer), new Uint16Array(count));
}

function cycled<T extends Float32Array | Uint16Array>(table: T, out: T): T {
  out.set(table.subarray(0, Math.min(PERIOD, out.length)) as Float32Array & Uint16Array);
  for (let filled = PERIOD; filled < out.length; filled *= 2) {
    out.copyWithin(filled, 0, Math.min(filled, out.length - filled));
  }
  return out;
}

/** At most `most` of the numbers 0 .. count - 1. */
export function spread(count: number, most: number): number[] {
  if (count <= most) return range(count);
  return Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1)));
}

/** Numbers of cases at a model's sizes: made by copying, looked at in places. */
export function pattern(): Numbers {
  let seed = 1;
  return {
    values: (count, scale = 1) => cycled(table_of(seed++, scale), new Float32Array(count)),
    weights: (rows, cols, format, parts = 1) => {
      if (format === 'q8' || format === 'q4') throw new Error(`no pattern is exact in ${format}`);
      const [table, wide] = [table_of(seed++, 1 / 32), round_up(cols, 8)];
      return {
        data: () => stored(table, rows * parts * wide, format.toUpperCase() as StoredDtype),
        at: (row, col, part) => table[((row * parts + part) * wide + col) % PERIOD] as number,
      };
    },
    given: (matrix, cols, format) => {
      if (format === 'q8' || format === 'q4') throw new Error(`benches have no weights in ${format}`);
      return plain_weights(matrix, cols, format);
    },
    some: spread,
  };
}
