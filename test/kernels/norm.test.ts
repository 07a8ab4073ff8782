import { describe, expect, it } from 'vitest';
import { layer_norm, rms_norm } from '../../kernels/norm/norm.ts';
import { round_up } from '../../kernels/spec.ts';
import * as reference from '../reference/norm.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const SHAPES = [
  [1, 4],
  [3, 20],
  [2, 72],
  [5, 1028],
  [1, 2048],
] as const;
const CANARY = 1000;

for (const variant of ['tiled', 'lanes'] as const) {
  for (const mode of ['validated', 'release'] as const) {
    describe(`norm ${variant} ${mode}`, async () => {
      const e = await test_executor(variant, { mode });

      /** Rows 1.. of x go to rows 2.. of y; everything else in y must stay. */
      const operands = (rows: number, cols: number, x: Float32Array) => {
        const x_stride = round_up(cols, 8);
        const y_stride = x_stride + 8;
        const d = { rows, cols, x_stride, y_stride, x_row0: 1, y_row0: 2, eps: 1e-5 };
        const weight = noise(cols, 2).map((w) => 1 + w);
        const bias = noise(cols, 3);
        return { d, x, weight, bias, y: new Float32Array((rows + 4) * y_stride).fill(CANARY) };
      };

      const check = async ({ d, x, weight, bias, y }: ReturnType<typeof operands>, tolerance: number) => {
        const inputs = { x: upload(e, x), weight: upload(e, weight) };
        const rms = upload(e, y);
        const layer = upload(e, y);
        e.dispatch(rms_norm, { ...inputs, y: rms }, d, {}, TAG);
        e.dispatch(layer_norm, { ...inputs, bias: upload(e, bias), y: layer }, d, {}, TAG);
        const want_rms = reference.rms_norm(x, weight, y, d);
        const want_layer = reference.layer_norm(x, weight, bias, y, d);
        expect(largest_difference(await download_f32(e, rms, y.length), want_rms)).toBeLessThan(tolerance);
        expect(largest_difference(await download_f32(e, layer, y.length), want_layer)).toBeLessThan(tolerance);
      };

      for (const [rows, cols] of SHAPES) {
        it(`${rows}x${cols}`, () => check(operands(rows, cols, noise((rows + 1) * round_up(cols, 8), 1)), 1e-5));
      }

      it('a row of zeros and a row far from zero', async () => {
        const x = noise(3 * 72, 5);
        x.fill(0, 72, 144);
        for (let i = 144; i < 216; i++) x[i] = 100 + (x[i] as number);
        await check(operands(2, 72, x), 1e-4);
      });

      it('a column far larger than the rest', async () => {
        const x = noise(2 * 1024, 6);
        x[1024] = 3000;
        await check(operands(1, 1024, x), 1e-4);
      });
    });
  }
}
