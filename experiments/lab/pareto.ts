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
