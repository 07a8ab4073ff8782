import { UsageError } from '../../engine/errors.ts';
import type { ImageGeometry } from '../../engine/model/geometry.ts';
import type { Dataset, DatasetInfo } from './dataset.ts';
import { joined } from './joined.ts';
import { SHAPES, shapes_set } from './shapes_set.ts';

export const DATASETS = { shapes: SHAPES } as const satisfies Readonly<Record<string, DatasetInfo>>;
export type DatasetName = keyof typeof DATASETS;
export const DATASET_NAMES = Object.keys(DATASETS) as DatasetName[];

export interface DatasetChoice {
  readonly name: string;
  /** One of the set's, or several as `a+b`: one after the other. The usual one when left out. */
  readonly split?: string;
  /** Where its files lie. */
  readonly folder?: string;
}

/** Opens a set: its annotations are checked, no picture is read yet. Generated pictures are sized for these crops. */
export async function open_dataset(
  { name, split = dataset_info(name).usual_split }: DatasetChoice,
  crops: Pick<ImageGeometry, 'tile_px' | 'margin_px'>,
): Promise<Dataset> {
  const parts = split.split('+').map((part) => check_split(name, part));
  const twice = parts.find((part, i) => parts.indexOf(part) !== i);
  if (twice !== undefined) throw new UsageError(`split: expected each part once, found ${twice} twice in ${split}`);
  return joined(parts.map((part) => shapes_set(part as 'train' | 'test', crops)));
}

/** What is known of the set; a name that no set has is refused. */
export function dataset_info(name: string): DatasetInfo {
  if (Object.hasOwn(DATASETS, name)) return DATASETS[name as DatasetName];
  throw new UsageError(`dataset: expected one of ${DATASET_NAMES.join(', ')}, found ${JSON.stringify(name)}`);
}

function check_split(name: string, split: string): string {
  const { splits } = dataset_info(name);
  if (splits.includes(split)) return split;
  throw new UsageError(`split: expected ${splits.join(' or ')} of ${name}, found ${JSON.stringify(split)}`);
}
