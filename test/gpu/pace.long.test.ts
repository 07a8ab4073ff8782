import { describe, expect, it } from 'vitest';
import { dry_model } from '../../engine/dry_run.ts';
import { dry_executor } from '../../engine/gpu/dry.ts';
import { make_executor } from '../../engine/gpu/executor.ts';
import { most_flops_at, multiply_add_rate, paced } from '../../engine/gpu/pace.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { open_executor } from '../../engine/node/load.ts';
import { dry_device } from '../support/dry.ts';
import { largest_difference, test_executor } from '../support/gpu.ts';
import { run_to_end, some_ids, synthetic_context, tiny_config } from '../support/run.ts';

const HARDWARE = { subgroup_size: 32, software: false };
const plain = await test_executor();

describe('the pace of an adapter', () => {
  it('a dispatch of it takes half a second at an eighth of the rate', () => {
    expect(most_flops_at(0.3e12) / (0.3e12 / 8)).toBe(0.5);
  });

  it('is left alone on software, taken where it is given', async () => {
    expect(await paced(plain.device)).toBe(plain.device);
    expect((await paced(plain.device, 16e9)).most_dispatch_flops).toBe(1e9);
  });

  it('goes with the device that a model is loaded on', async () => {
    const [free, slow] = [await open_executor(), await open_executor({ flops_per_s: 16e9 })];
    expect([free, slow].map(({ executor }) => executor.device.most_dispatch_flops)).toEqual([undefined, 1e9]);
    for (const { executor } of [free, slow]) executor.destroy();
  });

  it('is measured on hardware, and holds nothing afterwards', async () => {
    const rate = await multiply_add_rate(plain.device);
    expect(rate).toBeGreaterThan(1e8); // this machine's, however busy
    expect(rate).toBeLessThan(1e15);
    const device = await paced({ ...plain.device, traits: { ...plain.device.traits, software: false } });
    expect(device.most_dispatch_flops).toBeGreaterThan(1e8 / 16);
  });
});

describe('heavy dispatches are cut, and nothing else changes', () => {
  const config = tiny_config();
  const crops = (count: number) => ({
    count,
    images: Float32Array.from({ length: count * 576 * 588 }, (_, i) => Math.sin(i / 7)),
    masks: new Float32Array(count * 576).fill(1),
    index: Int32Array.from({ length: count * 144 }, (_, i) => (i < 100 ? 3 + i : -1)),
  });

  it.each([
    ['lanes', 2e6],
    ['tiled', 2e6],
    ['lanes', 2e8],
  ] as const)('%s kernels, %d FLOPs a dispatch', async (variant, most_dispatch_flops) => {
    const { device } = await test_executor(variant);
    const whole = await synthetic_context(make_executor(device, variant), config);
    const cut = await synthetic_context(make_executor({ ...device, most_dispatch_flops }, variant), config);
    const input = { ids: some_ids(333), crops: crops(3) };
    const options = { maxNewTokens: 3 };
    const want = await run_to_end(whole, input, options);
    const got = await run_to_end(cut, input, options);
    expect(got.tokens).toEqual(want.tokens);
    for (const [i, row] of want.logits.entries()) {
      expect(largest_difference(got.logits[i] ?? [], row)).toBeLessThan(2e-5);
    }
    for (const [i, stage] of want.result.stages.entries()) {
      const other = got.result.stages[i];
      for (const count of ['flops', 'other_ops'] as const) expect(other?.[count]).toBe(stage[count]);
    }
    const launches = (run: typeof want) => run.result.ledger.sum().dispatches;
    expect(launches(got)).toBeGreaterThan(launches(want));
  });

  /** The largest dispatch of a request of the real size, without running it. */
  async function heaviest(most_dispatch_flops: number | undefined) {
    const device = { ...dry_device(HARDWARE, 2 ** 31), most_dispatch_flops };
    const executor = dry_executor(device);
    const config = preset_config('molmoe-1b');
    const context = await synthetic_context(executor, config, 'f16');
    let [most, count, queued, longest_queue] = [0, 0, 0, 0];
    const input = { ids: some_ids(4000), crops: { ...crops(1), ...blank(13) } };
    const dispatch: typeof executor.dispatch = (kernel, buffers, params, options, tag) => {
      most = Math.max(most, kernel.flops(params as never, options).useful);
      count += 1;
      queued += kernel.flops(params as never, options).useful;
      longest_queue = Math.max(longest_queue, queued);
      executor.dispatch(kernel, buffers, params, options, tag);
    };
    const flush = async () => {
      queued = 0;
      await executor.flush();
    };
    const watched = { ...executor, dispatch, flush };
    await run_to_end({ ...context, executor: watched }, input, { maxNewTokens: 2 });
    return { most, count, longest_queue };
  }
  const blank = (count: number) => ({
    count,
    images: new Float32Array(count * 576 * 588),
    masks: new Float32Array(count * 576).fill(1),
    index: new Int32Array(count * 144).fill(-1),
  });

  it('at 0.3 TFLOP/s none of the real size takes half a second, at 60 TFLOP/s all stay whole', async () => {
    const slow = await heaviest(most_flops_at(0.3e12));
    const fast = await heaviest(most_flops_at(60e12));
    const free = await heaviest(undefined);
    expect(free.most).toBeGreaterThan(1e11); // seconds there
    expect(slow.most).toBeLessThanOrEqual(most_flops_at(0.3e12));
    expect(fast).toEqual(free);
    // What waits in one queue is a layer and little more.
    expect(slow.longest_queue).toBeLessThan(6 * most_flops_at(0.3e12));
    expect(slow.count).toBeLessThan(20 * free.count);
  });

  it('dry runs count what such an adapter runs', async () => {
    const device = { ...dry_device(HARDWARE), most_dispatch_flops: most_flops_at(0.3e12) };
    const request = { prompt_tokens: 1217, views: 13, maxNewTokens: 2 };
    const of = async (machine: Parameters<typeof dry_model>[2]) =>
      (await (await dry_model(preset_config('molmoe-slice'), 'f16', machine)).run(request)).ledger.sum();
    const [slow, free] = [await of({ device }), await of({ device: dry_device(HARDWARE) })];
    expect(slow.flops).toBe(free.flops);
    expect(slow.dispatches).toBeGreaterThan(free.dispatches);
  });
});
