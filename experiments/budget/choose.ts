/** A setting of the knobs with what it is worth and the most it is expected to take for this request. */
export interface Priced {
  readonly quality: number;
  readonly limit_ms: number;
}

export interface Wanted {
  readonly budget_ms: number;
  /** Answers are to be worth at least so much. */
  readonly quality_at_least?: number;
}

/** The better answers, then the sooner. */
const is_better = (a: Priced, b: Priced): boolean =>
  a.quality > b.quality || (a.quality === b.quality && a.limit_ms < b.limit_ms);

export const fits = ({ quality, limit_ms }: Priced, { budget_ms, quality_at_least = 0 }: Wanted): boolean =>
  limit_ms <= budget_ms && quality >= quality_at_least;

/** Of those that keep to the budget the one of the best answers, of equals the fastest, of these the first. */
export const best_within = <P extends Priced>(all: readonly P[], wanted: Wanted): P | undefined =>
  all.reduce<P | undefined>(
    (best, one) => (fits(one, wanted) && (best === undefined || is_better(one, best)) ? one : best),
    undefined,
  );

/** The soonest of those whose answers are worth enough. */
export const fastest = <P extends Priced>(all: readonly P[], quality_at_least = 0): P | undefined =>
  all
    .filter(({ quality }) => quality >= quality_at_least)
    .reduce<P | undefined>(
      (best, one) =>
        best === undefined || one.limit_ms < best.limit_ms || (one.limit_ms === best.limit_ms && is_better(one, best))
          ? one
          : best,
      undefined,
    );

/** On either side of a choice, what less time would give, and the least time that would give more. */
export function neighbours<P extends Priced>(all: readonly P[], chosen: P): { readonly less?: P; readonly more?: P } {
  const less = best_within(
    all.filter(({ limit_ms, quality }) => limit_ms < chosen.limit_ms && quality < chosen.quality),
    { budget_ms: chosen.limit_ms },
  );
  const more = fastest(all.filter(({ quality }) => quality > chosen.quality));
  return { ...(less && { less }), ...(more && { more }) };
}
