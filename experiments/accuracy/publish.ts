import { join } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import type { Experiment } from '../lab/define.ts';
import { type Published, publish } from '../lab/publish.ts';
import { open_results, type Results } from '../lab/record.ts';
import { merge_answers } from './log/merge.ts';
import type { Metric } from './metrics/experiment.ts';
import { ANSWERS, saved_answers, stage_folder, stage_folders } from './saved.ts';

export interface PublishOptions {
  /** The first folder when left out. */
  readonly out?: string;
  readonly metric?: Metric;
  /** Results that were written there before are another run's: they go. */
  readonly fresh?: boolean;
  /** Words that asked for it, where they are known. */
  readonly command?: readonly string[];
}

/** Rounds of a staged experiment that the answers so far call for and nobody has begun. */
export interface NextRound {
  readonly stage: number;
  readonly configurations: number;
}

export interface PublishedAnswers {
  /** Held: to be closed. */
  readonly results: Results;
  readonly published: Published;
  readonly duplicates: number;
  readonly next: NextRound | null;
}

/** Merges every round (complete, or an error that says what is missing), and makes files, figures and page of all. */
export async function publish_answers(
  experiment: Experiment,
  folders: readonly string[],
  { out = folders[0] as string, metric, command, fresh }: PublishOptions = {},
): Promise<PublishedAnswers> {
  const rounds = Math.max(...folders.map((folder) => stage_folders(folder).length));
  let duplicates = 0;
  for (let stage = 1; stage <= rounds; stage++) {
    const parts = folders.filter((folder) => stage_folders(folder).length >= stage);
    const merged = await merge_answers(
      parts.map((folder) => stage_folder(folder, stage)),
      join(out, ANSWERS, String(stage)),
    );
    duplicates += merged.duplicates;
  }
  const saved = await saved_answers(experiment.name, folders, { metric });
  if (saved.configurations.length === 0) {
    throw new InputError(`${folders[0]}: expected scored answers, found none; name a --metric to score them by`);
  }
  const { run, configurations, skipped, options = {} } = saved;
  const results = await open_results(out, {
    experiment: experiment.name,
    fingerprint: run.fingerprint,
    started: run.started,
    plan: {
      options: { ...options, num_samples: configurations[0]?.answers?.samples.length ?? 0 },
      cells: configurations.map(({ key, settings }) => ({ key, settings })),
      skipped: [...skipped],
      ...(command && { command: [...command] }),
    },
    ceilings: null,
    fresh,
  });
  try {
    for (const one of configurations) await results.save({ ...one, run: results.run.run });
    const points = experiment.next?.(saved, options) ?? [];
    const next = points.length === 0 ? null : { stage: rounds + 1, configurations: points.length };
    return { results, published: await publish(experiment, results), duplicates, next };
  } catch (error) {
    await results.close();
    throw error;
  }
}
