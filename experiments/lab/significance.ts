import { errorFunction } from 'simple-statistics';

/**
 * Rank tests and Student's t. The p values of the rank tests are two-sided, by the normal approximation with
 * corrections for ties and continuity: what scipy calls "asymptotic". Exact to about 1e-7.
 */

const two_sided = (z: number): number => Math.min(1, Math.max(0, 1 - errorFunction(Math.abs(z) / Math.SQRT2)));

/** Sum of f(how often a value occurs). */
function over_ties(values: readonly number[], f: (count: number) => number): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum + f(count), 0);
}

/** Mann-Kendall: chance of a trend over the order at least this steady if there were none; 1 where none can be told. */
export function mann_kendall(values: readonly number[]): number {
  const n = values.length;
  let score = 0;
  for (const [i, first] of values.entries()) {
    for (const later of values.slice(i + 1)) score += Math.sign(later - first);
  }
  const spread = (count: number) => count * (count - 1) * (2 * count + 5);
  const variance = (spread(n) - over_ties(values, spread)) / 18;
  if (variance <= 0 || score === 0) return 1;
  return two_sided((Math.abs(score) - 1) / Math.sqrt(variance));
}

/** Mann-Whitney: chance of ranks at least this far apart if both came from one distribution; 1 where none can be told. */
export function mann_whitney(a: readonly number[], b: readonly number[]): number {
  const [m, n] = [a.length, b.length];
  let wins = 0;
  for (const x of a) for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0;
  const both = [...a, ...b];
  const ties = over_ties(both, (count) => count ** 3 - count) / ((m + n) * (m + n - 1));
  const variance = ((m * n) / 12) * (m + n + 1 - ties);
  const distance = Math.abs(wins - (m * n) / 2);
  // Fewer than two values in all make NaN here.
  if (!(variance > 0) || distance <= 0.5) return 1;
  return two_sided((distance - 0.5) / Math.sqrt(variance));
}

/** Chance that Student's t with this many degrees of freedom lies within +-t (Abramowitz and Stegun 26.7.3, 26.7.4). */
function student_t_within(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const cos2 = Math.cos(angle) ** 2;
  const odd = degrees % 2 === 1;
  let sum = 0;
  let term = odd ? Math.cos(angle) : 1;
  for (let k = odd ? 3 : 2; k <= degrees; k += 2) {
    sum += term;
    term *= ((k - 1) / k) * cos2;
  }
  return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}

/** The t that Student's t stays within, either side, with this probability. */
export function student_t_quantile(probability: number, degrees: number): number {
  let low = 0;
  let high = 1;
  while (student_t_within(high, degrees) < probability) high *= 2;
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    if (student_t_within(middle, degrees) < probability) low = middle;
    else high = middle;
  }
}
