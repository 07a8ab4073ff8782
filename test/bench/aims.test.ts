import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { aim_rows, say_aims } from '../../bench/aims.ts';
import { adapter_name, type HistoryRecord, read_all_history } from '../../bench/history.ts';
import { H100_CLASS, verdict_of } from '../../bench/target.ts';
import { repo_root } from '../support/golden.ts';

const FIRST = 'llvmpipe: Mesa 25.0.7 (LLVM 15)';
const OTHER = 'llvmpipe: Mesa 26.2.6 (LLVM 22)';
const NEWER = 'llvmpipe: Mesa 25.1.0 (LLVM 19)';
const host = { cpu: 'a CPU', cores: 2, memory_bytes: 1, node: 'v20' };

const record = (results: object, more: Partial<HistoryRecord> = {}): HistoryRecord => ({
  ...{ schema: 'molmoe.bench/1', date: '2026-11-27T10:00:00Z', version: '0', commit: 'abcdef0123', dirty: false },
  ...{ adapter: FIRST, host, results: results as Record<string, unknown> },
  ...more,
});
const LATER = { date: '2026-11-28T10:00:00Z' };

const row_of = (now: HistoryRecord, history: readonly HistoryRecord[], what: RegExp) =>
  aim_rows(now, history).find((row) => what.test(row.what));

it('tells what was measured now, else the newest that was recorded with date and commit, else the command', () => {
  const load = (share_of_cat: number) => ({ load: { share_of_cat } });
  const old = [record(load(0.1), { date: '2026-11-20T10:00:00Z' }), record(load(0.3), { dirty: true })];
  expect(row_of(record(load(0.25), LATER), old, /^load/)).toMatchObject({ value: 0.25, from: 'measured now' });
  const recorded = row_of(record({}, LATER), old, /^load/);
  expect(recorded).toMatchObject({ value: 0.3, from: 'recorded 2026-11-27, abcdef0 and changes' });
  expect(row_of(record({}), [], /^load/)).toMatchObject({ from: 'npm run bench -- load' });
  expect(row_of(record({}), [], /^load/)?.value).toBeUndefined();
  expect(row_of(record({}, { adapter: OTHER }), old, /^load/)?.value).toBeUndefined();
  // Rounds that went into the history one by one since the bench began.
  expect(row_of(record({}), [record(load(0.4))], /^load/)).toMatchObject({ value: 0.4, from: 'measured now' });
});

it('one driver over another compares speeds, not shares of ceilings', () => {
  const what = 'matmul 512x2048x2048 f16';
  const targets = (value: number, fma_f32_flops: number) => {
    return { targets: { targets: [{ what, unit: '% of multiply-adds', value }], ceilings: { fma_f32_flops } } };
  };
  const history = [record(targets(50, 100e9)), record(targets(60, 75e9), { adapter: OTHER })];
  const driver = /another Mesa over 25.0's: matmul 512/;
  const row = row_of(record(targets(90, 100e9), LATER), history, driver);
  expect(row?.value).toBeCloseTo(0.9); // not of what was measured now on the other one
  expect(row).toMatchObject({ from: `recorded 2026-11-27, abcdef0, on ${OTHER}` });
  expect(row && verdict_of(row)).toBe('least met');
  const there = record(targets(40, 100e9), { adapter: NEWER, dirty: true, ...LATER });
  expect(row_of(there, history, driver)).toMatchObject({ value: 0.8, from: 'measured now' });
  expect(row_of(record({}, LATER), [...history, there], driver)?.value).toBeCloseTo(0.9); // of no committed build
  // The fastest of a day: the host may be slow when a driver has its turn, and yesterday it was another one.
  const slow = record(targets(20, 100e9), { date: '2026-11-27T20:00:00Z' });
  expect(row_of(record({}, LATER), [...history, slow], driver)?.value).toBeCloseTo(0.9);
  const long_ago = record(targets(90, 100e9), { date: '2026-11-20T20:00:00Z' });
  expect(row_of(record({}, LATER), [long_ago, ...history], driver)?.value).toBeCloseTo(0.9);
  const elsewhere = record(targets(60, 75e9), { adapter: OTHER, host: { ...host, cpu: 'another CPU' } });
  expect(row_of(record({}), [record(targets(50, 100e9)), elsewhere], driver)?.value).toBe(undefined);
});

