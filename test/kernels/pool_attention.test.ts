import { describe, expect, it } from 'vitest';
import { pool_attention } from '../../kernels/pool_attention/pool_attention.ts';
import { round_up } from '../../kernels/spec.ts';
import { pool_attention as reference } from '../reference/pool_attention.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const SHAPES = [
  [1, 1, 4],
  [7, 3, 12],
  [145, 3, 16],
  [33, 16, 64],
] as const;

for (const mode of ['validated', 'release'] as const) {
  describe(`pool_attention ${mode}`, async () => {
    const e = await test_executor('auto', { mode });
    for (const [cells, heads, head_dim] of SHAPES) {
      for (const scale of [1 / Math.sqrt(head_dim), 300]) {
        it(`${cells} cells, ${heads}x${head_dim}, scale ${scale.toFixed(2)}`, async () => {
          const wide = round_up(heads * head_dim, 8);
          const d = {
            cells,
            heads,
            head_dim,
            q_stride: wide,
            kv_stride: 2 * wide + 8,
            v_col0: wide,
            o_stride: wide + 8,
            scale: Math.fround(scale),
          };
          const q = noise(cells * d.q_stride, 1);
          const kv = noise(4 * cells * d.kv_stride, 2);
          const before = new Float32Array((cells + 1) * d.o_stride).fill(1000);
          const o = upload(e, before);
          e.dispatch(pool_attention, { q: upload(e, q), kv: upload(e, kv), o }, d, {}, TAG);
          const want = reference(q, kv, before, d);
          // A large scale makes scores of thousands, whose own rounding is the limit.
          const tolerance = scale > 1 ? 2e-3 : 5e-6;
          expect(largest_difference(await download_f32(e, o, before.length), want)).toBeLessThan(tolerance);
        });
      }
    }
    it('counts 2 x 2 x 4 operations a value', () => {
      const dims = { cells: 3, heads: 2, head_dim: 8, q_stride: 16, kv_stride: 32, v_col0: 16, o_stride: 16, scale: 1 };
      expect(pool_attention.flops(dims, {}).useful).toBe(3 * 2 * 8 * 4 * 4);
    });
  });
}
