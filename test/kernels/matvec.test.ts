import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { EPILOGUE } from '../../kernels/matmul/matmul.ts';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { FORMATS, round_up, type WeightFormat } from '../../kernels/spec.ts';
import { matmul as reference } from '../reference/matmul.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';
import { ALL_FORMATS, k_for, stored, upload_packed } from '../support/weights.ts';

const SHAPES = [
  [1, 4, 1],
  [1, 20, 5],
  [2, 36, 331],
  [4, 132, 24],
  [1, 32, 130],
  [3, 260, 40],
] as const;

/** Rows and columns around the product keep what was there; a and c do not begin at their first row or column. */
async function check(e: Executor, rows: number, wanted_k: number, cols: number, format: WeightFormat) {
  const k = k_for(format, wanted_k);
  const [a_row0, c_row0, col0] = [2, 1, 8];
  const wide = round_up(cols, 8);
  const [a_stride, c_stride] = [k + 4, col0 + wide + 8];
  const a = noise((a_row0 + rows) * a_stride, 1);
  const w = stored(noise(k * cols, 2), k, cols, format);
  const bias = noise(col0 + wide, 3);
  const before = noise((c_row0 + rows + 1) * c_stride, 4);
  const inputs = { a: upload(e, a), weights: upload_packed(e, w, k, cols, format), bias: upload(e, bias) };
  const x = Float32Array.from({ length: rows * k }, (_, i) => {
    return a[(a_row0 + Math.floor(i / k)) * a_stride + (i % k)] as number;
  });
  for (const activation of [0, 1, 2]) {
    const accumulate = activation === 2;
    const epilogue =
      EPILOGUE.bias |
      (accumulate ? EPILOGUE.accumulate : 0) |
      ([0, EPILOGUE.quick_gelu, EPILOGUE.silu][activation] as number);
    const c = upload(e, before);
    const params = { rows, k, cols, true_cols: cols, a_stride, c_stride, col0, a_row0, c_row0, epilogue };
    e.dispatch(matvec, { ...inputs, c }, params, { WEIGHT_FORMAT: FORMATS[format] }, TAG);
    const got = await download_f32(e, c, before.length);

    const product = reference(x, w, { rows, k, cols, bias: bias.subarray(col0), activation });
    const want = Float64Array.from(before);
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < wide; j++) {
        const at = (c_row0 + r) * c_stride + col0 + j;
        if (j >= cols)
          want[at] = got[at] as number; // padding up to eights may hold anything
        else want[at] = (product[r * cols + j] as number) + (accumulate ? (before[at] as number) : 0);
      }
    }
    expect(largest_difference(got, want)).toBeLessThan(1e-5);
  }
}

for (const variant of ['tiled', 'tiled_4', 'tiled_16', 'lanes', 'lanes_touch'] as const) {
  describe(`matvec ${variant}`, async () => {
    const e = await test_executor(variant);
    for (const format of ALL_FORMATS) {
      for (const [rows, k, cols] of SHAPES) {
        it(`${rows}x${k}x${cols} ${format}`, () => check(e, rows, k, cols, format));
      }
    }
    const release = await test_executor(variant, { mode: 'release' });
    for (const format of ['bf16', 'q8', 'q4'] as const) {
      it(`is right without bounds checks in ${format}`, () => check(release, 3, 52, 331, format));
    }
  });
}
