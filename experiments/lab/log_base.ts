import type { Stack } from './charts.ts';

/** On a logarithmic axis, which has no zero, bars stand on a power of ten below the first segment of each. */
export function log_base({ bars }: Pick<Stack, 'bars'>): number {
  const firsts = bars.flatMap(
    ({ segments }) => segments.map(({ value }) => value).filter((value) => value > 0)[0] ?? [],
  );
  return 10 ** Math.floor(Math.log10(Math.min(...firsts)) - 0.15);
}
