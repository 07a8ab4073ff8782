import { max, meanSimple, min, sampleRankCorrelation, standardDeviation } from 'simple-statistics';
import { InputError } from '../../engine/errors.ts';
import { below, random_numbers } from './random.ts';
import type { FitRecord, Summary } from './schema.ts';
import { mann_kendall, student_t_quantile } from './significance.ts';

const RESAMPLES = 2000;
/** Trends and outliers smaller than these are not worth a warning. */
const DRIFT_SHARE = 0.05;
const OUTLIER_SHARE = 0.1;
/** Runs that vary more than this share of their mean make small differences invisible. */
const COV_SHARE = 0.1;

const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

/**
 * Percentile q in 0..100 by linear interpolation at q/100 x (n-1), as numpy computes it to the last bit: next to an
 * infinity that is NaN, where simple-statistics' quantile would skip the interpolation. NaN where any value is.
 */
export function percentile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new InputError('percentile: expected at least one value, found none');
  if (values.some(Number.isNaN)) return Number.NaN;
  return percentile_sorted(ascending(values), q);
}

function percentile_sorted(sorted: readonly number[], q: number): number {
  const last = sorted.length - 1;
  const position = (q / 100) * last;
  const i = Math.floor(position);
  const t = position - i;
  const low = sorted[i] as number;
  const high = sorted[Math.min(i + 1, last)] as number;
  // From the nearer end, so that t near 1 gives exactly `high`.
  return t < 0.5 ? low + t * (high - low) : high - (1 - t) * (high - low);
}

/** Percentile q says something of the tail only where at least one value in so many lies beyond it. */
export const rests_on_enough = (q: number, n: number): boolean => n * (100 - q) >= 100 - 1e-6; // 100 - 99.9 is not quite 0.1

/** `P95 of 40`; `P99 of 10, between the two slowest`; `P50 of 1, the only one`. */
export function percentile_name(q: number, n: number): string {
  const name = `P${q} of ${n}`;
  if (rests_on_enough(q, n) && n > 1) return name;
  return n > 1 ? `${name}, between the two slowest` : `${name}, the only one`;
}

/** What published results hold; of NaN and infinities it makes what numpy makes of them. */
export function basic_statistics(
  values: readonly number[],
): Pick<Summary, 'P50' | 'P95' | 'P99' | 'mean' | 'std' | 'min' | 'max'> {
  return {
    P50: percentile(values, 50),
    P95: percentile(values, 95),
    P99: percentile(values, 99),
    mean: meanSimple([...values]),
    std: standardDeviation([...values]),
    min: values.some(Number.isNaN) ? Number.NaN : min([...values]),
    max: values.some(Number.isNaN) ? Number.NaN : max([...values]),
  };
}

/** Means and medians of lists drawn from these values, with replacement. */
export function resample(values: readonly number[], random: () => number): { means: number[]; medians: number[] } {
  const n = values.length;
  const sorted = ascending(values);
  const counts = new Uint32Array(n);
  const means: number[] = [];
  const medians: number[] = [];
  for (let r = 0; r < RESAMPLES; r++) {
    counts.fill(0);
    let sum = 0;
    for (let k = 0; k < n; k++) {
      const i = below(n, random);
      counts[i] = (counts[i] as number) + 1;
      sum += sorted[i] as number;
    }
    means.push(sum / n);
    medians.push((drawn(sorted, counts, (n - 1) >> 1) + drawn(sorted, counts, n >> 1)) / 2);
  }
  return { means, medians };
}

/** The value of this rank among those drawn: counting spares a sort. */
function drawn(sorted: readonly number[], counts: Uint32Array, rank: number): number {
  let i = 0;
  for (let seen = counts[0] as number; seen <= rank; seen += counts[i] as number) i += 1;
  return sorted[i] as number;
}

/** The middle 95 % of resampled values. */
export function interval95(values: readonly number[]): [number, number] {
  const sorted = ascending(values);
  return [percentile_sorted(sorted, 2.5), percentile_sorted(sorted, 97.5)];
}

/** null for no values; a value that is no number is an error: results never hold one. */
export function summarise(values: readonly number[], seed = 1): Summary | null {
  if (values.length === 0) return null;
  check_finite(values, 'summary');
  const basic = basic_statistics(values);
  const drawn = values.length > 1 ? resample(values, random_numbers(seed)) : null;
  return {
    ...basic,
    median: basic.P50,
    CoV: basic.mean === 0 ? null : basic.std / basic.mean,
    n: values.length,
    mean_ci95: drawn && interval95(drawn.means),
    median_ci95: drawn && interval95(drawn.medians),
  };
}

function check_finite(values: readonly number[], what: string): void {
  const i = values.findIndex((value) => !Number.isFinite(value));
  if (i >= 0) throw new InputError(`${what}: expected finite numbers, found ${values[i]} at position ${i}`);
}

