import type { Fit, Point } from './charts.ts';
import type { FitRecord, Summary } from './schema.ts';
import { interval_of, LEAST_FOR_INTERVAL } from './words.ts';

/** What charts say of their numbers, in the words of all experiments. */

const INTERVAL = '95 % interval of the median';

/** "median of 10 runs, error bars: 95 % interval of the median; host wall time between fences", by the runs of each point. */
export function runs_note(counts: readonly number[], clocks: readonly string[]): string {
  if (counts.length === 0) return 'no runs';
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const runs = least === most ? `${least} run${least === 1 ? '' : 's'}` : `${least} to ${most} runs`;
  const range = most < LEAST_FOR_INTERVAL ? 'range' : `range, from ${LEAST_FOR_INTERVAL} runs the ${INTERVAL}`;
  const bars = least < LEAST_FOR_INTERVAL ? range : INTERVAL;
  const what = most > 1 ? `median of ${runs}, error bars: ${bars}` : `${runs}, no error bars`;
  return `${what}; ${distinct(clocks).join(', ')}`;
}

/** The error bar of a median, as `runs_note` calls it. */
export function error_bar(summary: Summary): Pick<Point, 'low' | 'high'> {
  const range = interval_of(summary);
  return range === null ? {} : { low: range[0], high: range[1] };
}

/** How well a line fits; two points always lie on one. */
export const fit_quality = ({ n, r_squared }: { n: number; r_squared: number | null }): string =>
  `${n < 3 || r_squared === null ? 'too few points for R²' : `R² ${r_squared.toFixed(4)}`}, ${unbroken(`n = ${n}`)}`;

/** A fit and what it says, or why there is none: "prefill ms = 1.751 × tokens + 3.2; R² 0.9987, n = 15". */
export function fit_or_note(stage: string, fit: FitRecord | null, over = 'tokens'): { fits?: Fit[]; notes?: string[] } {
  if (fit === null) return { notes: ['no fit: it needs two different token counts'] };
  const { slope, intercept } = fit;
  const [rise, start] = [slope, Math.abs(intercept)].map((value) => Number(value.toPrecision(4)));
  const line = `${stage} ms = ${rise} × ${over} ${intercept < 0 ? '−' : '+'} ${start}`;
  return { fits: [{ slope, intercept, label: `${line}; ${fit_quality(fit)}` }] };
}

/** "Spearman 0.97, R² 0.93, n = 24". */
export function correlation_note(of?: { n: number; spearman: number | null; r_squared: number | null }): string {
  if (of === undefined || of.n < 3) return 'too few points for a correlation';
  const value = (x: number | null) => (x === null ? 'not defined' : x.toFixed(2).replace('-', '−'));
  return `Spearman ${value(of.spearman)}, R² ${value(of.r_squared)}, n = ${of.n}`;
}

/** Three digits at least, thousands apart. */
export const compact = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);

export const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Lines do not break within one meaning. */
export const unbroken = (text: string): string => text.replaceAll(' ', '\u00a0');
