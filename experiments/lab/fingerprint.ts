import { sha256_hex } from './sha256.ts';

/** JSON with sorted keys: equal values give equal text. */
export const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/** Results under different digests are never mixed. */
export const digest_of = (fingerprint: object): string => sha256_hex(canonical(fingerprint)).slice(0, 16);

/** Where two values differ, a line each: `provenance.adapter.description: "a" -> "b"`. */
export function differences(a: unknown, b: unknown, path = ''): string[] {
  if (is_record(a) && is_record(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => differences(a[key], b[key], path === '' ? key : `${path}.${key}`));
  }
  return canonical(a) === canonical(b) ? [] : [`${path}: ${shortened(a)} -> ${shortened(b)}`];
}

/** The first three, and how many more there are. */
export const some_of = (lines: readonly string[]): string =>
  lines.slice(0, 3).join('; ') + (lines.length > 3 ? `; and ${lines.length - 3} more` : '');

const is_record = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

function shortened(value: unknown): string {
  const text = value === undefined ? 'nothing' : canonical(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
