import { type Column, short_scale, type Table } from '../tables.ts';

export type Value = string | number | null;

/** A column with its values, as files for programs hold it: in its base unit, with a name that no other column has. */
export interface DataColumn {
  /** With its unit: "prefill (ms)". */
  readonly name: string;
  readonly kind: 'text' | 'integer' | 'number';
  readonly values: readonly Value[];
}

const UNITS: Readonly<Record<Column['unit'], string>> = {
  text: '',
  ms: 'ms',
  share: 'share of 1',
  count: '',
  number: '',
  flop: 'FLOP',
  bytes: 'bytes',
  per_second: '1/s',
};

export function data_columns({ columns, rows }: Table): DataColumn[] {
  const names = unique(columns.map(({ name, unit }) => with_unit(name, UNITS[unit])));
  return columns.map(({ unit }, i) => {
    const values = rows.map((row) => row[i] ?? null);
    // A table may write words into a column of numbers.
    if (unit === 'text' || values.some((value) => typeof value === 'string')) {
      return {
        name: names[i] as string,
        kind: 'text',
        values: values.map((value) => (value === null ? null : String(value))),
      };
    }
    const whole = unit === 'count' && values.every((value) => value === null || Number.isSafeInteger(value));
    return { name: names[i] as string, kind: whole ? 'integer' : 'number', values };
  });
}

/** A column as print shows it: one unit for all of it, said in its head. */
export interface PrintedColumn {
  readonly head: string;
  readonly right: boolean;
  readonly cells: readonly string[];
}

export function printed_columns({ columns, rows }: Table): PrintedColumn[] {
  return columns.map(({ name, unit }, i) => {
    const values = rows.map((row) => row[i] ?? null);
    const numbers = values.filter((value) => typeof value === 'number');
    const { factor, said, write } = printed_unit(unit, Math.max(0, ...numbers.map(Math.abs)));
    return {
      head: with_unit(name, said),
      right: unit !== 'text' && numbers.length > 0,
      cells: values.map((value) => (typeof value === 'number' ? write(value / factor) : (value ?? ''))),
    };
  });
}

/** Four digits, without a power of ten unless it is far off. */
function four_digits(x: number): string {
  const size = Math.abs(x);
  if (x === 0) return '0';
  if (size < 1e-3 || size >= 1e7) return x.toExponential(3);
  return x.toFixed(Math.min(6, Math.max(0, 3 - Math.floor(Math.log10(size)))));
}

function printed_unit(unit: Column['unit'], largest: number) {
  const plain = { factor: 1, said: '', write: four_digits };
  switch (unit) {
    case 'text':
    case 'number':
      return plain;
    case 'count':
      return { ...plain, write: (x: number) => (Number.isInteger(x) ? String(x) : four_digits(x)) };
    case 'ms':
      return largest >= 1e5 ? { ...plain, factor: 1000, said: 's' } : { ...plain, said: 'ms' };
    case 'share':
      return { factor: 0.01, said: '%', write: (x: number) => x.toFixed(1) };
    default: {
      const { factor, prefix } = short_scale(largest);
      const base = { flop: 'FLOP', bytes: 'B', per_second: '/s' }[unit];
      return { ...plain, factor, said: `${prefix}${base}` };
    }
  }
}

const with_unit = (name: string, unit: string): string => (unit === '' ? name : `${name} (${unit})`);

/** The second of a name is called name_2. */
export function unique(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let free = name;
    for (let i = 2; taken.has(free); i++) free = `${name}_${i}`;
    taken.add(free);
    return free;
  });
}
