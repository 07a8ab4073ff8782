import { expect, it } from 'vitest';
import { verdict_of } from '../../bench/target.ts';
import { bench_sweep } from '../../tools/sweep_check.ts';

it('a sweep compiles nothing on its way, and keeps nothing but the records of its cells', async () => {
  const lines: string[] = [];
  const { states, targets } = await bench_sweep({ say: (line) => lines.push(line), quick: true });
  expect(states.map(({ cells }) => cells)).toEqual(Array.from({ length: 10 }, (_, i) => 3 * (i + 1)));
  expect(targets.map((target) => [target.what, verdict_of(target)])).toEqual([
    ['pipelines compiled on the way', 'goal met'],
    ['GPU memory added', 'goal met'],
    ['heap added, records apart', 'goal met'],
  ]);
  expect(states[0]?.pipelines).toBeGreaterThan(10);
  expect(lines.length).toBe(11);
});
