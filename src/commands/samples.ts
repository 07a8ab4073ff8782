import { UsageError } from '../../engine/errors.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { KnownModel } from '../../engine/node/load.ts';
import { open_dataset } from '../../experiments/datasets/index.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import { choose_samples, type Samples } from '../../experiments/lab/samples.ts';
import type { DatasetRecord } from '../../experiments/lab/schema.ts';
import { note } from '../print.ts';

const BUILT_IN = 'shapes';

export interface DatasetFlags {
  readonly dataset?: string;
  readonly split?: string;
  readonly dataDir?: string;
  readonly numSamples?: number;
  /** The study's name of it. */
  readonly num_samples?: number;
  readonly resize?: DatasetRecord['resize'];
  readonly quick?: boolean;
}

/** The samples that an experiment on a data set measures; undefined for any other. */
export async function samples_for(
  { dataset: on }: Experiment,
  { config }: Pick<KnownModel, 'config'>,
  flags: DatasetFlags,
): Promise<Samples | undefined> {
  if (on === undefined) return undefined;
  const { dataset: name = BUILT_IN, split, dataDir: folder, resize = 'fill', quick } = flags;
  if (name === BUILT_IN && folder !== undefined) {
    throw new UsageError(
      `--data-dir: ${BUILT_IN} is generated and has no files; name a --dataset that has, or leave it out`,
    );
  }
  const usual = quick ? on.quick : name === BUILT_IN ? on.built_in : on.samples;
  const wanted = flags.numSamples ?? flags.num_samples ?? usual;
  const set = await open_dataset({ name, split, folder }, geometry_of(config));
  const samples = await choose_samples(set, wanted, resize);
  if (samples.list.length < wanted) {
    note(
      `${set.name} ${set.split} has ${samples.list.length} samples, fewer than the ${wanted} asked for: all of them`,
    );
  }
  return samples;
}
