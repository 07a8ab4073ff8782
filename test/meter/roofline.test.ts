import { describe, expect, it } from 'vitest';
import { type Counts, NOTHING } from '../../engine/meter/ledger.ts';
import { below_floor, efficiency, floor_of, pass_weight_bytes, sum_floors } from '../../engine/meter/roofline.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { parameter_counts } from '../../engine/model/tensors.ts';

/** 100 GFLOP/s, 10 GB/s of memory, 20 GB/s of an 8 MB cache, 5 GB/s written, 10 us a launch. */
const ROOF = {
  fma_f32_flops: 100e9,
  stream_read_bytes: 10e9,
  stream_write_bytes: 5e9,
  cache_read_bytes: 20e9,
  cache_bytes: 8e6,
  dispatch_ms: 0.01,
};
const work = (over: Partial<Counts>): Counts => ({ ...NOTHING, dispatches: 1, ...over });
const floor = (over: Partial<Counts>, pass?: number) => floor_of(work(over), ROOF, pass);

describe('the floor', () => {
  it('of arithmetic goes by useful FLOPs at the f32 rate', () => {
    const one = floor({ flops: 1e9, executed_flops: 9e9, other_ops: 9e9 });
    expect(one.floor_ms).toBeCloseTo(10 + 0.01, 9);
    expect(one.bound).toBe('compute');
  });

  it('of memory adds reads and writes, and overlaps with arithmetic', () => {
    const bytes = { read_bytes: 28e6, written_bytes: 18e6 };
    // 8 MB of each at the cache's rate, 20 MB read and 10 MB written by memory.
    const memory_ms = 0.4 + 2 + 0.4 + 2;
    expect(floor(bytes).floor_ms).toBeCloseTo(memory_ms + 0.01, 9);
    expect(floor({ ...bytes, flops: 0.4e9 })).toEqual({ ...floor(bytes), bound: 'memory' });
    expect(floor({ ...bytes, flops: 1e9 }).bound).toBe('compute');
  });

  it('lets each dispatch find a cacheful', () => {
    expect(floor({ read_bytes: 32e6, kv_bytes: 8e6 }).floor_ms).toBeCloseTo(0.4 + 3.2 + 0.01, 9);
    expect(floor({ read_bytes: 32e6, kv_bytes: 8e6, dispatches: 5 }).floor_ms).toBeCloseTo(2 + 0.05, 9);
  });

  it('lets weights stay in the cache only as far as a pass over the model fits it', () => {
    expect(floor({ weight_bytes: 40e6 }, 4e6).floor_ms).toBeCloseTo(2.01, 9);
    expect(floor({ weight_bytes: 40e6 }, 80e6).floor_ms).toBeCloseTo(0.2 + 3.6 + 0.01, 9);
    expect(floor({ weight_bytes: 40e6 }, 80e9).floor_ms).toBeCloseTo(4.01, 2);
    expect(floor({ weight_bytes: 40e6 }).floor_ms).toBeCloseTo(2.01, 9);
  });

  it('of small work is its launches', () => {
    const one = floor({ dispatches: 100, flops: 1e6, read_bytes: 1e4 });
    expect(one.floor_ms).toBeCloseTo(1.01, 9);
    expect(one.bound).toBe('launch');
  });

  it('needs no cache', () => {
    const roof = { ...ROOF, cache_read_bytes: 10e9, cache_bytes: 0 };
    expect(floor_of(work({ weight_bytes: 10e6, read_bytes: 10e6 }), roof).floor_ms).toBeCloseTo(2.01, 9);
  });

  it('of work in a row is the sum, bound by what takes most of it', () => {
    const floors = [
      { floor_ms: 3, bound: 'compute' },
      { floor_ms: 2, bound: 'memory' },
      { floor_ms: 2, bound: 'memory' },
    ] as const;
    expect(sum_floors(floors)).toEqual({ floor_ms: 7, bound: 'memory' });
    expect(sum_floors([])).toMatchObject({ floor_ms: 0 });
  });
});

it('efficiency is the floor over the time, and a time below the floor is a fault', () => {
  expect(efficiency(2, 8)).toBe(0.25);
  expect([below_floor(8, 2), below_floor(1.9, 2), below_floor(2, 2)]).toEqual([false, true, false]);
});

describe('weights of a pass', () => {
  it('are the matrices of the checkpoint', () => {
    const config = preset_config('molmoe-1b');
    const count = parameter_counts(config);
    const bytes = pass_weight_bytes(config, 'f16');
    const experts = (count.experts / config.n_experts) * config.top_k;
    expect(bytes.decode).toBe(2 * (count.attention + count.router + experts + count.lm_head));
    expect(bytes.decode / 1e9).toBeCloseTo(2.358, 3);
    expect(pass_weight_bytes(config, 'f32').prefill).toBe(2 * bytes.decode);
    // Of 8.5 bits, but for the router's 16; a 4-bit model has an 8-bit head.
    const experts_and_attention = count.attention + experts;
    expect(pass_weight_bytes(config, 'q8').decode).toBe(
      1.0625 * (experts_and_attention + count.lm_head) + 2 * count.router,
    );
    expect(pass_weight_bytes(config, 'q4').decode).toBe(
      0.5625 * experts_and_attention + 1.0625 * count.lm_head + 2 * count.router,
    );
    // Without biases, norms, tables and the block that nobody reads: 96 % of the encoder.
    expect(bytes.vision_encoder / (2 * count.vit)).toBeGreaterThan(0.95);
    expect(bytes.vision_encoder).toBeLessThan(2 * count.vit);
    expect(bytes.projector / (2 * count.projector)).toBeCloseTo(1, 2);
  });

  it('follow the knobs', () => {
    const config = preset_config('molmoe-1b');
    const one = pass_weight_bytes(config, 'f16', 1).decode;
    expect(one / 1e9).toBeCloseTo(0.948, 3);
    expect(pass_weight_bytes(config, 'f16', 4).decode / 1e9).toBeCloseTo(1.552, 3);
    const none = new Array(16).fill(0);
    expect(pass_weight_bytes(config, 'f16', none).decode).toBe(2 * 50304 * 2048);
  });
});
