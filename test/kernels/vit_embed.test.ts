import { describe, expect, it } from 'vitest';
import { round_up } from '../../kernels/spec.ts';
import { vit_embed } from '../../kernels/vit_embed/vit_embed.ts';
import { vit_embed as reference } from '../reference/vit_embed.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const SHAPES = [
  [1, 1, 4],
  [3, 7, 20],
  [2, 576, 48],
  [1, 5, 1028],
] as const;

for (const mode of ['validated', 'release'] as const) {
  describe(`vit_embed ${mode}`, async () => {
    const e = await test_executor('auto', { mode });
    for (const [crops, patches_per_crop, emb] of SHAPES) {
      it(`${crops} crops of ${patches_per_crop} patches, ${emb} columns`, async () => {
        const stride = round_up(emb, 8);
        const d = { crops, patches_per_crop, emb, stride, pos_stride: emb };
        const patches = noise(crops * patches_per_crop * stride, 1);
        const class_embedding = noise(emb, 2);
        const positions = noise((patches_per_crop + 1) * emb, 3);
        const before = new Float32Array((crops * (patches_per_crop + 1) + 2) * stride).fill(1000);
        const x = upload(e, before);
        const inputs = {
          patches: upload(e, patches),
          class_embedding: upload(e, class_embedding),
          positions: upload(e, positions),
        };
        e.dispatch(vit_embed, { ...inputs, x }, d, {}, TAG);
        const want = reference(patches, class_embedding, positions, before, d);
        expect(largest_difference(await download_f32(e, x, before.length), want)).toBeLessThan(1e-6);
      });
    }
  });
}
