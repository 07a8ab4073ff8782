import { join } from 'node:path';
import { file_error, make_folders } from '../../../engine/node/files.ts';
import { canonical } from '../../lab/fingerprint.ts';
import { HeldError, take_lock } from '../../lab/lock.ts';
import { make_folder } from '../../lab/record.ts';
import type { Provenance } from '../../lab/schema.ts';
import { type AppendFile, open_append } from './append_file.ts';
import { type Key, slots_of } from './grid.ts';
import { ANSWERS_FILE, answers_in, ERRORS_FILE, WORKERS, worker_files } from './read_answers.ts';
import { grid_of_run, join_run } from './run_file.ts';
import {
  type AnswerLine,
  type AnswersRun,
  type AskedLine,
  answer_line_schema,
  type ErrorLine,
  type Head,
} from './schema.ts';
import type { Shard } from './shard.ts';

export interface LogOptions {
  readonly run: AnswersRun;
  /** What is asked and what is right, in the order of its samples: kept beside the answers. */
  readonly asked?: readonly AskedLine[];
  readonly shard: Shard;
  /** Who said which shard this is. */
  readonly from: string;
  /** What answers, so that two workers on one adapter show. */
  readonly provenance: Provenance;
}

/** One worker's view of a run's answers. Nobody else appends to its files. */
export interface AnswerLog {
  /** Where this worker writes. */
  readonly folder: string;
  /** Whether any worker had answered it when this log was opened, or this one has since. */
  has(sample: string, configuration: string): boolean;
  /** What of this worker's shard is not answered, in the order of the summary. */
  left(): Generator<Key>;
  /** A group of answers: on the disk when it returns, none of them where it fails. */
  append(answers: readonly AnswerLine[]): Promise<void>;
  /** A question that could not be answered: asked again the next time. */
  fail(key: Key, message: string): Promise<void>;
  close(): Promise<void>;
}

/** As many workers as may be given one shard. */
const MOST_OF_ONE_SHARD = 1000;
const DONE = 1;

export async function open_answer_log(folder: string, options: LogOptions): Promise<AnswerLog> {
  const { run, shard } = options;
  const grid = grid_of_run(run);
  await make_folder(folder);
  await join_run(folder, run, options.asked);
  const own = await own_folder(folder, shard);
  const opened: AppendFile[] = [];
  const close = async () => {
    for (const file of opened) await file.close();
    await own.release();
  };
  try {
    const answers = await open_append(join(own.path, ANSWERS_FILE));
    opened.push(answers);
    const done = new Uint8Array(grid.size);
    for (const path of await worker_files(folder, ANSWERS_FILE)) {
      for (const { slot } of answers_in(path, run, grid)) done[slot] = DONE;
    }
    // It stands before the first answer: a worker that finds nothing to do leaves nothing.
    let head = `${JSON.stringify(head_of(options))}\n`;
    let errors: Promise<AppendFile> | undefined;
    const slot_of = ({ sample, configuration }: Key): number => {
      const slot = grid.slot(sample, configuration);
      if (slot === undefined) throw new Error(`${sample} with ${configuration}: not of this run`);
      return slot;
    };
    return {
      folder: own.path,
      has: (sample, configuration) => done[slot_of({ sample, configuration })] === DONE,
      left: function* () {
        for (const slot of slots_of(grid, shard)) if (done[slot] !== DONE) yield grid.key(slot);
      },
      append: async (group) => {
        const slots = group.map(slot_of);
        if (new Set(slots).size < slots.length || slots.some((slot) => done[slot] === DONE)) {
          throw new Error('a question that is answered twice');
        }
        if (group.length === 0) return;
        const lines = group.map((answer) => `${canonical(answer_line_schema.parse(answer))}\n`);
        const text = head + lines.join('');
        head = '';
        await answers.append(text);
        for (const slot of slots) done[slot] = DONE;
      },
      fail: async (key, message) => {
        slot_of(key);
        errors ??= open_append(join(own.path, ERRORS_FILE)).then((file) => {
          opened.push(file);
          return file;
        });
        const { sample, configuration } = key;
        const line: ErrorLine = { sample, configuration, error: message, at: new Date().toISOString() };
        await (await errors).append(`${JSON.stringify(line)}\n`);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const head_of = ({ run: { run, fingerprint }, shard, from, provenance }: LogOptions): Head => ({
  schema: 'molmoe.answers/1',
  run,
  fingerprint,
  worker: {
    shard: `${shard.index}/${shard.count}`,
    from,
    pid: process.pid,
    started: new Date().toISOString(),
    provenance,
  },
});

/**
 * A folder that this worker alone writes in: its shard's, as a worker before it left it; or another beside it where
 * that is held by a second worker of the same shard, or by one on a machine whose processes cannot be seen from here.
 */
async function own_folder(
  folder: string,
  { index, count }: Shard,
): Promise<{ path: string; release(): Promise<void> }> {
  for (let again = 0; ; again++) {
    const path = join(folder, WORKERS, `${index}-of-${count}${again === 0 ? '' : `.${again}`}`);
    try {
      await make_folders(path);
      const { release } = await take_lock(path);
      return { path, release };
    } catch (error) {
      if (error instanceof HeldError && again < MOST_OF_ONE_SHARD) continue;
      throw file_error(error, path, 'a folder that can be written');
    }
  }
}
