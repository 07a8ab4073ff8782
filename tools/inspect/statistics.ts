/** Of a stream of values; nothing of it is kept. */
export interface Statistics {
  readonly count: number;
  /** NaN and infinities; the rest of the numbers is of the others. */
  readonly non_finite: number;
  /** null where no value was finite. */
  readonly mean: number | null;
  /** Of the population. */
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

export interface Summing {
  readonly add: (values: Iterable<number>) => void;
  readonly result: () => Statistics;
}

/** Welford's sums: a mean far from zero costs no digits. */
export function start_statistics(): Summing {
  let count = 0;
  let finite = 0;
  let mean = 0;
  let squares = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  return {
    add(values) {
      for (const x of values) {
        count += 1;
        if (!Number.isFinite(x)) continue;
        finite += 1;
        const off = x - mean;
        mean += off / finite;
        squares += off * (x - mean);
        if (x < min) min = x;
        if (x > max) max = x;
      }
    },
    result() {
      const of = (value: number) => (finite === 0 ? null : value);
      return {
        count,
        non_finite: count - finite,
        mean: of(mean),
        std: of(Math.sqrt(squares / finite)),
        min: of(min),
        max: of(max),
      };
    },
  };
}
