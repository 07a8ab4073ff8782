import { type Asked, type Estimator, type Phase, predict } from './estimator.ts';

/** Share of requests like the samples whose time an interval is to hold. */
export const LEVEL = 0.9;

export type Interval = readonly [low: number, high: number];

/**
 * Jackknife+ over folds (Barber and others, 2021), errors as ratios: what each left-out sample was off by, around what the
 * model that had not seen it says of this request. It supposes nothing of how errors are spread, only that the request is
 * one like the samples. null: fewer samples than a level wants, nine for 0.9.
 */
export function interval_for(estimator: Estimator, asked: Asked, phase: Phase, level = LEVEL): Interval | null {
  const predicted = estimator.folds.map((one) => predict(one, estimator.roof, asked)[phase]);
  const ends = estimator.left_out.flatMap(({ fold, off }): [number, number][] => {
    const at = predicted[fold];
    const error = off[phase];
    if (at === undefined || error === undefined) return [];
    return [[at * Math.exp(-Math.abs(error)), at * Math.exp(Math.abs(error))]];
  });
  return conformal(ends, level);
}

/** From the ends that each left-out sample gives, those that so many of one more are to lie between. */
export function conformal(ends: readonly Interval[], level: number): Interval | null {
  const n = ends.length;
  // A level such as 0.9 is no fraction of two: 0.1 x 10 is to be 1, not a little less.
  const beyond = Math.floor((1 - level) * (n + 1) + 1e-9);
  if (beyond < 1) return null;
  const sorted = (side: 0 | 1) => ends.map((end) => end[side]).sort((a, b) => a - b);
  return [sorted(0)[beyond - 1] as number, sorted(1)[n - beyond] as number];
}
