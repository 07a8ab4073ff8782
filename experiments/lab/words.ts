import type { Summary } from './schema.ts';

/** Words that every reader meets: rules for them stand here once. */

/** From fewer values the middle 95 % of resampled medians is the whole range, so it is called that. */
const LEAST_FOR_INTERVAL = 6;

export const interval_name = (n: number): 'range' | '95 % interval' =>
  n < LEAST_FOR_INTERVAL ? 'range' : '95 % interval';

type Spread = Pick<Summary, 'n' | 'min' | 'max' | 'median_ci95'>;

/** What `interval_name` names, of the median; null for a single value. */
export function interval_of({ n, min, max, median_ci95 }: Spread): readonly [number, number] | null {
  if (n < 2) return null;
  return n < LEAST_FOR_INTERVAL ? [min, max] : median_ci95;
}

export const FORMULAS_EXPLAINED =
  'S1 and S4 are FLOP formulas that published profiles of this model use. S1: parameters × tokens × 2, all experts counted though a token takes a few. S4: the same, with prefill also growing by parameters × prompt² and every decode step by the whole sequence. Neither is what runs; "exact" is counted from what was launched.';

/** Whether a reader of these texts meets S1 or S4. */
export const names_formulas = (texts: readonly (string | undefined)[]): boolean =>
  texts.some((text) => text !== undefined && /(?<![A-Za-z0-9])S[14](?![A-Za-z0-9])/.test(text));
