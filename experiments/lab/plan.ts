import { createHash } from 'node:crypto';
import { below, random_numbers } from './random.ts';
import type { Configuration, Protocol } from './schema.ts';

export type Settings = Configuration['settings'];

/** Every combination, the last axis fastest; a value named twice is one value. */
export function grid(axes: Readonly<Record<string, readonly (string | number)[]>>): Settings[] {
  return Object.entries(axes).reduce<Settings[]>(
    (cells, [axis, values]) =>
      cells.flatMap((cell) => [...new Set(values)].map((value) => ({ ...cell, [axis]: value }))),
    [{}],
  );
}

const longest_key = 120;

/**
 * { regime: 'high', prompt: 'short', crops: 4 } -> "high_short_crops=4": fit for a file name, also where upper and
 * lower case are one, and different for different settings of the same axes. Axes have names in snake_case.
 */
export function key_of(settings: Settings): string {
  const parts = Object.entries(settings).map(([axis, value]) => {
    if (typeof value === 'string' && value !== '') return escaped(value);
    return `${axis}=${value === null ? 'none' : value}`;
  });
  const key = parts.join('_') || 'only';
  if (key.length <= longest_key) return key;
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 16);
  return `${key.slice(0, longest_key - 17)}-${digest}`;
}

/** All but small letters, digits and - as their bytes, so that _ and = stay free to join. */
const escaped = (text: string): string =>
  text.replace(/[^a-z0-9-]/gu, (char) => [...Buffer.from(char)].map((byte) => `%${byte.toString(16)}`).join(''));

/** As planned, or shuffled: the same seed gives the same order. */
export function ordered<T>(cells: readonly T[], order: Protocol['order'], seed: number): T[] {
  const result = [...cells];
  if (order === 'fixed') return result;
  const random = random_numbers(seed);
  for (let i = result.length - 1; i > 0; i--) {
    const k = below(i + 1, random);
    [result[i], result[k]] = [result[k] as T, result[i] as T];
  }
  return result;
}
