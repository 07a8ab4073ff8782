/** What a request takes as it runs by default, and what its first run took on top of that: compiling, mostly. */
export interface Pace {
  readonly warm_ms: number;
  readonly first_extra_ms: number;
}

export interface Estimate {
  /** A variant ran this request for the first time, which took so long. */
  readonly first: (request: number, wall_ms: number) => void;
  /** Time until the end: of this request's runs that are left, and of all requests after it with so many variants. */
  readonly left_ms: (
    request: number,
    left: { readonly firsts: number; readonly runs: number },
    variants: number,
  ) => number;
}

/**
 * How long tuning goes on. A first run may take a hundred times a later one and a request a hundred times another, so
 * runs are not counted: each has its own time, and first runs what the first runs before them took.
 */
export function estimate_of(paces: readonly Pace[], runs_each: number): Estimate {
  let seen_ms = 0;
  let expected_ms = 0;
  const extra_of = ({ first_extra_ms }: Pace): number =>
    expected_ms > 0 ? first_extra_ms * (seen_ms / expected_ms) : first_extra_ms;
  return {
    first(request, wall_ms) {
      const pace = paces[request] as Pace;
      seen_ms += Math.max(0, wall_ms - pace.warm_ms);
      expected_ms += pace.first_extra_ms;
    },
    left_ms: (request, { firsts, runs }, variants) =>
      paces.slice(request).reduce((sum, pace, i) => {
        const of_first = i === 0 ? firsts : variants;
        const of_runs = i === 0 ? runs : runs_each * (variants + 1);
        return sum + of_first * (pace.warm_ms + extra_of(pace)) + of_runs * pace.warm_ms;
      }, 0),
  };
}
