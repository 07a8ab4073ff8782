import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { file_error } from '../../engine/node/files.ts';
import { take_lock } from '../lab/lock.ts';
import { RUN_FILE } from '../lab/own_files.ts';
import { MERGED_FILE, SUMMARY_FILE } from './log/merge.ts';
import { ANSWERS_FILE, ERRORS_FILE, WORKERS } from './log/read_answers.ts';
import { SAMPLES_FILE } from './log/run_file.ts';
import { stage_folders } from './saved.ts';

/** Removes the answers of a results folder, and nothing else that lies there. A worker that is at work keeps them. */
export async function remove_answers(folder: string): Promise<void> {
  for (const stage of stage_folders(folder)) {
    const workers = join(stage, WORKERS);
    for (const name of await names_in(workers)) {
      const lock = await take_lock(join(workers, name));
      for (const file of [ANSWERS_FILE, ERRORS_FILE]) await remove(join(workers, name, file));
      await lock.release();
      await empty(join(workers, name));
    }
    await empty(workers);
    // run.json goes last: what is left after an interruption still says whose it is.
    for (const name of [MERGED_FILE, SUMMARY_FILE, SAMPLES_FILE, RUN_FILE]) await remove(join(stage, name));
    await empty(stage);
  }
}

async function names_in(folder: string): Promise<string[]> {
  try {
    const inside = await readdir(folder, { withFileTypes: true });
    return inside.filter((one) => one.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw file_error(error, folder, 'a readable folder');
  }
}

async function remove(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw file_error(error, path, 'a file that can be removed');
  }
}

/** A folder that holds something else stays. */
const empty = (folder: string): Promise<void> => rmdir(folder).catch(() => undefined);
