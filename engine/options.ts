import { UsageError } from './errors.ts';
import { shown } from './weights/text.ts';

/** What an option must be, in words; undefined where the value fits. */
export type Check = (value: unknown) => string | undefined;

/** Options of an object by their names: which there are, and what each must be. */
export type Checks<T> = { readonly [K in keyof Required<T>]: Check | Checks<NonNullable<T[K]>> };

export const is_text: Check = (value) => (typeof value === 'string' ? undefined : 'a text');
export const is_flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'true or false');
export const is_function: Check = (value) => (typeof value === 'function' ? undefined : 'a function');
export const is_number: Check = (value) => (typeof value === 'number' ? undefined : 'a number');

export const whole =
  (least: number, most = 2 ** 32 - 1): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : most === 2 ** 32 - 1
        ? `a whole number of at least ${least} and below 2^32`
        : `a whole number from ${least} to ${most}`;

export const between =
  (least: number, most: number): Check =>
  (value) =>
    typeof value === 'number' && value >= least && value <= most ? undefined : `a number from ${least} to ${most}`;

export const one_of =
  (words: readonly string[]): Check =>
  (value) =>
    words.some((word) => word === value) ? undefined : `one of ${words.join(', ')}`;

export const list_of =
  (what: string, item: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every((entry) => item(entry) === undefined) ? undefined : `a list of ${what}`;

export const is_signal: Check = (value) =>
  typeof (value as AbortSignal | null)?.throwIfAborted === 'function' ? undefined : 'an AbortSignal';

/** Refuses a name that is none of the options and a value of the wrong kind. Absent and undefined are the same. */
export function check_options<T>(what: string, options: unknown, checks: Checks<T>): void {
  check_object(what, '', options, checks as Tree, checks as Tree);
}

interface Tree {
  readonly [name: string]: Check | Tree;
}

function check_object(what: string, path: string, options: unknown, checks: Tree, all: Tree): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new UsageError(`${path === '' ? what : path.slice(0, -1)}: expected an object of options, ${found(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) throw unknown_option(what, path, name, all);
    if (value === undefined) continue;
    if (typeof check === 'object') check_object(what, `${path}${name}.`, value, check, all);
    else {
      const expected = check(value);
      if (expected !== undefined) throw new UsageError(`${path}${name}: expected ${expected}, ${found(value)}`);
    }
  }
}

function found(value: unknown): string {
  if (typeof value === 'number') return `found ${value}`;
  if (ArrayBuffer.isView(value)) return `found ${value.byteLength} bytes`;
  return `found ${value === null ? 'null' : typeof value === 'function' ? 'a function' : shown(value)}`;
}

function unknown_option(what: string, path: string, name: string, all: Tree): UsageError {
  const by_word = (like: (a: string, b: string) => boolean) =>
    paths_of(all).filter((known) => like(letters(name), letters(known.split('.').at(-1) as string)));
  const same = by_word((a, b) => a === b);
  const likely = same.length > 0 ? same : by_word((a, b) => slips(a, b) <= (Math.min(a.length, b.length) > 4 ? 2 : 1));
  const advice = likely.length > 0 ? `did you mean ${likely.join(' or ')}?` : `there are ${paths_of(all).join(', ')}`;
  return new UsageError(`${path}${shown(name).slice(1, -1)}: no option of ${what}; ${advice}`);
}

const paths_of = (checks: Tree, path = ''): string[] =>
  Object.entries(checks).flatMap(([name, check]) => [
    `${path}${name}`,
    ...(typeof check === 'object' ? paths_of(check, `${path}${name}.`) : []),
  ]);

/** `max_new_tokens` and `maxNewTokens` are the same word in two spellings. */
const letters = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/** Letters to put in, leave out or change to make one word of the other. */
function slips(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
