import { f16round, setFloat16 } from '@petamoriken/float16';

const GROUP = 32;

export interface Quantised {
  /** Words of the lines of common/weights_q8.wgsl or weights_q4.wgsl, columns padded to eights by zeros. */
  readonly words: Uint32Array;
  /** [k][cols] as the kernels are to see it. */
  readonly values: Float32Array;
}

const scratch = new DataView(new ArrayBuffer(2));
export function f16_bits(x: number): number {
  setFloat16(scratch, 0, x, true);
  return scratch.getUint16(0, true);
}

/**
 * [k][cols], k a multiple of 32. Of 32 values of a column the one of largest magnitude is kept as f16 (q8: its magnitude),
 * and all of them as integers, -127 .. 127 in 127ths of it or -8 .. 7 in -8ths.
 */
export function quantise(matrix: ArrayLike<number>, k: number, cols: number, format: 'q8' | 'q4'): Quantised {
  const [bits, extreme, least, most] = format === 'q8' ? [8, 127, -127, 127] : [4, -8, -8, 7];
  const eights = Math.ceil(cols / 8);
  const scale_words = 4 * eights; // 8 columns x 16 bits
  const row_words = (bits / 4) * eights;
  const group_words = scale_words + GROUP * row_words;
  const words = new Uint32Array((k / GROUP) * group_words);
  const values = new Float32Array(k * cols);
  const or = (at: number, bits: number) => {
    words[at] = (words[at] as number) | bits;
  };
  for (let col = 0; col < cols; col++) {
    const [eight, column] = [Math.floor(col / 8), col % 8];
    for (let k0 = 0; k0 < k; k0 += GROUP) {
      const column_of = Array.from({ length: GROUP }, (_, i) => Math.fround(matrix[(k0 + i) * cols + col] as number));
      const largest = column_of.reduce((found, x) => (Math.abs(x) > Math.abs(found) ? x : found), 0);
      const kept = f16round(format === 'q8' ? Math.abs(largest) : largest);
      const steps = kept === 0 ? 0 : Math.fround(extreme / kept);
      const unit = Math.fround(kept * Math.fround(1 / extreme));
      const start = (k0 / GROUP) * group_words;
      // q4 has two lines of scales: columns 0-3 of all eights, then columns 4-7.
      const scale_at = format === 'q8' ? 4 * eight + (column >> 1) : 2 * eight + 2 * eights * (column >> 2);
      or(start + scale_at + (format === 'q8' ? 0 : (column % 4) >> 1), f16_bits(kept) << (16 * (column % 2)));
      column_of.forEach((x, i) => {
        const q = Math.min(most, Math.max(least, half_even(Math.fround(x * steps))));
        values[(k0 + i) * cols + col] = Math.fround(q * unit);
        const line = start + scale_words + 2 * row_words * (i >> 1);
        const row = (2 * row_words * eight) / eights + (row_words / eights) * (i % 2);
        or(line + row + ((bits * column) >> 5), (q & (2 ** bits - 1)) << ((bits * column) % 32));
      });
    }
  }
  return { words, values };
}

function half_even(x: number): number {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}
