import { describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../engine/errors.ts';
import { USAGE } from '../../engine/gpu/buffers.ts';
import { type AdapterFacts, choose_adapter } from '../../engine/gpu/device.ts';
import { polite } from '../../engine/gpu/wait.ts';
import { swiglu } from '../../kernels/swiglu/swiglu.ts';
import { download_f32, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const facts = (description: string, type: AdapterFacts['type']): AdapterFacts => ({
  vendor: 'v',
  architecture: 'a',
  device: 'd',
  description,
  type,
  subgroup_min_size: 8,
  subgroup_max_size: 8,
  features: [],
});
const two = [facts('llvmpipe: Mesa', 'software'), facts('Big GPU 9000', 'hardware')];

describe('choosing an adapter', () => {
  it('prefers hardware, then takes numbers and parts of names', () => {
    expect(choose_adapter(two, 'auto')).toBe(1);
    expect(choose_adapter(two.slice(0, 1), 'auto')).toBe(0);
    expect(choose_adapter(two, '0')).toBe(0);
    expect(choose_adapter(two, 'big gpu')).toBe(1);
    expect([0, 1, 2].map((rank) => choose_adapter([...two, ...two], `rank:${rank}`))).toEqual([1, 3, 1]);
    expect(choose_adapter(two.slice(0, 1), 'rank:5')).toBe(0);
  });
  it('says what there is when the wish cannot be met', () => {
    expect(() => choose_adapter(two, '2')).toThrow(UsageError);
    expect(() => choose_adapter(two, 'radeon')).toThrow(/0: llvmpipe: Mesa; 1: Big GPU 9000/);
    expect(() => choose_adapter([], 'auto')).toThrow(InputError);
  });
});

describe('buffers', async () => {
  const e = await test_executor();
  it('are counted by purpose, with a peak', () => {
    const before = e.buffers.memory();
    const made = [e.buffers.create('one', 1000, 'kv'), e.buffers.create('two', 5000, 'kv')];
    const during = e.buffers.memory();
    expect(during.kv.current - before.kv.current).toBe(1008 + 5008); // sizes are multiples of 16
    e.buffers.destroy(...made);
    e.buffers.destroy(...made); // twice is once
    const after = e.buffers.memory();
    expect(after.kv.current).toBe(before.kv.current);
    expect(after.kv.peak).toBeGreaterThanOrEqual(during.kv.current);
  });

  it('too large ones name what was asked, allowed and held', () => {
    const binding = e.device.max_binding_bytes;
    expect(() => e.buffers.create('keys 3', binding + 16, 'kv')).toThrow(/keys 3.*can bind \d+ MiB at most/);
    expect(() => e.buffers.create('big', 2 ** 50, 'staging', USAGE.copy_dst)).toThrow(
      /big.*allows \d+ MiB a buffer.*held/,
    );
    expect(() => e.buffers.create('nan', Number.NaN, 'kv')).toThrow(InputError);
  });

  it('a failed allocation leaves nothing behind', async () => {
    const before = e.buffers.memory().total.current;
    const attempt = e.buffers.guard('a test', () => {
      e.buffers.create('fits', 1024, 'activations');
      e.buffers.create('does not', 2 ** 50, 'activations');
    });
    await expect(attempt).rejects.toThrow(/does not/);
    expect(e.buffers.memory().total.current).toBe(before);
  });

  it('out of memory becomes one line with the bytes asked for and held', async () => {
    // The device reports it for a buffer within its limits; here its answer is made up.
    const gpu = e.device.gpu;
    const pop = gpu.popErrorScope.bind(gpu);
    gpu.popErrorScope = async () => {
      await pop();
      return { message: 'out of memory' } as GPUError;
    };
    const before = e.buffers.memory().total.current;
    await expect(e.buffers.guard('a KV cache', () => e.buffers.create('keys', 2 ** 20, 'kv'))).rejects.toThrow(
      /out of GPU memory for a KV cache: asked for 1 MiB with .* held; try/,
    );
    gpu.popErrorScope = pop;
    expect(e.buffers.memory().total.current).toBe(before);
  });
});

describe('the executor', async () => {
  const e = await test_executor();
  const params = { rows: 1, hidden: 8, in_stride: 16, up_col0: 8, out_stride: 8 };

  it('keeps the order of writes, launches and copies', async () => {
    const h = upload(e, new Float32Array(8));
    const kept = upload(e, new Float32Array(8));
    const gate_up = upload(e, noise(16, 1));
    e.dispatch(swiglu, { gate_up, h }, params, {}, TAG);
    e.copy(h, 0, kept, 0, 32);
    e.write(gate_up, 0, new Float32Array(16)); // must not overtake the launch before it
    e.dispatch(swiglu, { gate_up, h }, params, {}, TAG);
    const first = await download_f32(e, kept, 8);
    const second = await download_f32(e, h, 8);
    expect(Math.max(...first.map(Math.abs))).toBeGreaterThan(0.01);
    expect([...second]).toEqual(new Array(8).fill(0));
  });

  it('cuts passes and stamps them as its plan says', async () => {
    const h = upload(e, new Float32Array(8));
    const gate_up = upload(e, noise(16, 2));
    const asked: string[] = [];
    e.plan_passes({
      starts_new_pass: (previous, next) => previous.tag.layer !== next.tag.layer,
      timestamps: (first) => {
        asked.push(`${first.kernel.name} ${first.tag.layer}`);
        return undefined;
      },
    });
    for (const layer of [0, 0, 1, 2, 2]) e.dispatch(swiglu, { gate_up, h }, params, {}, { ...TAG, layer });
    await e.finish();
    e.plan_passes(undefined);
    expect(asked).toEqual(['swiglu 0', 'swiglu 1', 'swiglu 2']);
  });

  it('refuses a launch that lacks a buffer or a number', () => {
    const h = upload(e, new Float32Array(8));
    expect(() => e.dispatch(swiglu, { h }, params, {}, TAG)).toThrow(/gate_up is missing/);
    const { hidden: _, ...rest } = params;
    expect(() => e.dispatch(swiglu, { gate_up: h, h }, rest as typeof params, {}, TAG)).toThrow(/cost is no number/);
    e.drop();
  });

  it('reports what WebGPU reports', async () => {
    const own = await test_executor();
    own.device.gpu.createBuffer({ size: 16, usage: 0 });
    await expect(own.finish().then(() => own.finish())).rejects.toThrow(/WebGPU reported an error/);
  });
});

describe('waiting', () => {
  it('passes results and failures on', async () => {
    expect(await polite(new Promise((resolve) => setTimeout(() => resolve(7), 5)), true)).toBe(7);
    await expect(polite(Promise.reject(new Error('lost')), true)).rejects.toThrow('lost');
  });
});
