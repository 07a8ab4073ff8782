import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { aim_rows, say_aims } from '../../bench/aims.ts';
import { type HistoryRecord, read_all_history } from '../../bench/history.ts';
import { verdict_of } from '../../bench/target.ts';
import { repo_root } from '../support/golden.ts';

const FIRST = 'llvmpipe: Mesa 25.0.7 (LLVM 15)';
const OTHER = 'llvmpipe: Mesa 26.2.6 (LLVM 22)';
const host = { cpu: 'a CPU', cores: 2, memory_bytes: 1, node: 'v20' };

const record = (results: object, more: Partial<HistoryRecord> = {}): HistoryRecord => ({
  ...{ schema: 'molmoe.bench/1', date: '2026-11-27T10:00:00Z', version: '0', commit: 'abcdef0123', dirty: false },
  ...{ adapter: FIRST, host, results: results as Record<string, unknown> },
  ...more,
});
const row_of = (now: HistoryRecord, history: readonly HistoryRecord[], what: RegExp) =>
  aim_rows(now, history).find((row) => what.test(row.what));

it('tells what was measured now, else the newest that was recorded with date and commit, else the command', () => {
  const load = (share_of_cat: number) => ({ load: { share_of_cat } });
  const old = [record(load(0.1), { date: '2026-11-20T10:00:00Z' }), record(load(0.3), { dirty: true })];
  expect(row_of(record(load(0.25)), old, /^load/)).toMatchObject({ value: 0.25, from: 'measured now' });
  const recorded = row_of(record({}), old, /^load/);
  expect(recorded).toMatchObject({ value: 0.3, from: 'recorded 2026-11-27, abcdef0 and changes' });
  expect(row_of(record({}), [], /^load/)).toMatchObject({ from: 'npm run bench -- load' });
  expect(row_of(record({}), [], /^load/)?.value).toBeUndefined();
  expect(row_of(record({}, { adapter: OTHER }), old, /^load/)?.value).toBeUndefined();
});

it('one driver over another compares speeds, not shares of ceilings', () => {
  const what = 'matmul 512x2048x2048 f16';
  const targets = (value: number, fma_f32_flops: number) => {
    return { targets: { targets: [{ what, unit: '% of multiply-adds', value }], ceilings: { fma_f32_flops } } };
  };
  const history = [record(targets(50, 100e9)), record(targets(60, 75e9), { adapter: OTHER })];
  const row = row_of(record({}), history, /Mesa 26 over Mesa 25: matmul 512/);
  expect(row?.value).toBeCloseTo(0.9);
  expect(row && verdict_of(row)).toBe('least met');
  const elsewhere = record(targets(60, 75e9), { adapter: OTHER, host: { ...host, cpu: 'another CPU' } });
  expect(row_of(record({}), [record(targets(50, 100e9)), elsewhere], /Mesa 26 over Mesa 25: matmul 512/)?.value).toBe(
    undefined,
  );
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

it('every miss that is on record has its cause in docs/speed.md, under the name of the aim', () => {
  const history = read_all_history();
  const docs = readFileSync(join(repo_root, 'docs/speed.md'), 'utf8');
  const newest = history.findLast(({ adapter }) => /llvmpipe.*Mesa 25/.test(adapter)) as HistoryRecord;
  const rows = aim_rows(record({}, { adapter: newest.adapter, host: newest.host as typeof host }), history);
  const lines: string[] = [];
  say_aims((line) => void lines.push(line), rows);
  expect(lines.length).toBeGreaterThan(rows.length);
  for (const row of rows.filter((one) => verdict_of(one) === 'MISSED')) expect(docs).toContain(`| ${row.what} |`);
});
