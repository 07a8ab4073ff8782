/** Words that every reader meets: rules for them stand here once. */

/** From fewer values the middle 95 % of resampled medians is the whole range, so it is called that. */
const LEAST_FOR_INTERVAL = 6;

export const interval_name = (n: number): 'range' | '95 % interval' =>
  n < LEAST_FOR_INTERVAL ? 'range' : '95 % interval';