it('peers are told of all requests of a commit, and builds only of the build that was named', () => {
  const times = (ms: number) => ({ vision_encoder_ms: ms, projector_ms: 0, prefill_ms: 0, decode_ms: 0 });
  const round = (theirs: number) => ({
    peers: { what: 'w', rows: [{ peer: 'onnxruntime 1', ours: [times(10)], theirs: [times(theirs)] }] },
  });
  const history = [record(round(90), { commit: 'other' }), record(round(20)), record(round(40)), record(round(30))];
  expect(row_of(record({}), history, /onnxruntime/)?.value).toBe(3);
  const builds = (before_commit: string) => ({ builds: { before_commit, rows: [{ ratio: 1.4 }, { ratio: 1.2 }] } });
  expect(row_of(record(builds('1fd56f2abc')), [], /high regime/)?.value).toBeCloseTo(1.3);
  expect(row_of(record(builds('0000000')), [], /high regime/)?.value).toBeUndefined();
});

it('a request is held against one of the build before, on the same adapter, and its fastest run counts', () => {
  const request = (...ms: number[]) => ({
    request: { dtype: 'f16', runs: [999, ...ms].map((wall_ms) => ({ wall_ms, tokens_per_s: 1 })) },
  });
  const before = { commit: '1fd56f2abc', date: '2026-11-27T09:00:00Z' };
  const history = [
    record(request(9000), { date: '2026-11-01T10:00:00Z' }),
    record(request(6000, 6100), before),
    record(request(8000), { ...before, adapter: OTHER }),
  ];
  const row = row_of(record(request(7000, 3000)), history, /one request/);
  expect(row).toMatchObject({ value: 2, from: 'measured now', least: 1.3, goal: 2 });
  expect(row_of(record({}), history, /one request/)?.value).toBeUndefined(); // older than the build before
});

it('a GPU is called by its model, and the best variant of an H100 is what counts', () => {
  const gpu = { type: 'hardware', description: 'NVIDIA: 550.1', device: 'nvidia-h100-80gb-hbm3' } as never;
  const software = { type: 'software', description: FIRST, device: 'llvmpipe-llvm-15' } as never;
  expect(adapter_name(software)).toBe(FIRST);
  const adapter = adapter_name(gpu);
  expect(adapter).toBe('nvidia-h100-80gb-hbm3, NVIDIA: 550.1');
  expect(H100_CLASS.test(adapter)).toBe(true);
  const one = (family: string, value: number, fewer?: boolean) => [
    { what: `molmoe-1b f16 ${family}, decode, --flush 8`, unit: 'tokens/s', value },
    { what: `molmoe-1b f16 ${family}, first token, 6 views + 900 tokens`, unit: 'ms', value: 1e4 / value, fewer },
  ];
  const now = record({ gpu: { targets: [...one('tiled', 200), ...one('matrix', 500)] } }, { adapter });
  expect(row_of(now, [], /8 tokens a sync/)).toMatchObject({ value: 500, least: 400, goal: 800 });
  expect(row_of(now, [], /first token/)).toMatchObject({ value: 20, least: 100, goal: 40, fewer: true });
  expect(row_of({ ...now, adapter: 'nvidia-l4, NVIDIA: 550.1' }, [], /8 tokens a sync/)?.value).toBeUndefined();
});

it('every miss that is on record has its cause in docs/speed.md, under the name of the aim', () => {
  const history = read_all_history();
  const docs = readFileSync(join(repo_root, 'docs/speed.md'), 'utf8');
  for (const adapter of new Set(history.map((one) => one.adapter))) {
    const newest = history.findLast((one) => one.adapter === adapter) as HistoryRecord;
    const rows = aim_rows({ ...newest, results: {} }, history);
    const lines: string[] = [];
    say_aims((line) => void lines.push(line), rows);
    expect(lines.length).toBeGreaterThan(rows.length);
    const missed = rows.filter((row) => verdict_of(row) === 'MISSED').map(({ what }) => what);
    expect(missed.filter((what) => !docs.includes(`| ${what} |`))).toEqual([]);
  }
});
