import { f16round } from '@petamoriken/float16';
import type { Buffer } from '../../engine/gpu/buffers.ts';
import type { Executor } from '../../engine/gpu/executor.ts';
import { in_strips } from '../../kernels/common/strips.ts';
import { FORMATS, is_quantised, matrix_lines, QUANT_GROUP, round_up, type WeightFormat } from '../../kernels/spec.ts';
import type { PlainFormat } from '../reference/cases/case.ts';
import { f16_bits, quantise } from '../reference/quantise.ts';
import { upload } from './gpu.ts';

const bf16_bits = (x: number): number => {
  const u = new Uint32Array(new Float32Array([x]).buffer)[0] as number;
  return ((u + 0x7fff + ((u >>> 16) & 1)) >>> 16) & 0xffff;
};

/** A matrix [k][cols] as a storage format holds it. */
export function stored(matrix: Float32Array, k: number, cols: number, format: WeightFormat): Float32Array {
  if (format === 'q8' || format === 'q4') return quantise(matrix, k, cols, format).values;
  return matrix.map((x) => stored_value(x, format));
}

function stored_value(x: number, format: PlainFormat): number {
  if (format === 'f32') return Math.fround(x);
  if (format === 'f16') return f16round(x);
  return new Float32Array(new Uint32Array([bf16_bits(x) << 16]).buffer)[0] as number;
}

/** A matrix [k][cols] as the engine stores it: columns padded to eights with zeros, in strips, in the storage format. */
export function packed_words(matrix: ArrayLike<number>, k: number, cols: number, format: WeightFormat): Uint32Array {
  return in_strips(packed_rows(matrix, k, cols, format), matrix_lines(FORMATS[format], k), Math.ceil(cols / 8));
}

/** A table [rows][cols]: the same, row after row. */
export function packed_rows(matrix: ArrayLike<number>, k: number, cols: number, format: WeightFormat): Uint32Array {
  if (format === 'q8' || format === 'q4') return quantise(matrix, k, cols, format).words;
  const wide = round_up(cols, 8);
  if (format === 'f32') {
    const out = new Float32Array(k * wide);
    for (let i = 0; i < k; i++) for (let j = 0; j < cols; j++) out[i * wide + j] = matrix[i * cols + j] as number;
    return new Uint32Array(out.buffer);
  }
  const halves = new Uint16Array(k * wide);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < cols; j++) {
      const x = matrix[i * cols + j] as number;
      halves[i * wide + j] = format === 'bf16' ? bf16_bits(x) : f16_bits(x);
    }
  }
  return new Uint32Array(halves.buffer);
}

export function upload_packed(
  e: Executor,
  matrix: ArrayLike<number>,
  k: number,
  cols: number,
  format: WeightFormat,
): Buffer {
  return upload(e, packed_words(matrix, k, cols, format), `weights ${format}`);
}

export const ALL_FORMATS = Object.keys(FORMATS) as WeightFormat[];

/** Formats that keep every value by itself, in matrices and tables of any size. */
export const PLAIN_FORMATS = ALL_FORMATS.filter((format): format is PlainFormat => format !== 'q8' && format !== 'q4');

/** k, or for quantised formats the next size that has whole groups. */
export const k_for = (format: WeightFormat, k: number): number =>
  is_quantised(FORMATS[format]) ? round_up(k, QUANT_GROUP) : k;
