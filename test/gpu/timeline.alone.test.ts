import { describe, expect, it } from 'vitest';
import type { Dispatch } from '../../engine/gpu/executor.ts';
import { report_of, start_timeline } from '../../engine/gpu/timeline.ts';
import { LINEAR_BINDINGS, matmul } from '../../kernels/matmul/matmul.ts';
import { noise, test_executor, upload } from '../support/gpu.ts';

const dispatch = { tag: { stage: 'prefill', component: 'mlp' } } as Dispatch;
const anchor = { gpu_ns: 500n, host_ms: 20, error_ms: 1 };
const pairs = (...times: [number, number][]) =>
  times.map(([begin, end]) => ({ first: dispatch, begin: BigInt(begin), end: BigInt(end) }));

describe('stamps', () => {
  it('of dependent passes do not count the pass before', () => {
    const report = report_of('kernel', 'gpu', pairs([1000, 1500], [1010, 1900], [2003, 2004]), anchor, [], undefined);
    expect(report.spans.map((span) => span.own_ns)).toEqual([500, 400, 1]);
    expect([report.sum_ns, report.span_ns]).toEqual([901, 1004]);
    expect(report.first_host_ms).toBeCloseTo(20.0005, 9);
    expect(report.faults).toEqual({ negative: 0, zero: 0, quantised: false });
  });
  it('that cannot be true are counted, not mended', () => {
    const report = report_of('kernel', 'gpu', pairs([100, 300], [250, 260], [260, 260]), anchor, [], undefined);
    expect(report.spans.map((span) => span.own_ns)).toEqual([200, -40, 0]);
    expect(report.faults).toMatchObject({ negative: 1, zero: 1 });
  });
  it('that were rounded are noticed', () => {
    expect(
      report_of('kernel', 'gpu', pairs([100_000, 300_000], [300_000, 900_000]), anchor, [], undefined).faults.quantised,
    ).toBe(true);
    expect(report_of('kernel', 'gpu', [], anchor, [], undefined).faults.quantised).toBe(false);
  });
});

describe('a timeline', async () => {
  const e = await test_executor('auto', { mode: 'release' });
  const buffers = Object.fromEntries(LINEAR_BINDINGS.map((b, i) => [b.name, upload(e, noise(256 * 256, i))]));
  const product = (rows: number, stage: 'prefill' | 'decode') => {
    const sizes = { rows, k: 256, cols: 256, true_cols: 256, a_stride: 256, c_stride: 256 };
    const params = { ...sizes, col0: 0, a_row0: 0, c_row0: 0, epilogue: 0 };
    e.dispatch(matmul, buffers, params, { WEIGHT_FORMAT: 1 }, { stage, component: 'mlp' });
  };
  const warm = async () => {
    product(256, 'prefill');
    await e.finish();
  };

  it('by kernel: a span a dispatch, in order, longer where there is more work, near the whole', async () => {
    await warm();
    const timeline = await start_timeline(e, 'kernel');
    for (let i = 0; i < 6; i++) product(i % 2 === 0 ? 24 : 240, 'prefill');
    const report = await timeline.collect();
    timeline.close();
    expect(report.spans.map((span) => span.first.params.rows)).toEqual([24, 240, 24, 240, 24, 240]);
    const least = (rows: number) =>
      Math.min(...report.spans.filter((span) => span.first.params.rows === rows).map((span) => span.own_ns));
    expect(least(240)).toBeGreaterThan(2 * least(24));
    expect(report.faults).toMatchObject({ negative: 0, quantised: false });
    expect(report.self_test?.passed).toBe(true);
    expect(report.sum_ns).toBeLessThanOrEqual(report.span_ns);
  });

  it('by stage: a pass as long as the stage lasts', async () => {
    await warm();
    const before_ms = performance.now();
    const timeline = await start_timeline(e, 'stage');
    for (const stage of ['prefill', 'prefill', 'decode', 'decode', 'decode'] as const) product(24, stage);
    const report = await timeline.collect();
    timeline.close();
    expect(report.spans.map((span) => span.first.tag.stage)).toEqual(['prefill', 'decode']);
    // On the host's clock the work lies between the calls that made it.
    expect(report.first_host_ms).toBeGreaterThan(before_ms - report.anchor_error_ms);
    expect(report.first_host_ms + report.span_ns / 1e6).toBeLessThan(performance.now() + report.anchor_error_ms);
  });

  it('holds more passes than one query set, and uses its sets again', async () => {
    await warm();
    const timeline = await start_timeline(e, 'kernel');
    for (let i = 0; i < 2500; i++) product(1, 'decode');
    expect((await timeline.collect()).spans.length).toBe(2500);
    const held = e.buffers.memory().tables.current;
    for (let i = 0; i < 2500; i++) product(1, 'decode');
    expect((await timeline.collect()).spans.length).toBe(2500);
    expect(e.buffers.memory().tables.current).toBe(held);
    timeline.close();
    product(1, 'decode');
    await e.finish(); // no stamps after the end
    expect(e.buffers.memory().tables.current).toBeLessThan(held);
  });

  it('goes by the host around fenced submits where the adapter has no stamps', async () => {
    const without = await test_executor('auto', { without: ['timestamp-query'] });
    const buffers = Object.fromEntries(LINEAR_BINDINGS.map((b, i) => [b.name, upload(without, noise(256 * 256, i))]));
    const product = (rows: number, stage: 'prefill' | 'decode') => {
      const sizes = { rows, k: 256, cols: 256, true_cols: 256, a_stride: 256, c_stride: 256 };
      const params = { ...sizes, col0: 0, a_row0: 0, c_row0: 0, epilogue: 0 };
      without.dispatch(matmul, buffers, params, { WEIGHT_FORMAT: 1 }, { stage, component: 'mlp' });
    };
    product(256, 'prefill');
    await without.finish();
    const timeline = await start_timeline(without, 'kernel');
    for (let i = 0; i < 6; i++) product(i % 2 === 0 ? 24 : 240, i < 3 ? 'prefill' : 'decode');
    const report = await timeline.collect();
    expect(report.clock).toBe('host');
    expect(report.spans.map((span) => span.first.params.rows)).toEqual([24, 240, 24, 240, 24, 240]);
    expect(report.spans.every((span) => span.own_ns > 0 && span.end_ns - span.begin_ns === span.own_ns)).toBe(true);
    timeline.close();
    const by_stage = await start_timeline(without, 'stage');
    for (const stage of ['prefill', 'prefill', 'decode'] as const) product(24, stage);
    expect((await by_stage.collect()).spans.map((span) => span.first.tag.stage)).toEqual(['prefill', 'decode']);
    by_stage.close();
  });

  it('tells what the host did meanwhile, on the same clock', async () => {
    await warm();
    const before_ms = performance.now();
    const timeline = await start_timeline(e, 'stage');
    product(240, 'prefill');
    await e.finish();
    const { host } = await timeline.collect();
    timeline.close();
    for (const work of ['encode', 'submit', 'wait', 'read back']) {
      expect(host.some((span) => span.name === work)).toBe(true);
    }
    expect(host.every((span) => span.started_ms >= before_ms && span.wall_ms >= 0)).toBe(true);
    expect(host.every((span) => span.started_ms + span.wall_ms <= performance.now())).toBe(true);
  });
});
