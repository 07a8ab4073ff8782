import { describe, expect, it } from 'vitest';
import { round_up } from '../../kernels/spec.ts';
import { swiglu } from '../../kernels/swiglu/swiglu.ts';
import { swiglu as reference } from '../reference/swiglu.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const SHAPES = [
  [1, 1],
  [3, 20],
  [7, 331],
  [2, 1024],
] as const;

for (const mode of ['validated', 'release'] as const) {
  describe(`swiglu ${mode}`, async () => {
    const e = await test_executor('auto', { mode });
    for (const [rows, hidden] of SHAPES) {
      for (const size of [1, 200]) {
        it(`${rows}x${hidden}, gates up to ${size}`, async () => {
          const wide = round_up(hidden, 8);
          const d = { rows, hidden, in_stride: 2 * wide, out_stride: wide + 8, up_col0: wide };
          const gate_up = noise(rows * d.in_stride, 1).map((v, i) => (i % d.in_stride < wide ? size * v : v));
          for (let i = 0; i < gate_up.length; i++) if (i % wide >= hidden) gate_up[i] = 0;
          const before = new Float32Array((rows + 1) * d.out_stride).fill(1000);
          const h = upload(e, before);
          e.dispatch(swiglu, { gate_up: upload(e, gate_up), h }, d, {}, TAG);
          const want = reference(gate_up, before, d);
          expect(largest_difference(await download_f32(e, h, before.length), want)).toBeLessThan(2e-6 * size);
          expect(want.subarray(hidden, round_up(hidden, 4)).every((v) => v === 0)).toBe(true);
        });
      }
    }
  });
}
