import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import type { Dataset, DatasetSample } from '../../experiments/datasets/dataset.ts';
import { open_dataset } from '../../experiments/datasets/index.ts';

export const published = geometry_of(preset_config('molmoe-1b'));

export const opened = (name: string, folder: string, split?: string): Promise<Dataset> =>
  open_dataset({ name, folder, split }, published);

export async function taken(set: Dataset, count = Number.POSITIVE_INFINITY, from = 0): Promise<DatasetSample[]> {
  const samples: DatasetSample[] = [];
  for await (const sample of set.samples(from)) {
    if (samples.push(sample) >= count) break;
  }
  return samples;
}

/** A PNG of one white pixel. */
export const ONE_PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC',
  'base64',
);
