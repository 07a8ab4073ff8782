import { InputError } from '../../engine/errors.ts';
import type { Dataset, DatasetSample } from '../datasets/dataset.ts';
import type { DatasetRecord } from './schema.ts';

/** Which samples of a data set an experiment measures. */

type Size = { readonly width: number; readonly height: number };

export interface Samples {
  readonly record: DatasetRecord;
  readonly list: readonly DatasetSample[];
  /** By id, of those that were asked for it. */
  readonly sizes: ReadonlyMap<string, Size>;
  /** Stands for the size of the others. */
  readonly nominal: Size;
}

/** So many are asked for their size, which opens each file's header: the plan needs no more to guess how long the rest takes. */
const SIZED = 256;
const NOMINAL: Size = { width: 640, height: 480 };

/** The first samples of a set, or all where it has fewer. */
export async function choose_samples(set: Dataset, wanted: number, resize: DatasetRecord['resize']): Promise<Samples> {
  const { name, split, size, digest, source } = set;
  const list: DatasetSample[] = [];
  for await (const sample of set.samples()) {
    list.push(sample);
    if (list.length >= wanted) break;
  }
  if (list.length === 0) throw new InputError(`${name} ${split}: expected samples, found none; choose another split`);
  const sizes = new Map<string, Size>();
  for (const { id, picture } of list.slice(0, SIZED)) {
    // What is wrong with a picture its own cell will say.
    const found = await picture?.size({ orient: resize === 'fill' }).catch(() => undefined);
    if (found !== undefined) sizes.set(id, found);
  }
  const record = { name, split, size, digest, source, resize };
  return { record, list, sizes, nominal: [...sizes.values()][0] ?? NOMINAL };
}
