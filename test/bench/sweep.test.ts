import { expect, it } from 'vitest';
import { bench_sweep } from '../../tools/sweep_check.ts';

it('a sweep compiles nothing on its way, and keeps nothing but the records of its cells', async () => {
  const lines: string[] = [];
  const { states, targets } = await bench_sweep({ say: (line) => lines.push(line), quick: true });
  expect(states.map(({ cells }) => cells)).toEqual(Array.from({ length: 10 }, (_, i) => 3 * (i + 1)));
  expect(lines.length).toBe(10);
  const [pipelines, gpu, heap] = targets.map(({ value }) => value as number) as [number, number, number];
  expect(pipelines).toBe(0);
  // Small buffers that readbacks use again come with the first picture and the first long answer.
  expect(gpu).toBeLessThanOrEqual(8192);
  // A record is numbers and names; a heap that keeps more than twice its text keeps something else.
  expect(heap).toBeLessThan(2 * (targets[2]?.goal as number));
});