function check_pairs(x: readonly number[], y: readonly number[], what: string): void {
  if (x.length !== y.length) {
    throw new InputError(`${what}: expected as many x as y, found ${x.length} and ${y.length}`);
  }
  check_finite(x, `${what}, x`);
  check_finite(y, `${what}, y`);
}

/** Least squares. Equal y all along give a slope and an R squared of 0, as scipy says it. */
export function linear_fit(x: readonly number[], y: readonly number[]): FitRecord {
  check_pairs(x, y, 'line fit');
  const n = x.length;
  if (new Set(x).size < 2) {
    throw new InputError(`line fit: expected at least two different x, found ${new Set(x).size}; vary them`);
  }
  const [mean_x, mean_y] = [meanSimple([...x]), meanSimple([...y])];
  let [xx, xy, yy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [(x[i] as number) - mean_x, (y[i] as number) - mean_y];
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  const slope = xy / xx;
  const intercept = mean_y - slope * mean_x;
  const r = yy === 0 ? 0 : xy / Math.sqrt(xx) / Math.sqrt(yy);
  // From the residuals themselves: 1 - r x r has no digits left on a nearly perfect line.
  const residual = y.reduce((sum, value, i) => sum + (value - mean_y - slope * ((x[i] as number) - mean_x)) ** 2, 0);
  const half = n < 3 ? null : student_t_quantile(0.95, n - 2) * Math.sqrt(residual / (n - 2) / xx);
  return {
    slope,
    intercept,
    r_squared: Number.isFinite(r) ? Math.min(1, r * r) : null,
    slope_ci95: half === null ? null : [slope - half, slope + half],
    n,
  };
}

/** Rank correlation, equal values sharing their mean rank; null where either side does not vary. */
export function spearman(x: readonly number[], y: readonly number[]): number | null {
  check_pairs(x, y, 'rank correlation');
  if (new Set(x).size < 2 || new Set(y).size < 2) return null;
  return Math.max(-1, Math.min(1, sampleRankCorrelation([...x], [...y])));
}

/** Positions of values beyond Tukey's far-out fences: three times the quartile distance outside the quartiles. */
export function outliers(values: readonly number[]): number[] {
  if (values.length === 0) return [];
  const sorted = ascending(values);
  const [low, high] = [percentile_sorted(sorted, 25), percentile_sorted(sorted, 75)];
  const reach = 3 * (high - low);
  return values.flatMap((value, i) => (value < low - reach || value > high + reach ? [i] : []));
}

export interface Drift {
  /** From first to last run along the Theil-Sen line, as a share of its start. */
  readonly change: number;
  /** Of Mann-Kendall's test. */
  readonly p: number;
}

/** A trend over the order of the runs: p below 0.05 and a change above 5 %; null where there is none. */
export function drift(values: readonly number[]): Drift | null {
  const p = mann_kendall(values);
  if (p >= 0.05) return null;
  const slopes = values.flatMap((first, i) => values.slice(i + 1).map((later, k) => (later - first) / (k + 1)));
  const rise = percentile(slopes, 50) * (values.length - 1);
  const start = percentile(values, 50) - rise / 2;
  const change = rise / start;
  return start > 0 && Math.abs(change) > DRIFT_SHARE ? { change, p } : null;
}

/** What a reader of these latencies should know: a line each, what was seen and what to do. */
export function warnings_of(name: string, values: readonly number[]): string[] {
  if (values.length === 0) return [];
  if (values.length === 1) return [`${name}: a single run, so nothing is known of its spread; raise --runs`];
  const lines: string[] = [];
  const median = percentile(values, 50);
  const { mean, std } = basic_statistics(values);
  if (std > COV_SHARE * mean) {
    const share = ((100 * std) / mean).toFixed(0);
    lines.push(`${name}: its runs vary by ${share} % (CoV); let the machine rest, or raise --warmup and --runs`);
  }
  const far = outliers(values).filter((i) => Math.abs((values[i] as number) - median) > OUTLIER_SHARE * median);
  if (far.length > 0) {
    const seen = far.map((i) => `run ${i + 1} took ${((values[i] as number) / median).toFixed(2)} times`).join(', ');
    lines.push(`${name}: ${seen} the median; something else used the machine: close it or raise --runs`);
  }
  const trend = drift(values);
  if (trend) {
    const [verb, remedy] =
      trend.change < 0
        ? ['fell', 'raise --warmup']
        : ['rose', 'the machine got hot or busy: let it rest or close what runs beside'];
    lines.push(`${name}: ${verb} ${(100 * Math.abs(trend.change)).toFixed(0)} % from first to last run; ${remedy}`);
  }
  return lines;
}
