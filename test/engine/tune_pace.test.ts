import { expect, it } from 'vitest';
import { estimate_of } from '../../engine/tune_pace.ts';

it('the time that is left is told within a third from the first variant on, where first runs and pictures take a hundred times as long', () => {
  const warm = [20, 60, 300, 2500, 9000];
  const compiling = [4000, 900, 900, 6000, 300];
  const variants = 6;
  const runs_each = 3;
  const slower = 1.2; // than the default, by a variant's own compiling
  const estimate = estimate_of(
    warm.map((warm_ms, i) => ({ warm_ms, first_extra_ms: compiling[i] as number })),
    runs_each,
  );
  const steps: { readonly ms: number; readonly told: () => number }[] = [];
  for (const [r, warm_ms] of warm.entries()) {
    for (let firsts = variants - 1; firsts >= 0; firsts--) {
      const ms = warm_ms + slower * (compiling[r] as number);
      const told = () => {
        estimate.first(r, ms);
        return estimate.left_ms(r, { firsts, runs: runs_each * (variants + 1) }, variants);
      };
      steps.push({ ms, told });
    }
    for (let runs = runs_each * (variants + 1) - 1; runs >= 0; runs--) {
      steps.push({ ms: warm_ms, told: () => estimate.left_ms(r, { firsts: 0, runs }, variants) });
    }
  }
  let left = steps.reduce((sum, { ms }) => sum + ms, 0);
  for (const { ms, told } of steps) {
    left -= ms;
    expect(Math.abs(told() - left)).toBeLessThan(left / 3 + 1e-6);
  }
});
