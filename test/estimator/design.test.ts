import { describe, expect, it } from 'vitest';
import { type Candidate, d_optimal, log_determinant } from '../../experiments/estimator/design.ts';
import { random_numbers } from '../../experiments/lab/random.ts';

/** Rows of two stages; some candidates lack the first. */
function some_candidates(count: number, seed: number): Candidate[] {
  const random = random_numbers(seed);
  const row = (size: number) => Array.from({ length: size }, () => random() ** 3);
  return Array.from({ length: count }, (_, i) => [i % 4 === 0 ? null : row(2), row(4)]);
}

function drawn(count: number, of: number, random: () => number): number[] {
  const all = Array.from({ length: of }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const k = i + Math.floor((of - i) * random());
    [all[i], all[k]] = [all[k] as number, all[i] as number];
  }
  return all.slice(0, count);
}

describe('a D-optimal choice', () => {
  it('has a larger determinant than any of many random ones', () => {
    const candidates = some_candidates(80, 3);
    const random = random_numbers(8);
    for (const count of [5, 10, 25]) {
      const best = log_determinant(candidates, d_optimal(candidates, count));
      for (let i = 0; i < 300; i++) expect(log_determinant(candidates, drawn(count, 80, random))).toBeLessThan(best);
    }
  });

  it('comes near the best of all where all can be tried', () => {
    const near = [];
    for (let seed = 1; seed <= 20; seed++) {
      const candidates = some_candidates(10, seed);
      let best = Number.NEGATIVE_INFINITY;
      for (let set = 0; set < 1024; set++) {
        const chosen = candidates.flatMap((_, i) => (set & (1 << i) ? [i] : []));
        if (chosen.length === 4) best = Math.max(best, log_determinant(candidates, chosen));
      }
      near.push(best - log_determinant(candidates, d_optimal(candidates, 4)));
    }
    expect(Math.min(...near)).toBeGreaterThan(-1e-9);
    expect(Math.max(...near)).toBeLessThan(0.7);
    expect(near.filter((gap) => gap < 1e-9).length).toBeGreaterThan(10);
  });

  it('is the same every time, without repeats, and no more than there are', () => {
    const candidates = some_candidates(30, 4);
    const chosen = d_optimal(candidates, 12);
    expect(d_optimal(candidates, 12)).toEqual(chosen);
    expect(new Set(chosen).size).toBe(12);
    expect(d_optimal(candidates, 99).sort((a, b) => a - b)).toEqual(candidates.map((_, i) => i));
    expect(d_optimal([], 5)).toEqual([]);
  });

  it('copes with candidates that are all alike', () => {
    const same: Candidate[] = Array.from({ length: 6 }, () => [[1, 0, 0], null]);
    expect(new Set(d_optimal(same, 3)).size).toBe(3);
    expect(Number.isFinite(log_determinant(same, [0, 1, 2]))).toBe(true);
  });
});
