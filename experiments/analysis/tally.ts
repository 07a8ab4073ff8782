import { percentile, rests_on_enough } from '../lab/stats.ts';

const PERCENTILES = [50, 75, 90, 95, 99, 99.5, 99.9] as const;

export interface TallySummary {
  readonly n: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly median: number;
  /** Of the population. */
  readonly std: number;
  /** P50 ... P99.9, by linear interpolation. */
  readonly percentiles: Readonly<Record<string, number>>;
  /** Of these too few values lie beyond them to say much: P99.9 of fewer than 1,000. */
  readonly resting_on_few: readonly string[];
}

/** How often each whole number was met: millions of values in the memory of their kinds. */
export class Tally {
  readonly #counts = new Map<number, number>();

  add(value: number, times = 1): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + times);
  }

  get n(): number {
    return [...this.#counts.values()].reduce((sum, times) => sum + times, 0);
  }

  /** Values and how often, least first. */
  get entries(): readonly (readonly [value: number, times: number])[] {
    return [...this.#counts].sort(([a], [b]) => a - b);
  }

  /** Values of at most this. */
  up_to(most: number): number {
    return this.entries.filter(([value]) => value <= most).reduce((sum, [, times]) => sum + times, 0);
  }

  /** The least value that so large a share does not exceed; null of nothing. */
  covering(share: number): number | null {
    const n = this.n;
    return this.entries.find(([value]) => this.up_to(value) >= share * n)?.[0] ?? null;
  }

  /** null of nothing. */
  summary(): TallySummary | null {
    const { n, entries } = this;
    if (n === 0) return null;
    const mean = entries.reduce((sum, [value, times]) => sum + value * times, 0) / n;
    const variance = entries.reduce((sum, [value, times]) => sum + (value - mean) ** 2 * times, 0) / n;
    const values = entries.flatMap(([value, times]) => new Array<number>(times).fill(value));
    const percentiles = Object.fromEntries(PERCENTILES.map((q) => [`P${q}`, percentile(values, q)]));
    return {
      n,
      min: entries[0]?.[0] as number,
      max: entries.at(-1)?.[0] as number,
      mean,
      median: percentiles.P50 as number,
      std: Math.sqrt(variance),
      percentiles,
      resting_on_few: PERCENTILES.filter((q) => !rests_on_enough(q, n)).map((q) => `P${q}`),
    };
  }
}
