import { bootstrap_ratio, grouped, type Interval, type Resampling } from './bootstrap.ts';
import { type Configuration, pair_up } from './paired.ts';

/**
 * How much of the full model's score a configuration keeps, in percent, on the same samples; null where the full model
 * scores 0. Its interval is null where the full model might have scored 0 on other pictures.
 */
export function percent_of_full(
  full: Configuration,
  configuration: Configuration,
  resampling?: Resampling,
): Omit<Interval, 'value'> & { readonly percent: number | null } {
  const sums = grouped(pair_up(full, configuration), ({ picture }) => picture).map((group) => ({
    full: group.reduce((sum, { a }) => sum + a, 0),
    kept: group.reduce((sum, { b }) => sum + 100 * b, 0),
  }));
  const { value, ...interval } = bootstrap_ratio(sums, 'kept', 'full', resampling);
  return { ...interval, percent: Number.isFinite(value) ? value : null };
}
