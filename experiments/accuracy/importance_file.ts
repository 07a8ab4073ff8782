import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';
import { first_issue } from '../lab/checked.ts';

const scores_schema = z.record(z.string().regex(/^\d{1,4}$/, 'expected numbers of blocks'), z.number());
/** Ours has them under `scores`, the study's file is nothing else. */
const file_schema = z.union([z.object({ scores: scores_schema }), scores_schema]);

const MOST_BYTES = 2 ** 20;

/** Block to score, as `layer_importance_scores.json` has it. */
export function read_importance(path: string): { block: number; score: number }[] {
  const expected = 'expected JSON of block to score, such as {"0": 0.31, "1": 0.02}';
  let text: string;
  try {
    // A device or a pipe has no end, or none yet.
    const stats = statSync(path);
    if (!stats.isFile() && !stats.isDirectory()) throw new InputError(`${path}: ${expected}, found a pipe or device`);
    if (stats.size > MOST_BYTES) throw new InputError(`${path}: ${expected}, found a file of ${stats.size} bytes`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw file_error(error, path, 'importance scores of blocks');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(`${path}: ${expected}, found no JSON`);
  }
  const read = file_schema.safeParse(value);
  if (!read.success) throw new InputError(`${path}: ${expected}, found ${first_issue(read.error)}`);
  const scores = 'scores' in read.data && typeof read.data.scores === 'object' ? read.data.scores : read.data;
  return Object.entries(scores as Record<string, number>).map(([block, score]) => ({ block: Number(block), score }));
}
