import { z } from 'zod';

/** What the fields of results are made of: numbers within bounds, names, plain JSON. */

/**
 * Bounds that no measurement meets: what lies within them can be summed, divided and fitted without an infinity or a
 * NaN, and what follows from it lies within those of `finite`.
 */
const LARGEST = 1e30;
const LARGEST_AMOUNT = 1e24;
const LONGEST_MS = 1e10;
export const MOST_LAUNCHES = 1e9;
/** Between 0 and this lies no reading of a clock, and no count. */
const SMALLEST = 1e-9;
const not_tiny = (value: number): boolean => value === 0 || Math.abs(value) >= SMALLEST;
const TINY = `expected 0 or at least ${SMALLEST}`;

export const finite = z.number().min(-LARGEST).max(LARGEST);
export const count = z.int().nonnegative();
export const strings = z.array(z.string());
/** Operations, bytes. */
export const amount = z.number().nonnegative().max(LARGEST_AMOUNT).refine(not_tiny, TINY);
/** Of an adapter, a second. */
export const rate = z.number().min(1).max(LARGEST_AMOUNT);
/** Of the host's clock. Differences of times, and what GPU stamps say, may be negative: they are reported, never mended. */
export const ms = z.number().nonnegative().max(LONGEST_MS).refine(not_tiny, TINY);
export const signed_ms = z.number().min(-LONGEST_MS).max(LONGEST_MS);

/** Knobs and options: whatever they are, they are JSON and not deep. */
const DEEPEST = 4;
export const plain = z
  .unknown()
  .refine((value) => is_plain(value, DEEPEST), `expected values of JSON, at most ${DEEPEST} deep`);

function is_plain(value: unknown, deepest: number): boolean {
  if (value === null || typeof value !== 'object') return typeof value !== 'number' || Number.isFinite(value);
  return deepest > 0 && Object.values(value).every((inner) => is_plain(inner, deepest - 1));
}

/** A name that is also a file's. */
/** What keys and names of files are made of. */
export const KEY = /^[\w%=+-][\w%=+.-]{0,199}$/;
export const key = z.string().regex(KEY, 'expected letters, digits and any of _%=+.-, 200 at most');

export const stage_schema = z.enum(['vision_encoder', 'projector', 'prefill', 'decode']);
export const by_stage = <T extends z.ZodType>(value: T) => z.partialRecord(stage_schema, value);
