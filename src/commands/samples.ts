import type { KnownModel } from '../../engine/node/known_model.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import { choose_samples, type Samples } from '../../experiments/lab/samples.ts';
import type { DatasetRecord } from '../../experiments/lab/schema.ts';
import { open_set, type SetFlags } from './analyze/set.ts';

export interface DatasetFlags extends SetFlags {
  /** The study's name of it. */
  readonly num_samples?: number;
  readonly resize?: DatasetRecord['resize'];
  readonly quick?: boolean;
}

/** The samples that an experiment on a data set measures; undefined for any other. */
export async function samples_for(
  { dataset: on }: Experiment,
  known: KnownModel,
  { quick, resize = 'fill', ...flags }: DatasetFlags,
): Promise<Samples | undefined> {
  if (on === undefined) return undefined;
  const usual = quick ? on.quick : flags.dataset === undefined || flags.dataset === 'shapes' ? on.built_in : on.samples;
  const numSamples = flags.numSamples ?? flags.num_samples ?? usual;
  const { set, samples } = await open_set({ ...flags, numSamples }, known);
  return choose_samples(set, samples, resize);
}
