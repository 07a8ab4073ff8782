import { type Dirent, existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { InputError } from '../../../engine/errors.ts';
import { file_error } from '../../../engine/node/files.ts';
import { checked, first_issue, schema_of } from '../../lab/checked.ts';
import type { Grid, Key } from './grid.ts';
import { type Line, whole_lines } from './lines.ts';
import { check_same_run } from './run_file.ts';
import {
  type AnswerLine,
  type AnswersRun,
  answer_line_schema,
  type ErrorLine,
  error_line_schema,
  type Head,
  head_schema,
} from './schema.ts';

export const WORKERS = 'workers';
export const ANSWERS_FILE = 'answers.jsonl';
export const ERRORS_FILE = 'errors.jsonl';

const HEAD = head_schema.shape.schema.value;
const DELETE_LINE = 'delete that line, and only it is answered again';
const OTHER_RUN = 'move that file elsewhere';

/** The files of this name that workers have written in a folder, sorted. */
export async function worker_files(folder: string, name: typeof ANSWERS_FILE | typeof ERRORS_FILE): Promise<string[]> {
  const path = join(folder, WORKERS);
  let inside: Dirent[];
  try {
    inside = await readdir(path, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw file_error(error, path, 'a readable folder');
  }
  const workers = inside.filter((one) => one.isDirectory()).map((one) => one.name);
  return workers
    .sort()
    .map((worker) => join(path, worker, name))
    .filter((file) => existsSync(file));
}

export interface FoundAnswer {
  /** Who gave it. */
  readonly head: Head;
  readonly answer: AnswerLine;
  readonly slot: number;
  readonly line: Line;
}

/** The answers in a worker's file, each to a question of this run. */
export function* answers_in(path: string, run: AnswersRun, grid: Grid): Generator<FoundAnswer> {
  let head: Head | undefined;
  for (const { value, line, where } of parsed_lines(path)) {
    if (schema_of(value) !== undefined) {
      head = checked(head_schema, value, where, HEAD, OTHER_RUN);
      check_same_run(path, head, run, OTHER_RUN);
      continue;
    }
    if (head === undefined)
      throw new InputError(`${where}: expected schema ${HEAD} first, found another line; ${OTHER_RUN}`);
    const answer = valid(answer_line_schema, value, where, 'an answer');
    yield { head, answer, slot: slot_of(grid, answer, where), line };
  }
}

/** The errors in a worker's file: questions that were asked and not answered then. */
export function* errors_in(path: string, grid: Grid): Generator<ErrorLine & { readonly slot: number }> {
  for (const { value, where } of parsed_lines(path)) {
    const error = valid(error_line_schema, value, where, 'an error');
    yield { ...error, slot: slot_of(grid, error, where) };
  }
}

function* parsed_lines(path: string): Generator<{ value: unknown; line: Line; where: string }> {
  let number = 0;
  for (const line of whole_lines(path)) {
    number += 1;
    const where = `${path}: line ${number}`;
    let value: unknown;
    try {
      value = JSON.parse(line.text);
    } catch {
      throw new InputError(`${where}: expected a line of JSON, found one that is cut off or broken; ${DELETE_LINE}`);
    }
    yield { value, line, where };
  }
}

function valid<T>(schema: z.ZodType<T>, value: unknown, where: string, expected: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError(`${where}: expected ${expected}, found ${first_issue(result.error)}; ${DELETE_LINE}`);
}

function slot_of(grid: Grid, { sample, configuration }: Key, where: string): number {
  const slot = grid.slot(sample, configuration);
  if (slot !== undefined) return slot;
  throw new InputError(`${where}: expected a sample and configuration of this run, found others; ${DELETE_LINE}`);
}
