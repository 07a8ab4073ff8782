import { describe, expect, it } from 'vitest';
import { tap_windows, window_mean } from '../../kernels/pool_windows/pool_windows.ts';
import { round_up } from '../../kernels/spec.ts';
import * as reference from '../reference/pool_windows.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const MASK_VALUES = [1, 0, 0.3, -1, 0.999, 2, -0];

for (const mode of ['validated', 'release'] as const) {
  describe(`pool_windows ${mode}`, async () => {
    const e = await test_executor('auto', { mode });

    for (const [crops, crop0, grid_side, emb] of [
      [1, 0, 24, 48],
      [2, 1, 24, 64],
      [3, 2, 6, 20],
      [1, 0, 2, 4],
      [1, 1, 4, 260],
    ] as const) {
      it(`taps of ${crops} crops from ${crop0}, ${grid_side}x${grid_side} patches, ${emb} columns`, async () => {
        const patches = grid_side ** 2;
        const all_crops = crop0 + crops + 1;
        const x_stride = round_up(emb, 8);
        const w_stride = round_up(2 * emb, 8) + 8;
        const x = noise(crops * (patches + 1) * x_stride, 1);
        const keep = new Float32Array(all_crops).fill(1);
        if (crops > 1) {
          keep[crop0] = 0; // a padding crop, whose features are worthless
          x.fill(Number.POSITIVE_INFINITY, 0, x_stride * (patches + 1));
        }
        const masks = Float32Array.from({ length: all_crops * patches }, (_, i) => MASK_VALUES[i % 7] as number);
        const pad_embed = noise(4 * emb, 2);
        let before: Float32Array = new Float32Array(all_crops * patches * w_stride).fill(1000);
        const windows = upload(e, before);
        const inputs = {
          x: upload(e, x),
          masks: upload(e, masks),
          keep: upload(e, keep),
          pad_embed: upload(e, pad_embed),
        };
        for (const col0 of [emb, 0]) {
          const d = { crops, emb, x_stride, w_stride, col0, pad_cols: 2 * emb, grid_side, crop0 };
          e.dispatch(tap_windows, { ...inputs, windows }, d, {}, TAG);
          const want = reference.tap_windows(x, masks, keep, pad_embed, before, d);
          const got = await download_f32(e, windows, before.length);
          expect(largest_difference(got, want)).toBeLessThan(1e-6);
          before = got;
        }
      });
    }

    for (const [cells, cols] of [
      [1, 4],
      [7, 20],
      [145, 96],
      [3, 1028],
    ] as const) {
      it(`mean of ${cells} cells, ${cols} columns`, async () => {
        const d = { cells, cols, w_stride: round_up(cols, 8) + 8, m_stride: round_up(cols, 8) };
        const windows = noise(4 * cells * d.w_stride, 3);
        const before = new Float32Array((cells + 1) * d.m_stride).fill(1000);
        const mean = upload(e, before);
        e.dispatch(window_mean, { windows: upload(e, windows), mean }, d, {}, TAG);
        const want = reference.window_mean(windows, before, d);
        expect(largest_difference(await download_f32(e, mean, before.length), want)).toBeLessThan(1e-6);
      });
    }
  });
}
