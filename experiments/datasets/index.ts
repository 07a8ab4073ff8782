import { UsageError } from '../../engine/errors.ts';
import type { ImageGeometry } from '../../engine/model/geometry.ts';
import { dataset_info } from './catalogue.ts';
import { open_coco_captions } from './coco_captions.ts';
import type { Dataset } from './dataset.ts';
import { HUB_SETS } from './hub_sets.ts';
import { joined } from './joined.ts';
import type { Home } from './local_files.ts';
import type { OpenableSet } from './parquet_set.ts';
import { shapes_set } from './shapes_set.ts';
import { open_st_qa } from './st_qa.ts';
import { open_tally_qa } from './tally_qa.ts';
import { open_vqa2 } from './vqa2.ts';

export { DATASET_NAMES, DATASETS, type DatasetName, dataset_info } from './catalogue.ts';

type Opener = (home: Home, split: string) => Promise<Dataset>;

const hub_sets: Readonly<Record<string, OpenableSet>> = HUB_SETS;
const hub_folders = Object.values(hub_sets).flatMap(({ folders }) => folders);
const JSON_SETS: Readonly<Record<string, Opener>> = {
  coco_2014_vqa: open_vqa2,
  coco_caption: open_coco_captions,
  tally_qa: open_tally_qa,
  st_qa: open_st_qa,
};

export interface DatasetChoice {
  readonly name: string;
  /** One of the set's, or several as `a+b`: one after the other. The usual one when left out. */
  readonly split?: string;
  /** Where its files lie, MOLMO_DATA_DIR of the environment when left out; the built-in set has none. */
  readonly folder?: string;
}

/** Opens a set: its annotations are checked, no picture is read yet. Generated pictures are sized for these crops. */
export async function open_dataset(
  choice: DatasetChoice,
  crops: Pick<ImageGeometry, 'tile_px' | 'margin_px'>,
): Promise<Dataset> {
  const { name, split = dataset_info(name).usual_split } = choice;
  const parts = split.split('+').map((part) => check_split(name, part));
  const twice = parts.find((part, i) => parts.indexOf(part) !== i);
  if (twice !== undefined) throw new UsageError(`split: expected each part once, found ${twice} twice in ${split}`);
  if (name === 'shapes') return joined(parts.map((part) => shapes_set(part as 'train' | 'test', crops)));

  const folder = choice.folder || process.env.MOLMO_DATA_DIR;
  const { source } = dataset_info(name);
  if (!folder) {
    throw new UsageError(
      `folder: expected the one with the files of ${name}, found none given (nor MOLMO_DATA_DIR in the environment); get them from ${source}, or take the set shapes, which needs no files`,
    );
  }
  const home = { name, folder, source };
  const open: Opener = JSON_SETS[name] ?? ((at, part) => (hub_sets[name] as OpenableSet).open(at, part, hub_folders));
  const sets: Dataset[] = [];
  for (const part of parts) sets.push(await open(home, part));
  return joined(sets);
}

function check_split(name: string, split: string): string {
  const { splits } = dataset_info(name);
  if (splits.includes(split)) return split;
  throw new UsageError(`split: expected ${splits.join(' or ')} of ${name}, found ${JSON.stringify(split)}`);
}
