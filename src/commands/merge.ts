import { InputError } from '../../engine/errors.ts';
import { read_answers_run } from '../../experiments/accuracy/log/run_file.ts';
import type { Metric } from '../../experiments/accuracy/metrics/experiment.ts';
import { publish_answers } from '../../experiments/accuracy/publish.ts';
import { stage_folder } from '../../experiments/accuracy/saved.ts';
import { note } from '../print.ts';
import { tell } from './report.ts';
import { experiment_of } from './saved.ts';

export interface MergeFlags {
  readonly out?: string;
  readonly metric?: string;
  readonly json?: boolean;
}

/** Answers of all workers as one result; refused as long as any is missing. */
export async function merge(folders: readonly string[], flags: MergeFlags): Promise<undefined> {
  const [folder = ''] = folders;
  const run = await read_answers_run(stage_folder(folder, 1));
  if (run === undefined) {
    throw new InputError(
      `${folder}: expected answers of an accuracy experiment, found none; name the folder that its --out named`,
    );
  }
  const experiment = experiment_of(run.fingerprint.experiment, folder);
  const metric = flags.metric as Metric | undefined;
  const { results, published, duplicates, next } = await publish_answers(experiment, folders, {
    ...{ out: flags.out, metric },
  });
  try {
    tell(experiment, results, published, flags.json);
    if (duplicates > 0) note(`${duplicates} answers were given twice, the same each time, and are counted once`);
    if (next !== null) {
      note(
        `round ${next.stage} is still to be answered, ${next.configurations} configurations: run the same command again`,
      );
    }
  } finally {
    await results.close();
  }
}
