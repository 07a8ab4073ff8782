import { InputError } from '../errors.ts';
import { shown } from './text.ts';

/** Objects are Maps: no key (`__proto__`) means anything special. */
export type Json = null | boolean | number | string | Json[] | Map<string, Json>;

const max_depth = 8;
const max_values = 2_000_000;

const number_token = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/**
 * JSON for files that others wrote: unlike JSON.parse it refuses a repeated key (JSON.parse keeps the last in silence),
 * nests no deeper than a checkpoint's files do, and holds a bounded number of values.
 */
export function parse_strict_json(text: string, where: string): Json {
  let at = 0;
  let values = 0;

  const fail = (problem: string): never => {
    throw new InputError(`${where}: expected JSON, found ${problem} at character ${at}; fetch or write the file again`);
  };
  const skip_space = () => {
    while (at < text.length && ' \t\n\r'.includes(text[at] as string)) at++;
  };
  const found = () => (at < text.length ? shown(text[at]) : 'the end');
  const take = (char: string) => {
    skip_space();
    if (text[at] !== char) fail(`${found()} instead of ${shown(char)}`);
    at++;
  };
  const next_is = (char: string) => {
    skip_space();
    if (text[at] !== char) return false;
    at++;
    return true;
  };

  const string = (): string => {
    skip_space();
    if (text[at] !== '"') fail(`${found()} instead of a string`);
    let end = at + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    if (end >= text.length) fail('a string without an end');
    try {
      const value = JSON.parse(text.slice(at, end + 1)) as string; // escapes and control characters: its rules are exact
      at = end + 1;
      return value;
    } catch {
      return fail('a malformed string');
    }
  };

  const object = (depth: number): Map<string, Json> => {
    const map = new Map<string, Json>();
    take('{');
    if (next_is('}')) return map;
    do {
      skip_space();
      const key = string();
      if (map.has(key)) fail(`key ${shown(key)} for the second time`);
      take(':');
      map.set(key, value(depth + 1));
    } while (next_is(','));
    take('}');
    return map;
  };

  const list = (depth: number): Json[] => {
    const items: Json[] = [];
    take('[');
    if (next_is(']')) return items;
    do items.push(value(depth + 1));
    while (next_is(','));
    take(']');
    return items;
  };

  const value = (depth: number): Json => {
    skip_space();
    if (depth > max_depth) fail(`nesting deeper than ${max_depth}`);
    if (++values > max_values) fail(`more than ${max_values} values`);
    const char = text[at];
    if (char === '{') return object(depth);
    if (char === '[') return list(depth);
    if (char === '"') return string();
    for (const [word, constant] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return constant;
      }
    }
    number_token.lastIndex = at;
    const digits = number_token.exec(text)?.[0];
    if (digits === undefined) return fail(found());
    at += digits.length;
    return Number(digits);
  };

  const result = value(1);
  skip_space();
  if (at < text.length) fail(`${found()} after the end`);
  return result;
}
