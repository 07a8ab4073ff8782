import { z } from 'zod';
import { random_numbers } from './random.ts';
import { finite } from './schema.ts';
import { interval95, percentile, resample } from './stats.ts';
import { LEAST_FOR_INTERVAL } from './words.ts';

/** A number made of the medians of several cells, such as the difference of two. */
export const contrast_schema = z.strictObject({
  value: finite,
  /** Bootstrap over the runs of all cells; null where one has too few. */
  ci95: z.tuple([finite, finite]).nullable(),
});
export type Contrast = z.infer<typeof contrast_schema>;

/** A cell as contrasts need it: its median, and those of runs drawn from its own; null where it has too few for an interval. */
export interface Drawn {
  readonly median: number;
  readonly medians: readonly number[] | null;
}

/** Two cells of the same runs are drawn apart by their seeds. */
export const drawn_of = (runs: readonly number[], seed: number): Drawn => ({
  median: percentile(runs, 50),
  medians: runs.length < LEAST_FOR_INTERVAL ? null : resample(runs, random_numbers(seed)).medians,
});

/** `of` gets the medians in the order of the cells. */
export function contrast(cells: readonly Drawn[], of: (...medians: readonly number[]) => number): Contrast {
  const value = of(...cells.map(({ median }) => median));
  const drawn = cells.map(({ medians }) => medians);
  const [first] = drawn;
  if (!first || drawn.includes(null)) return { value, ci95: null };
  return { value, ci95: interval95(first.map((_, r) => of(...drawn.map((medians) => medians?.[r] as number)))) };
}

/** Whether the interval leaves this number out; null where there is no interval. */
export const leaves_out = ({ ci95 }: Contrast, number: number): boolean | null =>
  ci95 && (number < ci95[0] || number > ci95[1]);
