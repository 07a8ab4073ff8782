import { InputError } from '../../engine/errors.ts';
import type { Dataset, DatasetSample } from './dataset.ts';
import { digest_of, type ImageFile } from './local_files.ts';

export interface Listed<R> {
  readonly name: string;
  readonly split: string;
  /** Where its annotations lie. */
  readonly source: string;
  /** Digests of what they say. */
  readonly parts: readonly string[];
  readonly records: readonly R[];
  readonly image_of: (record: R) => ImageFile;
  readonly sample_of: (record: R) => DatasetSample;
}

/** A set whose records are all known: their texts are in memory, their pictures on disk. */
export async function listed<R>(of: Listed<R>): Promise<Dataset> {
  const { name, split, source, parts, records, image_of, sample_of } = of;
  if (records.length === 0) throw new InputError(`${source}: expected records of ${split}, found none`);
  const images = new Map(records.map((record) => [image_of(record).name, image_of(record)]));
  return {
    name,
    split,
    size: records.length,
    digest: await digest_of([name, split, ...parts], [...images.values()]),
    source,
    async *samples(from = 0) {
      for (let n = from; n < records.length; n++) yield sample_of(records[n] as R);
    },
  };
}

/** Records of one key together, keys as they are first met: the order of a set that is kept an image a record. */
export function grouped<R>(records: readonly R[], key_of: (record: R) => number | string): R[] {
  const groups = new Map<number | string, R[]>();
  for (const record of records) {
    const group = groups.get(key_of(record));
    if (group === undefined) groups.set(key_of(record), [record]);
    else group.push(record);
  }
  return [...groups.values()].flat();
}
