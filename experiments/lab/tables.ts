/** A table as data: terminals, pages and exports show the same one. */
export interface Column {
  readonly name: string;
  /** How a value is written. `text` is left as it is. */
  readonly unit: 'text' | 'ms' | 'share' | 'count' | 'number' | 'flop' | 'bytes' | 'per_second';
}

export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  /** null where there is nothing to say. */
  readonly rows: readonly (readonly (string | number | null)[])[];
  /** What a reader must know of the numbers. */
  readonly note?: string;
}

const SCALES = ['', 'k', 'M', 'G', 'T', 'P'];

/** The prefix that suits the largest of some numbers, for all of them. */
export function short_scale(largest: number): { readonly factor: number; readonly prefix: string } {
  const step = Math.max(0, Math.min(SCALES.length - 1, Math.floor(Math.log10(Math.max(largest, 1)) / 3)));
  return { factor: 1000 ** step, prefix: SCALES[step] as string };
}

/** 1234567890 -> "1.23 G": three digits. */
export function short_number(value: number): string {
  let step = 0;
  let x = value;
  while (Math.abs(x) >= 999.5 && step < SCALES.length - 1) {
    x /= 1000;
    step += 1;
  }
  const digits = step === 0 && Number.isInteger(x) ? String(x) : x.toPrecision(3);
  return step === 0 ? digits : `${digits} ${SCALES[step]}`;
}

/** 0.5 -> "0.50 ms", 12.3 -> "12.3 ms", 1234 -> "1234 ms", 12345 -> "12.3 s", 123456 -> "123 s". */
export function short_ms(ms: number): string {
  const size = Math.abs(ms);
  if (size >= 1e4) return `${(ms / 1000).toFixed(size >= 1e5 ? 0 : 1)} s`;
  return `${ms.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)} ms`;
}

const WRITTEN: Readonly<Record<Column['unit'], (value: number) => string>> = {
  text: String,
  ms: short_ms,
  share: (share) => `${(100 * share).toFixed(1)} %`,
  count: String,
  number: (x) => String(Number(x.toPrecision(4))),
  flop: short_number,
  bytes: (bytes) => short_number(bytes),
  per_second: (rate) => short_number(rate),
};

export const written = (value: string | number | null, { unit }: Column): string =>
  value === null ? '' : typeof value === 'string' ? value : WRITTEN[unit](value);
