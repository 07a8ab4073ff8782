import { InputError } from '../../engine/errors.ts';
import { shown } from '../../engine/weights/text.ts';
import type { Figure } from '../lab/charts.ts';

/** A file of the original study, as its PyTorch programs wrote it: no schema, no provenance, gaps that are known. */
export interface StudyFile {
  readonly path: string;
  /** Its name without the ending: figures are called after it. */
  readonly stem: string;
  readonly value: unknown;
  /** What a reader of its figures must know, found on the way; where each was found. */
  readonly told: Map<string, Set<string>>;
}

export interface Row {
  /** Where it stands: results[3]. */
  readonly at: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export const is_object = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The object that the file is; anything else is none of the study's. */
export function object_of({ path, value }: StudyFile): Readonly<Record<string, unknown>> {
  if (is_object(value)) return value;
  throw new InputError(`${path}: expected an object, found ${kind_of(value)}; choose another file`);
}

/** A list of objects; an empty one holds nothing to draw. */
export function rows_of({ path }: StudyFile, list: unknown, name: string): Row[] {
  if (!Array.isArray(list))
    throw new InputError(`${path}: expected a list as ${name}, found ${kind_of(list)}; choose another file`);
  if (list.length === 0) throw new InputError(`${path}: expected rows in ${name}, found none; measure again`);
  return list.map((value, i) => {
    const at = `${name}[${i}]`;
    if (is_object(value)) return { at, value };
    throw new InputError(`${path}: expected an object as ${at}, found ${kind_of(value)}; choose another file`);
  });
}

const kind_of = (value: unknown): string =>
  value === undefined ? 'nothing' : Array.isArray(value) ? 'a list' : is_object(value) ? 'an object' : shown(value);

const tell = ({ told }: StudyFile, line: string, at: string): void =>
  void told.set(line, (told.get(line) ?? new Set()).add(at));
export const tell_once = (file: StudyFile, line: string): void => tell(file, line, '');

/** `summary` and `all_samples`, which older files lack. */
export function sweep_of(file: StudyFile): { summary: Row[]; samples: Row[] } {
  const { summary, all_samples = [] } = object_of(file);
  const samples =
    Array.isArray(all_samples) && all_samples.length === 0 ? [] : rows_of(file, all_samples, 'all_samples');
  return { summary: rows_of(file, summary, 'summary'), samples };
}

/** Above this no clock of the study read, and no counter. */
const MOST = { time: 1e10, amount: 1e24 } as const;

/** A number of a row; null where it is missing, null or no such number can be. Text in its place is a fault. */
function number_at(file: StudyFile, { at, value }: Row, key: string, most: number): number | null {
  const found = Object.hasOwn(value, key) ? value[key] : null;
  if (found === null || found === undefined) return null;
  if (typeof found !== 'number') {
    throw new InputError(
      `${file.path}: expected a number as ${at}.${key}, found ${kind_of(found)}; choose another file`,
    );
  }
  if (found >= 0 && found <= most) return found;
  tell(file, `${key} is ${found < 0 ? 'negative' : 'beyond any measurement'}: left out`, at);
  return null;
}

/** Milliseconds. */
export const time_at = (file: StudyFile, row: Row, key: string): number | null => number_at(file, row, key, MOST.time);
/** Tokens, crops, operations. */
export const amount_at = (file: StudyFile, row: Row, key: string): number | null =>
  number_at(file, row, key, MOST.amount);

/** A time of all rows; null where none holds it, or 0 in all: older and newer programs lack each other's, and wrote 0. */
export function times_at(file: StudyFile, rows: readonly Row[], key: string): (number | null)[] | null {
  const values = rows.map((row) => time_at(file, row, key));
  const there = values.filter((value) => value !== null);
  if (there.length === 0) return null;
  const zeros = there.filter((value) => value === 0).length;
  if (zeros === there.length) {
    tell_once(file, `${key} is 0 in every row: it was not measured`);
    return null;
  }
  if (zeros > 0)
    tell_once(
      file,
      `${key} is exactly 0 in ${zeros} of ${there.length} rows: nothing ran there, or a difference was cut off at 0`,
    );
  return values;
}

export interface AxisChoice {
  readonly key: string;
  readonly label: string;
  /** What is counted: "tokens". */
  readonly unit: string;
}

export interface Axis extends AxisChoice {
  readonly values: readonly (number | null)[];
}

/** Counts along an axis: the first choice that was counted. Where a program did not count tokens it wrote 0. */
export function axis_at(file: StudyFile, rows: readonly Row[], choices: readonly AxisChoice[]): Axis {
  for (const choice of choices) {
    const values = rows.map((row) => amount_at(file, row, choice.key));
    if (values.some((value) => value !== null && value > 0)) return { ...choice, values };
    if (values.some((value) => value === 0)) tell_once(file, `${choice.key} is 0 in every row: it was not counted`);
  }
  const keys = choices.map(({ key }) => key).join(', ');
  throw new InputError(`${file.path}: expected ${keys} in its rows, found none above 0; choose another file`);
}

/** P50 of a statistics object, else its mean. */
export function middle_of(file: StudyFile, row: Row, key?: string): number | null {
  const held = key === undefined ? row.value : row.value[key];
  if (held === undefined || held === null) return null;
  if (!is_object(held)) {
    throw new InputError(
      `${file.path}: expected statistics as ${row.at}.${key}, found ${kind_of(held)}; choose another file`,
    );
  }
  const at = key === undefined ? row.at : `${row.at}.${key}`;
  return ['P50', 'median', 'mean'].reduce<number | null>(
    (found, name) => found ?? time_at(file, { at, value: held }, name),
    null,
  );
}

export const nothing_in = ({ path }: Pick<StudyFile, 'path'>, keys: string): InputError =>
  new InputError(`${path}: expected ${keys} in its rows, found none that was measured; choose another file`);

export function drawable(file: StudyFile, figures: readonly Figure[], keys: string): Figure[] {
  const some = figures.filter(({ panels }) => panels.length > 0);
  if (some.length === 0) throw nothing_in(file, keys);
  return some;
}

const NO_PROVENANCE = 'From a file of the original study: no provenance, it names no model, adapter or version';
const MOST_TOLD = 4;

/** Under every figure of it. */
export function notes_of({ told }: StudyFile, what: string): string[] {
  const lines = [...told].map(([line, places]) => (places.size > 1 ? `${line} (${places.size} values)` : line));
  const more = lines.length > MOST_TOLD ? [`and ${lines.length - MOST_TOLD} more remarks`] : [];
  return [NO_PROVENANCE, what, ...lines.slice(0, MOST_TOLD), ...more];
}
