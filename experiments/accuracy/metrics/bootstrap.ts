import { InputError, UsageError } from '../../../engine/errors.ts';
import { below, random_numbers } from '../../lab/random.ts';
import { percentile } from '../../lab/stats.ts';
import { quoted } from './text.ts';

const RESAMPLES = 2000;

export interface Resampling {
  readonly resamples?: number;
  readonly seed?: number;
}

export interface Interval {
  readonly value: number;
  /** The middle 95 % of resampled values; null of one cluster, or where a resample has no such value. */
  readonly ci95: readonly [number, number] | null;
  readonly clusters: number;
}

/**
 * An interval by drawing whole clusters with replacement: questions of one picture are right or wrong together, so the
 * questions themselves would make it too narrow.
 */
export const bootstrap = <T>(
  clusters: readonly T[],
  statistic: (drawn: readonly T[]) => number,
  resampling: Resampling = {},
): Interval =>
  bootstrap_places(
    clusters.length,
    (places) => statistic(Array.from(places, (place) => clusters[place] as T)),
    resampling,
  );

/** By the places of what is drawn. */
function bootstrap_places(
  n: number,
  statistic: (places: readonly number[] | Uint32Array) => number,
  { resamples = RESAMPLES, seed = 1 }: Resampling,
): Interval {
  if (n === 0) throw new InputError('bootstrap: expected at least one cluster, found none');
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new UsageError(`bootstrap: expected a whole number of resamples from 1 on, found ${resamples}`);
  }
  const value = statistic(Array.from({ length: n }, (_, i) => i));
  if (n === 1) return { value, ci95: null, clusters: n };
  const random = random_numbers(seed);
  const places = new Uint32Array(n);
  const values = Array.from({ length: resamples }, () => {
    for (let i = 0; i < n; i++) places[i] = below(n, random);
    return statistic(places);
  });
  const ci95 = values.every(Number.isFinite) ? ([percentile(values, 2.5), percentile(values, 97.5)] as const) : null;
  return { value, ci95, clusters: n };
}

/** The score of one answer, and the picture it is about. */
export interface Scored {
  readonly id: string;
  readonly picture: string;
  readonly score: number;
}

/** Groups in the order in which their keys are first seen. */
export function grouped<T>(all: readonly T[], key: (one: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(key(one));
    if (group) group.push(one);
    else groups.set(key(one), [one]);
  }
  return [...groups.values()];
}

/** The mean of scores, its interval clustered by picture. */
export function mean_score(scored: readonly Scored[], resampling?: Resampling): Interval {
  check_scores(scored, 'mean score');
  const sums = grouped(scored, ({ picture }) => picture).map((group) => ({
    sum: group.reduce((sum, { score }) => sum + score, 0),
    n: group.length,
  }));
  return bootstrap_ratio(sums, 'sum', 'n', resampling);
}

/** A ratio of two sums over clusters, such as scores over samples: `bootstrap` of that, without the lists it would make. */
export function bootstrap_ratio<K extends string>(
  clusters: readonly Readonly<Record<K, number>>[],
  above: K,
  under: K,
  resampling: Resampling = {},
): Interval {
  const [over, below_it] = [above, under].map((name) => Float64Array.from(clusters, (cluster) => cluster[name])) as [
    Float64Array,
    Float64Array,
  ];
  const ratio = (drawn: readonly number[] | Uint32Array): number => {
    let [sum, of] = [0, 0];
    for (const i of drawn) {
      sum += over[i] as number;
      of += below_it[i] as number;
    }
    return sum / of;
  };
  return bootstrap_places(clusters.length, ratio, resampling);
}

/** Of sums over clusters. */
export function ratio_of<K extends string>(drawn: readonly Readonly<Record<K, number>>[], above: K, under: K): number {
  const total = (name: K) => drawn.reduce((sum, cluster) => sum + cluster[name], 0);
  return total(above) / total(under);
}

export function check_scores(scored: readonly Scored[], what: string): void {
  if (scored.length === 0) throw new InputError(`${what}: expected at least one score, found none`);
  const bad = scored.find(({ score }) => !Number.isFinite(score));
  if (bad) throw new InputError(`${what}: expected finite scores, found ${bad.score} of sample ${quoted(bad.id)}`);
}
