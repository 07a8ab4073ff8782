import type { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { shown, visible } from '../../engine/weights/text.ts';

/** What comes from outside, held against its schema, wherever it was read. */

export function parsed_json(text: string, path: string, expected: string, remedy: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const found = text.trim() === '' ? 'an empty file' : 'JSON that is cut off or broken';
    throw new InputError(`${path}: expected ${expected}, found ${found}; ${remedy}`);
  }
}

export const schema_of = (value: unknown): unknown => (value as { schema?: unknown } | null)?.schema;

export function checked<T>(schema: z.ZodType<T>, value: unknown, path: string, name: string, remedy: string): T {
  const found = schema_of(value);
  if (found !== name) {
    throw new InputError(
      `${path}: expected schema ${name}, found ${found === undefined ? 'none' : shown(found)}; ${newer(found, [name]) ?? remedy}`,
    );
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError(`${path}: expected schema ${name}, found ${first_issue(result.error)}; ${remedy}`);
}

/** Same name, higher number: only a newer program could have written it. */
export function newer(found: unknown, known: readonly string[]): string | undefined {
  if (typeof found !== 'string') return undefined;
  const [name, number] = found.split('/');
  const ours = known.find((one) => one.split('/')[0] === name);
  return ours !== undefined && Number(number) > Number(ours.split('/')[1])
    ? 'a newer version wrote it: update molmoe'
    : undefined;
}

const longest_issue = 240;

/** Where a value breaks its schema: `clean.samples[3].T_total: Invalid input: expected number, received null`. */
export function first_issue(error: z.ZodError): string {
  const { path, message } = error.issues[0] as z.core.$ZodIssue;
  const at = path.map((part, i) =>
    typeof part === 'number' ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`,
  );
  const line = visible(`${at.join('')}${at.length > 0 ? ': ' : ''}${message}`.replace(/\s+/g, ' '));
  return line.length > longest_issue ? `${line.slice(0, longest_issue)}...` : line;
}
