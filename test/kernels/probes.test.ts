import { describe, expect, it } from 'vitest';
import { probe_empty } from '../../kernels/probe_empty/probe_empty.ts';
import { FMA_COUNT_BYTES, fma_count, probe_fma_f16, probe_fma_f32 } from '../../kernels/probe_fma/probe_fma.ts';
import {
  probe_read,
  probe_write,
  STREAM_SUM_BYTES,
  STREAM_UNIT_BYTES,
  stream_sum,
} from '../../kernels/probe_stream/probe_stream.ts';
import { download_f32, download_u32, TAG, test_executor, upload } from '../support/gpu.ts';

const e = await test_executor();
const unit_words = STREAM_UNIT_BYTES / 4;

describe.each([
  ['f32', probe_fma_f32],
  ['f16', probe_fma_f16],
])('probe_fma_%s', (name, kernel) => {
  const can_run = name === 'f32' || e.device.features.has('shader-f16');

  it.runIf(can_run)('runs every step that it says it does', async () => {
    for (const [rounds, workgroups] of [
      [1, 1],
      [7, 3],
      [512, 2],
      [2, 1030], // the last ones write where the first did
    ] as const) {
      const counts = upload(e, new Float32Array(FMA_COUNT_BYTES / 4).fill(-1));
      const params = { rounds, factor: 1, term: 1, workgroups };
      e.dispatch(kernel, { counts }, params, {}, TAG);
      const found = await download_f32(e, counts, FMA_COUNT_BYTES / 4);
      const threads = 64 * Math.min(workgroups, 1024);
      expect(found.subarray(0, threads).every((count) => count === fma_count(rounds))).toBe(true);
      expect(found.subarray(threads).every((count) => count === -1)).toBe(true);
      expect(kernel.flops(params, {}).useful).toBe(2 * fma_count(rounds) * 64 * workgroups);
    }
  });

  it.runIf(can_run)('uses its factor and its term', async () => {
    const counts = upload(e, new Float32Array(FMA_COUNT_BYTES / 4));
    e.dispatch(kernel, { counts }, { rounds: 1, factor: 0.5, term: 2, workgroups: 1 }, {}, TAG);
    // 0 -> 2 -> 3 -> 3.5 -> 3.75, in 32 values
    expect((await download_f32(e, counts, 64)).every((sum) => sum === 32 * 3.75)).toBe(true);
  });
});

describe('probe_read', () => {
  it('reads every word of its units once, and the same ones again behind the last', async () => {
    const units = 3;
    const words = Uint32Array.from({ length: units * unit_words }, (_, i) => Math.imul(i + 1, 2654435761));
    const buffers = { words: upload(e, words), sums: upload(e, new Uint32Array(STREAM_SUM_BYTES / 4)) };
    e.dispatch(probe_read, buffers, { wrap: units, workgroups: 2 * units }, {}, TAG);
    const sums = await download_u32(e, buffers.sums, STREAM_SUM_BYTES / 4);
    const all = (list: Uint32Array) => list.reduce((sum, x) => (sum + x) >>> 0, 0);
    expect(all(sums)).toBe((2 * all(words)) >>> 0);
  });

  it('leaves what stream_sum says', async () => {
    const buffers = {
      words: upload(e, new Uint32Array(unit_words).fill(0xdeadbeef)),
      sums: upload(e, new Uint32Array(STREAM_SUM_BYTES / 4)),
    };
    e.dispatch(probe_read, buffers, { wrap: 1, workgroups: 1024 }, {}, TAG);
    const expected = stream_sum(0xdeadbeef, e.device.traits);
    expect((await download_u32(e, buffers.sums, 64)).every((sum) => sum === expected)).toBe(true);
  });
});

describe('probe_write', () => {
  it('writes all of its units and nothing behind them', async () => {
    const words = upload(e, new Uint32Array(3 * unit_words).fill(7));
    e.dispatch(probe_write, { words }, { wrap: 2, value: 42, workgroups: 5 }, {}, TAG);
    const found = await download_u32(e, words, 3 * unit_words);
    expect(found.subarray(0, 2 * unit_words).every((word) => word === 42)).toBe(true);
    expect(found.subarray(2 * unit_words).every((word) => word === 7)).toBe(true);
  });
});

it('probe_empty leaves its mark', async () => {
  const mark = upload(e, new Uint32Array([1, 2, 3, 4]));
  for (const value of [8, 9]) e.dispatch(probe_empty, { mark }, { value }, {}, TAG);
  expect([...(await download_u32(e, mark, 4))]).toEqual([9, 2, 3, 4]);
});
