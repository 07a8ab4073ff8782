import { expect, it } from 'vitest';
import { pooled, type RequestRow, request_lines, request_targets } from '../../bench/peers/request_rows.ts';
import { peer_targets } from '../../bench/peers/targets.ts';
import type { RequestResult } from '../../bench/request.bench.ts';
import { real_targets } from '../../bench/request_targets.ts';
import { type Target, target_table, verdict_of } from '../../bench/target.ts';

it.each<[Partial<Target>, string]>([
  [{ value: 70, least: 50, goal: 65 }, 'goal met'],
  [{ value: 60, least: 50, goal: 65 }, 'least met'],
  [{ value: 49, least: 50, goal: 65 }, 'MISSED'],
  [{ value: 60, goal: 65 }, 'MISSED'],
  [{ value: 2, least: 6, goal: 3, fewer: true }, 'goal met'],
  [{ value: 6, least: 6, goal: 3, fewer: true }, 'least met'],
  [{ value: 7, least: 6, goal: 3, fewer: true }, 'MISSED'],
  [{ value: 7 }, ''],
  [{ goal: 3, reason: 'no GPU' }, 'not measured'],
])('%j: %s', (target, verdict) => {
  expect(verdict_of({ what: 'a', unit: 'b', ...target })).toBe(verdict);
});

it('prints a line a target, and why there is no value', () => {
  const lines = target_table([
    { what: 'matmul', unit: '%', value: 38.44, goal: 65 },
    { what: 'decode', unit: 'tokens/s', goal: 400, reason: 'no GPU here' },
  ]);
  expect(lines).toEqual([
    'target  measured  unit      least  goal  verdict',
    'matmul      38.4  %             -    65  MISSED',
    'decode         -  tokens/s      -   400  not measured: no GPU here',
  ]);
});

const request = (wall_ms: number, over = {}): RequestResult => ({
  ...{ preset: 'molmoe-mini', dtype: 'f16', load_ms: 1, rss_bytes: 1, gpu_bytes: 1 },
  runs: [
    { name: 'first', wall_ms: 9 * wall_ms, tokens_per_s: 1, preprocess_ms: 1, counts: {} as never },
    { name: 'second', wall_ms, tokens_per_s: 3, preprocess_ms: 1, counts: {} as never, ...over },
  ],
});

it('judges the real dimensions by their storage format, each stage at its fastest', () => {
  const counts = { views: 2, crops: 1, prompt_tokens: 300, text_tokens: 12, new_tokens: 8 };
  const first = request(1, { vision_encoder_ms: 12_000, prefill_ms: 15_000, counts });
  const second = request(1, { vision_encoder_ms: 14_000, prefill_ms: 10_000, tokens_per_s: 2, counts });
  const measured = {
    ...first,
    runs: [...first.runs, ...second.runs].map((run) => ({ ...run, counts })),
    dtype: 'q8' as const,
  };
  expect(real_targets(measured).map((target) => [target.value, target.least, target.goal])).toEqual([
    [3, 3, 6],
    [6, 9, 5.5],
    [30, 25, 35],
  ]);
  expect(real_targets({ ...measured, dtype: 'q4' })).toEqual([]); // aims of the whole
});

it('asks more of one peer than of the other, and nothing of what did not run', () => {
  const row = { op: 'matmul', shape: '577x1024x1024', dtype: 'f16', ratio: 8 };
  const targets = peer_targets([
    { ...row, peer: 'onnxruntime' },
    { ...row, peer: 'tfjs (nap), f32' },
    { ...row, peer: 'tfjs (nap)', dtype: 'f32' },
    { ...row, peer: 'onnxruntime', ratio: undefined, reason: 'off' },
  ]);
  expect(targets.map(verdict_of)).toEqual(['least met', 'MISSED', '']);
});

const times = (ms: number) => ({ vision_encoder_ms: ms, projector_ms: 0, prefill_ms: 0, decode_ms: 0 });
const runs = (...all: number[]) => all.map(times);

it('judges whole requests by the peer, PyTorch by the build of its BLAS', () => {
  const row = { ours: runs(10, 10, 90), theirs: runs(40, 40, 40) };
  const peers = ['onnxruntime 1.30.0 (WebGPU)', 'PyTorch, openblas-openmp', 'PyTorch, openblas-pthread'];
  const rows = [...peers.map((peer) => ({ ...row, peer })), { peer: 'PyTorch', reason: 'none here' }];
  const targets = peer_targets(request_targets({ what: 'mini', rows }));
  expect(targets.map(({ value, least, goal }) => [value, least, goal])).toEqual([
    [4, 3, 6],
    [4, 1.2, 1.6],
    [4, undefined, undefined],
  ]);
});

it('adds samples of earlier runs of the same request and peer, whatever its product took', () => {
  const now = { what: 'mini', rows: [{ peer: 'PyTorch, a product of 1024 at 9', ours: runs(10), theirs: runs(30) }] };
  const before = {
    what: 'mini',
    rows: [{ peer: 'PyTorch, a product of 1024 at 8', ours: runs(20), theirs: runs(50) }],
  };
  const other = { what: 'nano', rows: [{ peer: 'PyTorch, a product of 1024 at 9', ours: runs(1), theirs: runs(1) }] };
  const [row] = pooled(now, [before, other, { what: 'mini', rows: [{ peer: 'onnxruntime', reason: 'off' }] }]).rows;
  expect(row).toMatchObject({ ours: runs(20, 10), theirs: runs(50, 30) });
  expect(request_lines({ what: 'mini', rows: [row as RequestRow] }).at(-2)).toMatch(
    /ours +15 ms, peer +40 ms.* 2\.67x/,
  );
});
