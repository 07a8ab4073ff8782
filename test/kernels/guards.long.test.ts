import { describe, expect, it } from 'vitest';
import type { DeviceOptions } from '../../engine/gpu/device.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { swiglu } from '../../kernels/swiglu/swiglu.ts';
import { download_f32, noise, TAG, test_executor, upload } from '../support/gpu.ts';
import { guard, type POISONS } from '../support/guarded.ts';
import { ODD_CONFIG, QUANTISED_CONFIG, type Request, run_request } from '../support/requests.ts';
import { synthetic_context, tiny_config } from '../support/run.ts';

describe('a guard', async () => {
  const e = await test_executor();
  const zones = guard(e, 'nan');
  /** Two rows, of which buffers of fewer rows hold only the first. */
  const run = async (rows: { read: number; written: number }, out_stride = 8) => {
    const gate_up = upload(e, noise(16 * rows.read, 1), 'gate and up');
    const h = upload(e, new Float32Array(8 * rows.written), 'h');
    const params = { rows: 2, hidden: 8, in_stride: 16, up_col0: 8, out_stride };
    e.dispatch(swiglu, { gate_up, h }, params, {}, TAG);
    const got = await download_f32(e, h, 8 * rows.written);
    e.buffers.destroy(h, gate_up);
    return { got, changed: await zones.check() };
  };

  it('sees nothing where nothing is wrong', async () => {
    const { got, changed } = await run({ read: 2, written: 2 });
    expect([got.some(Number.isNaN), changed]).toEqual([false, []]);
  });
  it('sees writes behind a buffer, also a NaN and after the buffer was destroyed', async () => {
    const near = ['h: something was written 0 bytes behind its 32 bytes'];
    expect((await run({ read: 2, written: 1 })).changed).toEqual(near);
    expect((await run({ read: 1, written: 1 })).changed).toEqual(near);
    const far = ['h: something was written 368 bytes behind its 32 bytes'];
    expect((await run({ read: 2, written: 1 }, 100)).changed).toEqual(far);
    expect((await run({ read: 2, written: 2 })).changed).toEqual([]);
  });
  it('lets reads behind a buffer show', async () => {
    const { got, changed } = await run({ read: 1, written: 2 });
    expect([got.subarray(0, 8).some(Number.isNaN), got.subarray(8).every(Number.isNaN), changed]).toEqual([
      false,
      true,
      [],
    ]);
  });
  it('fills what nobody wrote', async () => {
    const blank = e.buffers.create('blank', 5000, 'activations');
    expect((await download_f32(e, blank, 1250)).every(Number.isNaN)).toBe(true);
  });
});

const REQUESTS: readonly Request[] = [
  { ids: 1, crops: 0, options: { maxNewTokens: 3 } },
  { ids: 7, crops: 0, options: { maxNewTokens: 5, knobs: { topK: 1 } } },
  { ids: 65, crops: 0, options: { maxNewTokens: 4, knobs: { blocks: [0, 2] } } },
  { ids: 65, crops: 0, options: { maxNewTokens: 2, knobs: { topK: 5 }, allLogits: true } },
  { ids: 30, crops: 0, options: { maxNewTokens: 4, sampling: { temperature: 1.5, topP: 0.9, topK: 40, seed: 3 } } },
  { ids: 7, crops: 0, options: { maxNewTokens: 3, knobs: { blocks: [] } } },
  { ids: 131, crops: 0, options: { maxNewTokens: 3 } }, // long enough for attention in splits
  { ids: 77, crops: 3, options: { maxNewTokens: 2, keepDeadBlocks: true } },
  { ids: 77, crops: 3, options: { maxNewTokens: 2, knobs: { topK: 4, topKVision: 1 } } },
];
const SOME: readonly Request[] = [
  { ids: 33, crops: 0, options: { maxNewTokens: 3 } },
  { ids: 77, crops: 1, options: { maxNewTokens: 2 } },
];
const LONG: readonly Request[] = [{ ids: 400, crops: 0, options: { maxNewTokens: 3 } }];
const SLICED_CONFIG = tiny_config({ vocab_size: 2900, embedding_size: 2931, moe_num_experts: 61, moe_top_k: 7 });

for (const [what, config, requests, options, format] of [
  ['molmoe-tiny', tiny_config(), REQUESTS, { mode: 'validated' }],
  ['odd sizes', ODD_CONFIG, REQUESTS, { mode: 'release' }],
  ['slices and chunks', SLICED_CONFIG, LONG, { mode: 'validated', max_binding_bytes: 150 * 1024 }],
  ['8-bit weights', QUANTISED_CONFIG, SOME, { mode: 'release' }, 'q8'],
  ['4-bit weights', QUANTISED_CONFIG, SOME, { mode: 'release' }, 'q4'],
] as const satisfies (readonly [string, ModelConfig, readonly Request[], Partial<DeviceOptions>, WeightFormat?])[]) {
  describe(`whole requests, ${what}, ${options.mode}`, () => {
    const run_on = async (variant: 'lanes' | 'tiled', poison: keyof typeof POISONS) => {
      const executor = await test_executor(variant, options);
      const zones = guard(executor, poison);
      const ctx = await synthetic_context(executor, config, format);
      const results = [];
      // On a CPU the kernels for GPUs take five times as long.
      for (const request of variant === 'lanes' ? requests : requests.filter((_, i) => i % 3 === 0)) {
        results.push(await run_request(ctx, request));
        expect(await zones.check(), JSON.stringify(request)).toEqual([]);
      }
      return results;
    };
    for (const variant of ['lanes', 'tiled'] as const) {
      it(`${variant}: write nothing behind a buffer, and no bit depends on what was never written`, async () => {
        expect(await run_on(variant, 'nan')).toEqual(await run_on(variant, 'huge'));
      });
    }
  });
}
