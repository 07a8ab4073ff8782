import { random_numbers } from '../../lab/random.ts';

/** McNemar's exact test: chance of a split at least this uneven between samples that only one side has right. */
export function mcnemar(only_a: number, only_b: number): number {
  const n = only_a + only_b;
  // In logarithms: 2 ** -n is 0 from n = 1075 on.
  let log_term = -n * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(only_a, only_b); k++) {
    tail += Math.exp(log_term);
    log_term += Math.log((n - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}

const FLIPS = 10_000;

/** Chance of a sum at least this far from 0 if each difference might as well have had the other sign. */
export function sign_flips(differences: readonly number[], seed = 1): number {
  const real = differences.filter((difference) => difference !== 0);
  const found = Math.abs(real.reduce((sum, difference) => sum + difference, 0));
  const size = real.reduce((sum, difference) => sum + Math.abs(difference), 0);
  const random = random_numbers(seed);
  let as_far = 0;
  for (let flip = 0; flip < FLIPS; flip++) {
    const sum = real.reduce((total, difference) => total + (random() < 0.5 ? difference : -difference), 0);
    // Sums of other signs differ in their last bits.
    if (Math.abs(sum) >= found - 1e-12 * size) as_far += 1;
  }
  // The signs as they are count among the flips, so that no chance is 0.
  return (as_far + 1) / (FLIPS + 1);
}
