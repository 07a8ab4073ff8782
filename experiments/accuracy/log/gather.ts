import { InputError } from '../../../engine/errors.ts';
import { shown } from '../../../engine/weights/text.ts';
import { canonical, differences } from '../../lab/fingerprint.ts';
import type { Grid } from './grid.ts';
import type { KeptLines } from './kept_lines.ts';
import { ANSWERS_FILE, answers_in, ERRORS_FILE, errors_in, type FoundAnswer, worker_files } from './read_answers.ts';
import type { AnswerLine, AnswersRun } from './schema.ts';

const MOST_LISTED = 10;

export interface Gathered {
  /** Files that answers came from. */
  readonly files: number;
  /** Answers that a second worker gave as well. */
  readonly duplicates: number;
}

/** Notes where each answer lies; refuses two that differ. */
export async function gather(
  folders: readonly string[],
  run: AnswersRun,
  grid: Grid,
  kept: KeptLines,
): Promise<Gathered> {
  let [files, duplicates] = [0, 0];
  const differ = new Map<number, string | undefined>();
  for (const folder of folders) {
    for (const path of await worker_files(folder, ANSWERS_FILE)) {
      files += 1;
      for (const found of answers_in(path, run, grid)) {
        const { slot, line } = found;
        if (!kept.has(slot)) {
          kept.keep(slot, path, line);
          continue;
        }
        duplicates += 1;
        const before = kept.text(slot);
        const difference = difference_of(before, found);
        if (difference !== undefined) {
          const text = `${named(run, grid, slot)}: ${difference} (${kept.file(slot)}, ${path})`;
          if (!differ.has(slot)) differ.set(slot, differ.size < MOST_LISTED ? text : undefined);
        } else if (line.text < before) kept.keep(slot, path, line);
      }
    }
  }
  if (differ.size > 0) {
    const list = listed([...differ.values()], differ.size);
    throw new InputError(
      `${folders.join(', ')}: expected one answer to each question, found ${differ.size} with answers that differ: ${list}; delete the wrong lines`,
    );
  }
  return { files, duplicates };
}

/**
 * Times are no part of an answer: a question that is asked again takes another time. Nor is how an adapter's kernels were
 * counted. Of the two, the smaller text stays.
 */
function difference_of(before: string, { answer, line }: FoundAnswer): string | undefined {
  if (before === line.text) return undefined;
  const { latency: _, counted: __, ...first } = JSON.parse(before) as AnswerLine;
  const { latency: ___, counted: ____, ...second } = answer;
  return canonical(first) === canonical(second) ? undefined : differences(first, second).join(', ');
}

/** With the error that a question ended in the last time, where it did. */
export async function refuse_gaps(
  folders: readonly string[],
  run: AnswersRun,
  grid: Grid,
  kept: KeptLines,
): Promise<void> {
  let gaps = 0;
  const first = new Map<number, string>();
  for (let slot = 0; slot < grid.size; slot++) {
    if (kept.has(slot)) continue;
    gaps += 1;
    if (first.size < MOST_LISTED) first.set(slot, '');
  }
  if (gaps === 0) return;
  for (const folder of folders) {
    for (const path of await worker_files(folder, ERRORS_FILE)) {
      for (const { slot, error } of errors_in(path, grid)) if (first.has(slot)) first.set(slot, ` (${shown(error)})`);
    }
  }
  const list = [...first].map(([slot, error]) => `${named(run, grid, slot)}${error}`);
  throw new InputError(
    `${folders.join(', ')}: expected ${grid.size} answers, found ${gaps} missing: ${listed(list, gaps)}; run the workers again, they do what is left`,
  );
}

function named(run: AnswersRun, grid: Grid, slot: number): string {
  const { knobs } = run.fingerprint.configurations[Math.floor(slot / grid.samples)] as { knobs: object };
  return `sample ${shown(grid.key(slot).sample)} with ${shown(knobs)}`;
}

const listed = (lines: readonly (string | undefined)[], count: number): string =>
  lines.slice(0, MOST_LISTED).join('; ') + (count > MOST_LISTED ? `; and ${count - MOST_LISTED} more` : '');
