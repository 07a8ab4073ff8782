import { rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { take_lock } from '../lab/lock.ts';
import { RUN_FILE } from '../lab/own_files.ts';
import { remove } from '../lab/record.ts';
import { MERGED_FILE, SUMMARY_FILE } from './log/merge.ts';
import { ANSWERS_FILE, ERRORS_FILE, WORKERS, worker_files } from './log/read_answers.ts';
import { SAMPLES_FILE } from './log/run_file.ts';
import { stage_folders } from './saved.ts';

/** Removes the answers of a results folder, and nothing else that lies there. A worker that is at work keeps them. */
export async function remove_answers(folder: string): Promise<void> {
  for (const stage of stage_folders(folder)) {
    const written = [...(await worker_files(stage, ANSWERS_FILE)), ...(await worker_files(stage, ERRORS_FILE))];
    for (const worker of new Set(written.map(dirname))) {
      const lock = await take_lock(worker);
      for (const path of written.filter((one) => dirname(one) === worker)) await remove(path);
      await lock.release();
      await empty(worker);
    }
    await empty(join(stage, WORKERS));
    // run.json goes last: what is left after an interruption still says whose it is.
    for (const name of [MERGED_FILE, SUMMARY_FILE, SAMPLES_FILE, RUN_FILE]) await remove(join(stage, name));
    await empty(stage);
  }
}

/** A folder that holds something else stays. */
const empty = (folder: string): Promise<void> => rmdir(folder).catch(() => undefined);
