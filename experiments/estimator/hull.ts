import { type Example, QUANTITIES, type Quantities } from './example.ts';
import { nnls } from './least_squares.ts';

/** Where a request lies beside the samples: what is said of one that is beyond them is said of something unseen. */
export interface Beyond {
  /** Single numbers that no sample reaches. */
  readonly single: readonly {
    readonly quantity: (typeof QUANTITIES)[number];
    readonly asked: number;
    readonly least: number;
    readonly most: number;
  }[];
  /** Each by itself is between those of samples, all of them together are not. */
  readonly together: boolean;
}

/** So far outside, in ranges of the samples, that it is worth a word. */
const NOTABLE = 0.1;
/** Weights of a mixture add up to one, before anything else. */
const SUM_WEIGHT = 100;

export function beyond(samples: readonly Example[], asked: Quantities): Beyond {
  const ranges = QUANTITIES.map((quantity) => {
    const values = samples.map((sample) => sample[quantity]);
    return { quantity, least: Math.min(...values), most: Math.max(...values) };
  });
  const single = ranges.flatMap(({ quantity, least, most }) => {
    const value = asked[quantity];
    return value < least || value > most ? [{ quantity, asked: value, least, most }] : [];
  });
  return { single, together: single.length === 0 && distance(samples, asked, ranges) > NOTABLE };
}

/** From the nearest mixture of samples. */
function distance(
  samples: readonly Example[],
  asked: Quantities,
  ranges: readonly { readonly quantity: (typeof QUANTITIES)[number]; readonly least: number; readonly most: number }[],
): number {
  const scaled = (of: Quantities) =>
    ranges.map(({ quantity, least, most }) => (of[quantity] - least) / (most - least || 1));
  const points = samples.map(scaled);
  const wanted = scaled(asked);
  const rows = wanted.map((_, axis) => points.map((point) => point[axis] as number));
  const mixture = nnls([...rows, points.map(() => SUM_WEIGHT)], [...wanted, SUM_WEIGHT]);
  const reached = rows.map((row) => row.reduce((sum, value, i) => sum + value * (mixture[i] as number), 0));
  return Math.hypot(...reached.map((value, axis) => value - (wanted[axis] as number)));
}
