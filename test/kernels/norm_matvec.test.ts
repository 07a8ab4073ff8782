import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { EPILOGUE } from '../../kernels/matmul/matmul.ts';
import { norm_matvec } from '../../kernels/norm_matvec/norm_matvec.ts';
import { FORMATS, round_up, type WeightFormat } from '../../kernels/spec.ts';
import { matmul } from '../reference/matmul.ts';
import { rms_norm } from '../reference/norm.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';
import { ALL_FORMATS, k_for, stored, upload_packed } from '../support/weights.ts';

const SHAPES = [
  [1, 4, 1],
  [2, 36, 331],
  [4, 132, 24],
  [3, 2048, 40],
] as const;

/** Rows of x differ in size by far more than a norm lets through; bias and what was there come behind the norm. */
async function check(e: Executor, rows: number, wanted_k: number, cols: number, format: WeightFormat) {
  const k = k_for(format, wanted_k);
  const [a_row0, eps] = [1, 1e-5];
  const [a_stride, c_stride] = [k + 4, round_up(cols, 8)];
  const a = noise((a_row0 + rows) * a_stride, 1).map((x, i) => x * 10 ** (Math.floor(i / a_stride) - 2));
  const norm = noise(k, 5);
  const w = stored(noise(k * cols, 2), k, cols, format);
  const bias = noise(c_stride, 3);
  const before = noise(rows * c_stride, 4);
  const c = upload(e, before);
  e.dispatch(
    norm_matvec,
    { a: upload(e, a), norm: upload(e, norm), weights: upload_packed(e, w, k, cols, format), bias: upload(e, bias), c },
    {
      ...{ rows, k, cols, true_cols: cols, a_stride, c_stride, col0: 0, a_row0, c_row0: 0, eps },
      epilogue: EPILOGUE.bias | EPILOGUE.accumulate,
    },
    { WEIGHT_FORMAT: FORMATS[format] },
    TAG,
  );
  const got = await download_f32(e, c, before.length);
  const sizes = { rows, cols: k, x_stride: a_stride, y_stride: k, x_row0: a_row0, y_row0: 0, eps };
  const product = matmul(rms_norm(a, norm, new Float32Array(rows * k), sizes), w, { rows, k, cols, bias });
  const want = Float64Array.from(got); // padding up to eights may hold anything
  product.forEach((x, i) => {
    const at = Math.floor(i / cols) * c_stride + (i % cols);
    want[at] = x + (before[at] as number);
  });
  expect(largest_difference(got, want)).toBeLessThan(Math.max(1e-5, k * 2 ** -24)); // rounding of a sum of k
}

for (const variant of ['tiled', 'lanes', 'lanes_touch'] as const) {
  describe(`norm_matvec ${variant}`, async () => {
    const e = await test_executor(variant);
    for (const format of ALL_FORMATS) {
      for (const [rows, k, cols] of SHAPES) {
        it(`${rows}x${k}x${cols} ${format}`, () => check(e, rows, k, cols, format));
      }
    }
    const release = await test_executor(variant, { mode: 'release' });
    it('is right without bounds checks', () => check(release, 3, 52, 331, 'bf16'));
  });
}
