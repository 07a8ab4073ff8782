import { InputError } from '../../engine/errors.ts';
import type { Derived, Experiment, Saved } from '../../experiments/lab/define.ts';
import { read_failures, read_plan, read_results } from '../../experiments/lab/read.ts';
import type { Run } from '../../experiments/lab/schema.ts';
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
  const results = await read_results(folder);
  const run = results.run as Run;
  const experiment = experiment_of(run.experiment, folder);
  const { skipped = [] } = (await read_plan(folder, 'delete it: it only says which cells were left out')) ?? {};
  const { cells = [] } = (await read_failures(folder, 'delete it: what failed is tried again')) ?? {};
  const failed = cells.filter(({ key }) => !results.configurations.some((one) => one.key === key));
  const saved = { run, configurations: experiment.sorted(results.configurations), skipped, failed };
  return { experiment, saved, ...experiment.derive(saved) };
}
