import { describe, expect, it } from 'vitest';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { moe_route } from '../../kernels/moe_route/moe_route.ts';
import { moe_router } from '../../kernels/moe_router/moe_router.ts';
import { rms_norm } from '../../kernels/norm/norm.ts';
import { FORMATS } from '../../kernels/spec.ts';
import { download_f32, download_u32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';
import { packed_words } from '../support/weights.ts';

const [rows, k, experts, top_k, eps] = [3, 2048, 64, 8, 1e-5];
const F16 = { WEIGHT_FORMAT: FORMATS.f16 };
const fused = { rows, k, experts, top_k, x_stride: k, normed_stride: k, logits_stride: experts, eps };
const norm = { rows, cols: k, x_stride: k, y_stride: k, x_row0: 0, y_row0: 0, eps };
const linear = {
  ...{ rows, k, cols: experts, true_cols: experts, a_stride: k, c_stride: experts },
  ...{ col0: 0, a_row0: 0, c_row0: 0, epilogue: 0 },
};
const route = { rows, experts, k: top_k, stride: experts, row0: 0 };

for (const variant of ['tiled', 'lanes'] as const) {
  describe(`moe_router ${variant}`, async () => {
    const e = await test_executor(variant);

    it('does what norm, product and choice do one after the other', async () => {
      const x = upload(e, noise(rows * k, 1));
      const weight = upload(
        e,
        noise(k, 2).map((w) => 1 + w),
      );
      const weights = upload(e, packed_words(noise(k * experts, 3), k, experts, 'f16'));
      const outputs = () => ({
        normed: upload(e, new Float32Array(rows * k)),
        logits: upload(e, new Float32Array(rows * experts)),
        experts: upload(e, new Uint32Array(rows * top_k)),
        route_weights: upload(e, new Float32Array(rows * top_k)),
      });
      const [one, three] = [outputs(), outputs()];
      e.dispatch(moe_router, { x, weights, norm_weight: weight, ...one }, fused, F16, TAG);
      e.dispatch(rms_norm, { x, weight, y: three.normed }, norm, {}, TAG);
      e.dispatch(matvec, { a: three.normed, weights, c: three.logits }, linear, F16, TAG);
      e.dispatch(moe_route, { ...three, weights: three.route_weights }, route, {}, TAG);
      for (const name of ['normed', 'logits', 'route_weights'] as const) {
        const count = one[name].bytes / 4;
        const [got, want] = [await download_f32(e, one[name], count), await download_f32(e, three[name], count)];
        expect(largest_difference(got, want), name).toBeLessThan(2e-4);
      }
      const chosen = (from: typeof one) => download_u32(e, from.experts, rows * top_k);
      expect(await chosen(one)).toEqual(await chosen(three));
    });
  });
}

it('counts what the three count, but for what no longer travels between them', () => {
  const parts = [rms_norm.flops(norm, {}), matvec.flops(linear, F16), moe_route.flops(route, {})];
  const sum = (key: 'useful' | 'other') => parts.reduce((total, part) => total + part[key], 0);
  expect(moe_router.flops(fused, F16)).toEqual({ useful: sum('useful'), other: sum('other') });
  const moved = [rms_norm.bytes(norm, {}), matvec.bytes(linear, F16), moe_route.bytes(route, {})];
  const bytes = (key: 'weights' | 'read' | 'written') => moved.reduce((total, part) => total + part[key], 0);
  expect(moe_router.bytes(fused, F16)).toEqual({
    weights: bytes('weights'),
    read: bytes('read') - 4 * rows * (k + experts),
    written: bytes('written'),
    kv: 0,
  });
});
