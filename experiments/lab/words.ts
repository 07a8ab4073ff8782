/** Fewer values have no 95 % interval worth its name: what a bootstrap of them gives is their range. */
const LEAST_FOR_INTERVAL = 6;

export const interval_name = (n: number): string => (n < LEAST_FOR_INTERVAL ? `range of ${n}` : '95 % interval');
