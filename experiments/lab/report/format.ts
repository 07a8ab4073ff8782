/** Numbers as a reader wants them: as many digits as mean something, and always a unit. */

export const NONE = '–';

/** Three significant digits below a thousand, whole numbers above. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (value < 0) return `−${digits(size)}`;
  if (size >= 999.5) return Math.round(size).toLocaleString('en-US');
  if (size < 1e-6) return size.toExponential(1);
  return size.toPrecision(3);
}

export const or_none = (value: number | null | undefined, show: (value: number) => string): string =>
  value === null || value === undefined ? NONE : show(value);

export const ms = (value: number): string => `${digits(value)} ms`;
export const count = (value: number): string => value.toLocaleString('en-US');

/** A share as percent; small ones keep a digit. */
export const percent = (share: number): string =>
  `${Math.abs(share) < 0.0995 ? (100 * share).toFixed(1) : (100 * share).toFixed(0)} %`;

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'];

/** 1.2e10, 'FLOP' -> '12.0 GFLOP'. */
export function si(value: number, unit: string): string {
  let step = 0;
  let x = value;
  while (Math.abs(x) >= 999.5 && step < PREFIXES.length - 1) {
    x /= 1000;
    step += 1;
  }
  return `${step === 0 && Number.isInteger(x) ? x : digits(x)} ${PREFIXES[step]}${unit}`;
}

/** "1.20 to 1.40 ms"; null is a single run. */
export const interval = (ends: readonly [number, number] | null | undefined): string =>
  ends ? `${digits(ends[0])} to ${digits(ends[1])} ms` : 'one run: none';

/** Ticks of an axis: no more digits than their distance needs. */
export function tick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e5) {
    const [number = '', prefix = ''] = si(value, '').split(' ');
    return `${Number(number.replaceAll(',', '').replace('−', '-'))} ${prefix}`.replace('-', '−').trim();
  }
  if (size > 0 && size < 1e-4) return value.toExponential().replace('e-', 'e−');
  return Number(value.toPrecision(6)).toLocaleString('en-US', { maximumSignificantDigits: 6 }).replace('-', '−');
}

/** "Latency (ms)" -> ["Latency", "ms"]. */
export function name_and_unit(label: string): readonly [string, string] {
  const [, name = label, unit = ''] = /^(.*?)\s*\(([^()]*)\)$/.exec(label) ?? [];
  return [name, unit];
}

const SCALED_UNITS = new Set(['FLOP', 'FLOP/s', 'B', 'B/s', 'bytes', 'FLOP/byte']);

/** A value of an axis as a reader wants it. */
export function measure(value: number, label: string): string {
  const [, unit] = name_and_unit(label);
  if (SCALED_UNITS.has(unit)) return si(value, unit === 'bytes' ? 'B' : unit);
  const text = Number.isInteger(value) && unit !== 'ms' ? count(value) : digits(value);
  return unit === '' || unit === 'count' ? text : `${text} ${unit}`;
}

/** Round steps (1, 2 or 5 times a power of ten), about `wanted` of them from `low` to `high`. */
export function round_ticks(low: number, high: number, wanted: number): number[] {
  const rough = (high - low) / Math.max(1, wanted);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((k) => k * power >= rough) as number) * power;
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
