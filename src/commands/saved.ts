import { InputError } from '../../engine/errors.ts';
import type { Derived, Experiment, Saved } from '../../experiments/lab/define.ts';
import { read_failures, read_plan, read_results, read_run } from '../../experiments/lab/read.ts';
import { kept_inputs } from '../../experiments/lab/reading.ts';
import type { Run } from '../../experiments/lab/schema.ts';
import { seen_by } from '../../experiments/lab/seen.ts';
import { EXPERIMENTS } from '../registry.ts';

export const experiment_of = (name: string, where: string): Experiment => {
  const found = EXPERIMENTS.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = EXPERIMENTS.map((one) => one.name).join(', ');
  throw new InputError(`${where}: expected results of an experiment (${known}), found ${name}; name another folder`);
};

export interface SavedExperiment extends Derived {
  readonly experiment: Experiment;
  readonly saved: Saved;
}

/** What a results folder says, only read: also while it is being written. */
export async function saved_in(folder: string): Promise<SavedExperiment> {
  const reading = await reading_in(folder);
  const results = reading ?? (await read_results(folder));
  const run = results.run as Run;
  const experiment = experiment_of(run.experiment, folder);
  const { skipped = [], options = {} } = (await read_plan(folder, 'delete it: it only says what was asked for')) ?? {};
  const { cells = [] } = (await read_failures(folder, 'delete it: what failed is tried again')) ?? {};
  const failed = cells.filter(({ key }) => !results.configurations.some((one) => one.key === key));
  const inputs = await kept_inputs(experiment, folder);
  const saved = seen_by(experiment, { run, configurations: results.configurations, skipped, failed, options, inputs });
  return { experiment, saved, ...experiment.derive(saved) };
}

/** Results that have no cells, since they only read those of others. */
async function reading_in(folder: string): Promise<{ run: Run; configurations: readonly [] } | undefined> {
  const run = await read_run(folder, 'restore it or measure anew').catch(() => undefined);
  const experiment = EXPERIMENTS.find(({ name }) => name === run?.experiment);
  return run && experiment?.instrument.name === 'nothing' ? { run, configurations: [] } : undefined;
}
