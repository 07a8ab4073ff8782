import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { moe_combine } from '../../kernels/moe_combine/moe_combine.ts';
import { round_up } from '../../kernels/spec.ts';
import { moe_combine as reference } from '../reference/moe_combine.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

async function check(e: Executor, rows: number, k: number, cols: number) {
  const [x_row0, slot0] = [2, 3];
  const y_stride = round_up(cols, 8);
  const x_stride = y_stride + 8;
  const y = noise(rows * k * y_stride, 1);
  const weights = noise(slot0 + rows * k, 2);
  const before = noise((x_row0 + rows + 1) * x_stride, 3);
  const x = upload(e, before);
  e.dispatch(
    moe_combine,
    { y: upload(e, y), weights: upload(e, weights), x },
    { rows, k, cols, y_stride, x_stride, x_row0, slot0, pairs: rows * k },
    {},
    TAG,
  );
  const got = await download_f32(e, x, before.length);
  // Whole strides are compared: columns behind cols and rows around keep what was there.
  const wide = (row: number, j: number) => (j < cols ? (y[row * y_stride + j] as number) : 0);
  const part = reference(
    Float64Array.from({ length: rows * k * x_stride }, (_, i) => wide(Math.floor(i / x_stride), i % x_stride)),
    weights.subarray(slot0),
    before.subarray(x_row0 * x_stride, (x_row0 + rows) * x_stride),
    { rows, k, cols: x_stride },
  );
  const want = Float64Array.from(before);
  want.set(part, x_row0 * x_stride);
  expect(largest_difference(got, want)).toBeLessThan(4e-6);
}

describe('moe_combine', async () => {
  const e = await test_executor();
  for (const [rows, k, cols] of [
    [1, 1, 4],
    [1, 8, 2048],
    [17, 3, 20],
    [130, 8, 332],
    [3, 64, 64],
  ] as const) {
    it(`${rows} rows, ${k} choices, ${cols} columns`, () => check(e, rows, k, cols));
  }
  const release = await test_executor('auto', { mode: 'release' });
  it('is right without bounds checks', () => check(release, 17, 5, 300));
});
