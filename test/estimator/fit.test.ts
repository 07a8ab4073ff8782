import { describe, expect, it } from 'vitest';
import { dot, fit_stage, fit_terms } from '../../experiments/estimator/fit.ts';
import { random_numbers } from '../../experiments/lab/random.ts';

/** Requests from small to large, whose terms grow each in its own way. */
function made(count: number, truth: readonly number[], noise: number, seed: number) {
  const random = random_numbers(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const rows = Array.from({ length: count }, () => {
    const size = 10 ** (3 * random());
    return [size, size ** 1.5 * random(), 5 + 20 * random(), 0];
  });
  const times = rows.map((row) => dot(row, truth) * Math.exp(noise * normal()));
  return { rows, times };
}

const TRUTH = [3, 0.7, 12, 0];
const ONES = [1, 1, 1, 1];
const worst = (found: readonly number[], rows: readonly (readonly number[])[], times: readonly number[]) =>
  Math.max(...rows.map((row, i) => Math.abs(dot(row, found) / (times[i] as number) - 1)));

describe('coefficients of terms', () => {
  it('are those that made the times, large and small alike', () => {
    const { rows, times } = made(40, TRUTH, 0, 1);
    const found = fit_terms(rows, times, ONES, 1e-9);
    [3, 0.7, 12].forEach((value, j) => {
      expect((found[j] as number) / value).toBeCloseTo(1, 4);
    });
  });

  it('stay near them under noise, and where a fifth of the runs was disturbed', () => {
    const { rows, times } = made(60, TRUTH, 0.03, 2);
    const clean = made(60, TRUTH, 0, 2);
    expect(worst(fit_terms(rows, times, ONES, 1e-3), clean.rows, clean.times)).toBeLessThan(0.06);
    const disturbed = times.map((ms, i) => (i % 5 === 0 ? 2.5 * ms : ms));
    expect(worst(fit_terms(rows, disturbed, ONES, 1e-3), clean.rows, clean.times)).toBeLessThan(0.12);
  });

  it('are the prior’s proportions where nothing is measured of a term, at the speed of the samples', () => {
    const { rows, times } = made(20, TRUTH, 0, 3);
    const prior = [3, 0.7, 12, 50].map((value) => 2 * value);
    expect(fit_terms(rows, times, prior, 1)[3]).toBeCloseTo(50, 5);
    expect(fit_terms([], [], prior, 1)).toEqual(prior);
    // One request: all that can be said is how fast this adapter is as a whole.
    const one = fit_terms(rows.slice(0, 1), times.slice(0, 1), prior, 1);
    one.forEach((value, j) => {
      expect(value).toBeCloseTo((prior[j] as number) / 2, 5);
    });
  });

  it('lie between what samples and prior say, the nearer to the prior the more it draws', () => {
    const { rows, times } = made(30, TRUTH, 0, 4);
    const prior = [6, 0.1, 1, 1];
    const from = (strength: number) => fit_terms(rows, times, prior, strength)[0] as number;
    const [free, half, held] = [from(1e-6), from(1), from(1e6)];
    expect(Math.abs(half - free)).toBeLessThan(Math.abs(held - free));
    expect(Math.abs(half - held)).toBeLessThan(Math.abs(free - held));
  });
});

describe('how strongly a prior draws', () => {
  const folds_of = (count: number) => Array.from({ length: count }, (_, i) => i % 8);
  const error_with = (prior: readonly number[], count: number, noise: number, seed: number) => {
    const { rows, times } = made(count, TRUTH, noise, seed);
    const fit = fit_stage(rows, times, folds_of(count), Math.min(8, count), prior);
    const clean = made(50, TRUTH, 0, 99);
    return { strength: fit.strength, error: worst(fit.coefficients, clean.rows, clean.times) };
  };

  it('is much where it is right and samples are few, little where it is wrong', () => {
    const right = [];
    const wrong = [];
    for (let seed = 1; seed <= 12; seed++) {
      right.push(error_with(TRUTH, 8, 0.1, seed));
      wrong.push(error_with([0.01, 3, 0.1, 1], 8, 0.02, seed));
    }
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(right.map(({ strength }) => Math.log10(strength)))).toBeGreaterThan(
      mean(wrong.map(({ strength }) => Math.log10(strength))) + 1,
    );
    expect(mean(right.map(({ error }) => error))).toBeLessThan(0.12);
    expect(mean(wrong.map(({ error }) => error))).toBeLessThan(0.5);
  });

  it('is half and half where there is nothing to leave out', () => {
    const { rows, times } = made(2, TRUTH, 0, 1);
    expect(fit_stage(rows, times, [0, 1], 2, ONES).strength).toBe(1);
    expect(fit_stage([], [], [], 0, ONES)).toMatchObject({ coefficients: ONES, folds: [] });
  });
});
