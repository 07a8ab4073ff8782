import type { Finding, FitRecord, Summary } from './schema.ts';
import { linear_fit } from './stats.ts';
import { interval_of } from './words.ts';

/** Verdicts on numbers that have intervals: one that its interval does not settle is none. */

export interface Estimate {
  readonly value: number;
  /** Ends of the interval of a median; of numbers made of several, the farthest that theirs allow. */
  readonly low: number;
  readonly high: number;
  /** Runs of each median; of several, the fewest. */
  readonly n: number;
}

/** The range of two runs holds the median no oftener than a coin falls heads, that of three 3 times of 4. */
export const LEAST_RUNS = 3;

/** Of a time. null where there is none, or too few runs for a range, or one that no clock can have given. */
export function estimate_of(summary: Summary | null | undefined): Estimate | null {
  const range = summary ? interval_of(summary) : null;
  return summary && range && summary.n >= LEAST_RUNS && range[0] > 0
    ? { value: summary.median, low: range[0], high: range[1], n: summary.n }
    : null;
}

const both =
  (make: (a: Estimate, b: Estimate) => Omit<Estimate, 'n'>) =>
  (a: Estimate | null, b: Estimate | null): Estimate | null =>
    a && b ? { ...make(a, b), n: Math.min(a.n, b.n) } : null;

export const plus = both((a, b) => ({ value: a.value + b.value, low: a.low + b.low, high: a.high + b.high }));

/** Of times: both are positive. */
export const over = both((a, b) => ({ value: a.value / b.value, low: a.low / b.high, high: a.high / b.low }));

/** Of a function that rises or falls all along. */
export function through(estimate: Estimate | null, f: (x: number) => number): Estimate | null {
  if (estimate === null) return null;
  const [a, b] = [f(estimate.low), f(estimate.high)];
  return { value: f(estimate.value), low: Math.min(a, b), high: Math.max(a, b), n: estimate.n };
}

export interface Bounds {
  readonly least?: number;
  readonly most?: number;
}

/** Whether it lies within the bounds, as far as its interval tells. */
export function outcome_within(
  { low, high }: Pick<Estimate, 'low' | 'high'>,
  { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY }: Bounds,
): Finding['outcome'] {
  if (low >= least && high <= most) return 'confirmed';
  return high < least || low > most ? 'refuted' : 'not tested';
}

/** Whether estimates lie on a line, by R squared. A worse one tells only where the line misses an interval: else it may be noise. */
export function on_a_line(
  points: readonly (Estimate & { readonly x: number })[],
  least: number,
): { readonly fit: FitRecord; readonly outcome: Finding['outcome'] } {
  const fit = linear_fit(
    points.map(({ x }) => x),
    points.map(({ value }) => value),
  );
  const meets = ({ x, low, high }: (typeof points)[number]): boolean => {
    const y = fit.intercept + fit.slope * x;
    return low <= y && y <= high;
  };
  if ((fit.r_squared ?? 0) >= least) return { fit, outcome: 'confirmed' };
  return { fit, outcome: points.every(meets) ? 'not tested' : 'refuted' };
}
