import { describe, expect, it } from 'vitest';
import { probe_empty } from '../../kernels/probe_empty/probe_empty.ts';
import {
  FMA_COUNT_BYTES,
  FMA_FORMS,
  fma_count,
  fma_name,
  fma_options,
  probe_fma_f16,
  probe_fma_f32,
} from '../../kernels/probe_fma/probe_fma.ts';
import {
  probe_read,
  probe_write,
  READ_FORMS,
  STREAM_SUM_BYTES,
  STREAM_UNIT_BYTES,
  stream_name,
  stream_options,
  stream_sum,
  WRITE_FORMS,
} from '../../kernels/probe_stream/probe_stream.ts';
import { download_f32, download_u32, TAG, test_executor, upload } from '../support/gpu.ts';

const e = await test_executor();
const unit_words = STREAM_UNIT_BYTES / 4;
/** Some forms are left to GPUs: compilers of software adapters take seconds over them. */
const suits = ({ hardware_only }: { hardware_only?: boolean }) => !(hardware_only && e.device.traits.software);
const FMAS = FMA_FORMS.map((form) => [fma_name(form), form] as const);
const READS = READ_FORMS.filter(suits).map((form) => [stream_name(form), form] as const);
const WRITES = WRITE_FORMS.filter(suits).map((form) => [stream_name(form), form] as const);

describe.each([
  ['f32', probe_fma_f32],
  ['f16', probe_fma_f16],
])('probe_fma_%s', (name, kernel) => {
  const can_run = name === 'f32' || e.device.features.has('shader-f16');

  it.runIf(can_run).each(FMAS)('%s: runs every step that it says it does', async (_, form) => {
    for (const [rounds, workgroups] of [
      [1, 1],
      [7, 3],
      [512, 2],
      [2, FMA_COUNT_BYTES / 4 / form.threads + 6], // the last ones write where the first did
    ] as const) {
      const counts = upload(e, new Float32Array(FMA_COUNT_BYTES / 4).fill(-1));
      const params = { rounds, factor: 1, term: 1, workgroups };
      e.dispatch(kernel, { counts }, params, fma_options(form), TAG);
      const found = await download_f32(e, counts, FMA_COUNT_BYTES / 4);
      const threads = Math.min(form.threads * workgroups, FMA_COUNT_BYTES / 4);
      expect(found.subarray(0, threads).every((count) => count === fma_count(rounds, form))).toBe(true);
      expect(found.subarray(threads).every((count) => count === -1)).toBe(true);
      const flops = 2 * 4 * rounds * form.chains * form.width * form.threads * workgroups;
      expect(kernel.flops(params, fma_options(form)).useful).toBe(flops);
    }
  });

  it.runIf(can_run).each(FMAS)('%s: uses its factor and its term', async (_, form) => {
    const counts = upload(e, new Float32Array(FMA_COUNT_BYTES / 4));
    e.dispatch(kernel, { counts }, { rounds: 1, factor: 0.5, term: 2, workgroups: 1 }, fma_options(form), TAG);
    // 0 -> 2 -> 3 -> 3.5 -> 3.75, in every value of a thread
    const expected = form.chains * form.width * 3.75;
    expect((await download_f32(e, counts, form.threads)).every((sum) => sum === expected)).toBe(true);
  });

  it.runIf(can_run)('takes its first form where none is asked for', async () => {
    const [first] = FMA_FORMS as [(typeof FMA_FORMS)[number]];
    const counts = upload(e, new Float32Array(FMA_COUNT_BYTES / 4));
    e.dispatch(kernel, { counts }, { rounds: 3, factor: 1, term: 1, workgroups: 1 }, {}, TAG);
    expect((await download_f32(e, counts, 1))[0]).toBe(fma_count(3, first));
  });
});

describe.each(READS)('probe_read, %s', (_, form) => {
  it('reads every word of its units once, and the same ones again behind the last', async () => {
    const units = 3;
    // Every word counts differently: one that is read twice in another's place shows.
    const words = Uint32Array.from({ length: units * unit_words }, (_, i) => Math.imul(i + 1, 2654435761));
    const buffers = { words: upload(e, words), sums: upload(e, new Uint32Array(STREAM_SUM_BYTES / 4)) };
    const params = { wrap: units, workgroups: 2 * units };
    e.dispatch(probe_read, buffers, params, stream_options(form), TAG);
    const sums = await download_u32(e, buffers.sums, STREAM_SUM_BYTES / 4);
    const all = (list: Uint32Array) => list.reduce((sum, x) => (sum + x) >>> 0, 0);
    expect(all(sums)).toBe((2 * all(words)) >>> 0);
    expect(sums.findLastIndex((sum) => sum !== 0)).toBeLessThan(2 * units * form.threads);
    expect(probe_read.bytes(params, stream_options(form)).read).toBe(8 * words.length);
  });

  it('leaves what stream_sum says', async () => {
    const buffers = {
      words: upload(e, new Uint32Array(unit_words).fill(0xdeadbeef)),
      sums: upload(e, new Uint32Array(STREAM_SUM_BYTES / 4)),
    };
    e.dispatch(probe_read, buffers, { wrap: 1, workgroups: 1024 }, stream_options(form), TAG);
    const expected = stream_sum(0xdeadbeef, form);
    expect((await download_u32(e, buffers.sums, 64)).every((sum) => sum === expected)).toBe(true);
  });
});

describe.each(WRITES)('probe_write, %s', (_, form) => {
  it('writes all of its units and nothing behind them', async () => {
    const words = upload(e, new Uint32Array(3 * unit_words).fill(7));
    e.dispatch(probe_write, { words }, { wrap: 2, value: 42, workgroups: 5 }, stream_options(form), TAG);
    const found = await download_u32(e, words, 3 * unit_words);
    expect(found.subarray(0, 2 * unit_words).every((word) => word === 42)).toBe(true);
    expect(found.subarray(2 * unit_words).every((word) => word === 7)).toBe(true);
    const params = { wrap: 2, value: 42, workgroups: 2 };
    expect(probe_write.bytes(params, stream_options(form)).written).toBe(8 * unit_words);
  });
});

it('probe_empty leaves its mark', async () => {
  const mark = upload(e, new Uint32Array([1, 2, 3, 4]));
  for (const value of [8, 9]) e.dispatch(probe_empty, { mark }, { value }, {}, TAG);
  expect([...(await download_u32(e, mark, 4))]).toEqual([9, 2, 3, 4]);
});
