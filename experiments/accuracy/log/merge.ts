import { join } from 'node:path';
import { InputError } from '../../../engine/errors.ts';
import { write_atomic } from '../../../engine/node/files.ts';
import { RUN_FILE } from '../../lab/own_files.ts';
import { make_folder } from '../../lab/record.ts';
import { type Gathered, gather, refuse_gaps } from './gather.ts';
import type { Grid } from './grid.ts';
import { type KeptLines, keep_lines } from './kept_lines.ts';
import { check_same_run, grid_of_run, read_answers_run } from './run_file.ts';
import { type AnswersRun, type AnswersSummary, answers_summary_schema } from './schema.ts';
import { tally } from './tally.ts';

export const MERGED_FILE = 'merged.jsonl';
export const SUMMARY_FILE = 'summary.json';
const PIECE = 2 ** 20;

export interface Merged extends Gathered {
  readonly summary: AnswersSummary;
}

/**
 * All workers' answers as one file, by configuration and then by sample, and what they come to. The bytes are those
 * of the answers alone: however many workers gave them, in whichever order.
 */
export async function merge_answers(folders: readonly string[], out = folders[0] as string): Promise<Merged> {
  const run = await one_run(folders);
  const grid = grid_of_run(run);
  const kept = keep_lines(grid.size);
  try {
    const found = await gather(folders, run, grid, kept);
    await refuse_gaps(folders, run, grid, kept);
    await make_folder(out);
    const configurations: AnswersSummary['configurations'] = [];
    await write_atomic(join(out, MERGED_FILE), merged_pieces(run, grid, kept, configurations));
    const { fingerprint } = run;
    const summary = answers_summary_schema.parse({
      ...{ schema: 'molmoe.answers_summary/1', run: run.run, fingerprint, configurations },
    });
    await write_atomic(join(out, SUMMARY_FILE), `${JSON.stringify(summary, null, 2)}\n`);
    return { summary, ...found };
  } finally {
    kept.close();
  }
}

async function one_run(folders: readonly string[]): Promise<AnswersRun> {
  let first: AnswersRun | undefined;
  for (const folder of folders) {
    const run = await read_answers_run(folder);
    if (run === undefined) {
      throw new InputError(
        `${folder}: expected answers of a run, found no ${RUN_FILE}; name the folder workers wrote to`,
      );
    }
    first ??= run;
    check_same_run(folder, run, first, `merge it apart from ${folders[0]}`);
  }
  if (first === undefined) throw new InputError('merge: expected a folder of answers, found none; name one');
  return first;
}

/** The merged file, a piece at a time; fills in what each configuration comes to. */
function* merged_pieces(
  run: AnswersRun,
  grid: Grid,
  kept: KeptLines,
  configurations: AnswersSummary['configurations'],
) {
  const { fingerprint } = run;
  let piece = `${JSON.stringify({ schema: 'molmoe.merged_answers/1', run: run.run, fingerprint })}\n`;
  for (const [row, { hash, knobs }] of fingerprint.configurations.entries()) {
    const sums = tally();
    for (let place = 0; place < grid.samples; place++) {
      const text = kept.text(row * grid.samples + place);
      sums.add(JSON.parse(text));
      piece += `${text}\n`;
      if (piece.length < PIECE) continue;
      yield Buffer.from(piece);
      piece = '';
    }
    configurations.push({ configuration: hash, knobs, ...sums.result() });
  }
  yield Buffer.from(piece);
}
