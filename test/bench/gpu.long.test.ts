import { expect, it } from 'vitest';
import type { Bench } from '../../bench/bench.ts';
import { bench_gpu } from '../../bench/gpu.bench.ts';
import { open_executor } from '../../engine/node/load.ts';

const lines: string[] = [];
const bench: Bench = {
  ...{ quick: true, runs: 1, out: '', dtype: 'f16', rated: 1000 },
  say: (line) => void lines.push(line),
};
const { executor } = await open_executor({ hush: true });
const { software } = executor.device.traits;

it.runIf(software)('refuses a software adapter in one line', async () => {
  await expect(bench_gpu({ ...bench, quick: false })).rejects.toThrow(/^bench gpu: expected a GPU, found .*--quick$/);
});

it('measures everything on small sizes, and judges none of it', async () => {
  const { targets } = await bench_gpu(bench);
  const measured = targets.filter((target) => target.value !== undefined);
  expect(measured.map((target) => target.what).join('\n')).toMatch(
    /stream read of 1000 GB\/s rated\n(.*\n)*matmul 512\^3 f32, tiled\n(.*\n)*.*--flush 1\n.*--flush 8\n.*first token.*\n.*profiled over clean/,
  );
  expect(measured.every((target) => (target.value as number) > 0)).toBe(true);
  expect(targets.some((target) => target.goal !== undefined || target.least !== undefined)).toBe(false);
  expect(lines).toHaveLength(targets.length + 1); // the ceilings
});
