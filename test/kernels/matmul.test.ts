import { describe, expect, it } from 'vitest';
import { EPILOGUE, matmul } from '../../kernels/matmul/matmul.ts';
import { FORMATS, round_up } from '../../kernels/spec.ts';
import { matmul as reference } from '../reference/matmul.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';
import { ALL_FORMATS, k_for, stored, upload_packed } from '../support/weights.ts';

const ACTIVATIONS = [EPILOGUE.none, EPILOGUE.quick_gelu, EPILOGUE.silu];
const SHAPES = [
  [1, 4, 1],
  [3, 20, 5],
  [23, 72, 331],
  [25, 588, 48],
  [65, 64, 130],
] as const;

for (const variant of ['tiled', 'tiled_32', 'tiled_128', 'tiled_packed', 'lanes', 'lanes_16', 'lanes_8'] as const) {
  describe(`matmul ${variant}`, async () => {
    const e = await test_executor(variant);
    for (const format of ALL_FORMATS) {
      for (const [rows, wanted_k, cols] of SHAPES) {
        const k = k_for(format, wanted_k);
        for (const activation of [0, 1, 2]) {
          it(`${rows}x${k}x${cols} ${format} activation ${activation}`, async () => {
            const wide = round_up(cols, 8);
            const a = noise(rows * k, 1);
            const w = stored(noise(k * cols, 2), k, cols, format);
            const bias = noise(wide, 3);
            const before = noise(rows * wide, 4);
            const c = upload(e, before);
            const accumulate = activation === 2;
            const epilogue =
              EPILOGUE.bias | (accumulate ? EPILOGUE.accumulate : 0) | (ACTIVATIONS[activation] as number);
            e.dispatch(
              matmul,
              { a: upload(e, a), weights: upload_packed(e, w, k, cols, format), bias: upload(e, bias), c },
              { rows, k, cols, true_cols: cols, a_stride: k, c_stride: wide, col0: 0, a_row0: 0, c_row0: 0, epilogue },
              { WEIGHT_FORMAT: FORMATS[format] },
              TAG,
            );
            const got = await download_f32(e, c, rows * wide);
            const add = accumulate ? pick(before, rows, wide, cols) : undefined;
            const want = reference(a, w, { rows, k, cols, bias, activation, add });
            expect(largest_difference(pick(got, rows, wide, cols), want)).toBeLessThan(5e-5);
          });
        }
      }
    }
  });
}

/** The true columns of rows that are padded to `wide`. */
function pick(x: Float32Array, rows: number, wide: number, cols: number): Float32Array {
  return Float32Array.from({ length: rows * cols }, (_, i) => x[Math.floor(i / cols) * wide + (i % cols)] as number);
}
