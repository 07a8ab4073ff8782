import { readFileSync, statSync } from 'node:fs';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';

/** Which blocks run by how much each matters: the least important go first, the first and the last never. */

/** By block: what is lost without it. */
export type Importance = ReadonlyMap<number, number>;

/** Any file of scores is far smaller. */
const MOST_BYTES = 2 ** 24;

/** A JSON object of block and score, or a file that has one as `importance_scores`, as the sensitivity experiment writes it. */
export function read_importance(path: string): Importance {
  let value: unknown;
  try {
    const found = statSync(path);
    if (!found.isFile()) throw new InputError(`${path}: expected a file of importance scores, found something else`);
    if (found.size > MOST_BYTES) throw new InputError(`${path}: expected importance scores, found ${found.size} bytes`);
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(`${path}: expected JSON: ${error.message}`);
    throw file_error(error, path, 'a file of importance scores');
  }
  const inner = (value as { importance_scores?: unknown } | null)?.importance_scores ?? value;
  if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) {
    throw new InputError(
      `${path}: expected an object of block and score, found ${JSON.stringify(inner)?.slice(0, 40)}`,
    );
  }
  return new Map(
    Object.entries(inner).map(([block, score]) => {
      if (!/^\d{1,4}$/.test(block) || typeof score !== 'number' || !Number.isFinite(score)) {
        const found = `${JSON.stringify(block)}: ${JSON.stringify(score)}`.slice(0, 80);
        throw new InputError(`${path}: expected a block's number and its score, found ${found}`);
      }
      return [Number(block), score];
    }),
  );
}

/** The first, the last, and of those between the most important; of equal ones the earlier. One alone is the first. */
export function important_blocks(count: number, all: number, scores: Importance): number[] {
  if (count >= all) return Array.from({ length: all }, (_, i) => i);
  const ends = [0, all - 1].slice(0, Math.min(2, count));
  const between = Array.from({ length: Math.max(0, all - 2) }, (_, i) => i + 1);
  const unknown = between.find((block) => !scores.has(block));
  if (unknown !== undefined) throw new InputError(`importance: expected a score of block ${unknown}, found none`);
  const by_score = between.toSorted((a, b) => (scores.get(b) as number) - (scores.get(a) as number) || a - b);
  return [...ends, ...by_score.slice(0, count - ends.length)].sort((a, b) => a - b);
}
