import { UsageError } from '../../../engine/errors.ts';
import { geometry_of } from '../../../engine/model/geometry.ts';
import type { KnownModel } from '../../../engine/node/known_model.ts';
import type { Dataset } from '../../../experiments/datasets/dataset.ts';
import { open_dataset } from '../../../experiments/datasets/index.ts';
import { note } from '../../print.ts';

const BUILT_IN = 'shapes';

/** With the study's names of them. */
export interface SetFlags {
  readonly dataset?: string;
  readonly dataset_name?: string;
  readonly split?: string;
  readonly dataDir?: string;
  readonly numSamples?: number;
  readonly sample_size?: number;
}

/** The set, and how many of its samples to look at. */
export async function open_set(flags: SetFlags, { config }: KnownModel): Promise<{ set: Dataset; samples: number }> {
  const name = flags.dataset ?? flags.dataset_name ?? BUILT_IN;
  const { split, dataDir: folder } = flags;
  if (name === BUILT_IN && folder !== undefined) {
    throw new UsageError(
      `--data-dir: ${BUILT_IN} is generated and has no files; name a --dataset that has, or leave it out`,
    );
  }
  const set = await open_dataset({ name, split, folder }, geometry_of(config));
  const asked = flags.numSamples ?? flags.sample_size ?? set.size;
  if (asked > set.size)
    note(`${set.name} ${set.split} has ${set.size} samples, fewer than the ${asked} asked for: all of them`);
  return { set, samples: Math.min(asked, set.size) };
}

/** Which data a result is about. */
export const about = ({ name, split, size, digest, source }: Dataset) => ({
  dataset: { name, split, size, digest, source },
});
