import { describe, expect, it } from 'vitest';
import { add_features } from '../../kernels/add_features/add_features.ts';
import { round_up } from '../../kernels/spec.ts';
import { add_features as reference } from '../reference/add_features.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

for (const mode of ['validated', 'release'] as const) {
  describe(`add_features ${mode}`, async () => {
    const e = await test_executor('auto', { mode });
    for (const [cells, cols, rows] of [
      [1, 4, 1],
      [288, 72, 301],
      [13, 20, 5],
      [3, 2048, 7],
    ] as const) {
      it(`${cells} cells of ${cols} columns into ${rows} rows`, async () => {
        const d = {
          cells,
          cells_counted: cells,
          cols,
          rows,
          f_stride: round_up(cols, 8) + 8,
          x_stride: round_up(cols, 8),
        };
        const features = noise(cells * d.f_stride, 1);
        const unused = [-100, -1, rows, rows + 1, -(2 ** 31), 2 ** 31 - 1];
        // Backwards through the rows, every third cell without a token.
        const index = Int32Array.from({ length: cells }, (_, c) =>
          c % 3 === 2 || c >= rows ? (unused[c % 6] as number) : rows - 1 - c,
        );
        const before = noise((rows + 2) * d.x_stride, 2);
        const x = upload(e, before);
        e.dispatch(add_features, { features: upload(e, features), index: upload(e, index), x }, d, {}, TAG);
        const want = reference(features, index, before, d);
        expect(largest_difference(await download_f32(e, x, before.length), want)).toBeLessThan(1e-6);
      });
    }
  });
}
