/** Of two qualities: the smaller x and the larger y are better, as of latency and accuracy. */
export interface Tradeoff {
  readonly x: number;
  readonly y: number;
}

/** Of the latencies of a configuration, what it is judged by. */
export const LATENCY_METRICS = ['mean', 'P50', 'P95', 'P99'] as const;
export type LatencyMetric = (typeof LATENCY_METRICS)[number];

/** What is meant by a front wherever this project draws or counts one. */
export const FRONT_RULE =
  'on the front is what no other beats: none is at most as slow and at least as accurate and better in one of the two; equal points are all on it';

const beats = (a: Tradeoff, b: Tradeoff): boolean => a.x <= b.x && a.y >= b.y && (a.x < b.x || a.y > b.y);

/** Places of the points on the front, from the fastest on. */
export function pareto_front(points: readonly Tradeoff[]): number[] {
  return points
    .map((_, i) => i)
    .filter((i) => !points.some((other) => beats(other, points[i] as Tradeoff)))
    .sort((a, b) => (points[a] as Tradeoff).x - (points[b] as Tradeoff).x || a - b);
}

/** Another rule that the study draws fronts by, and what differs. */
export const TIED_FRONT_RULE =
  'sorted by latency alone, as given where that is equal, what is at least as accurate as the best before it, give or take 1e-9: slower ones of the same accuracy stay on it';

/** Accuracies nearer than this are one, and nothing below this is ever on a front: both as the study's plots have it. */
const TIE = 1e-9;
const LEAST = -1;

/** Places of the points on the front that keeps ties, from the fastest on. What is on it may be beaten, so nothing is decided by it. */
export function tied_front(points: readonly Tradeoff[]): number[] {
  let best = LEAST;
  return points
    .map((_, i) => i)
    .sort((a, b) => (points[a] as Tradeoff).x - (points[b] as Tradeoff).x || a - b)
    .filter((i) => {
      const { y } = points[i] as Tradeoff;
      if (y < best - TIE) return false;
      best = Math.max(best, y);
      return true;
    });
}

/** Of two sets the share that both have; null of two empty ones. */
export function jaccard<T>(a: Iterable<T>, b: Iterable<T>): number | null {
  const [one, other] = [new Set(a), new Set(b)];
  const all = new Set([...one, ...other]).size;
  return all === 0 ? null : [...one].filter((value) => other.has(value)).length / all;
}
