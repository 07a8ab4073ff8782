import { InputError } from '../../engine/errors.ts';
import { tiling_wanted } from '../../engine/input/tiling.ts';
import type { ImageGeometry } from '../../engine/model/geometry.ts';
import type { Dataset, SamplePicture } from '../datasets/dataset.ts';
import { Tally, type TallySummary } from './tally.ts';

const CAPS = { first: 6, last: 20 } as const;
const RECOMMENDED = 0.99;
const ACCEPTABLE = 0.95;
const MOST_EXAMPLES = 3;

export interface CropsNeeded {
  readonly samples: number;
  readonly samples_without_picture: number;
  /** Each picture once, however many samples ask about it; and those among them that cannot be read. */
  readonly pictures: number;
  readonly unreadable: { readonly pictures: number; readonly examples: readonly string[] };
  /** High-resolution crops, as max_crops counts them: without the overview. */
  readonly crops: TallySummary;
  readonly distribution: readonly {
    readonly crops: number;
    readonly pictures: number;
    readonly share: number;
    /** Rows x columns, and how many pictures want them. */
    readonly tilings: Readonly<Record<string, number>>;
  }[];
  readonly coverage: readonly { readonly max_crops: number; readonly share: number }[];
  /** The least cap that so many pictures lose nothing by; null where it is above the largest that was asked about. */
  readonly covering: { readonly recommended_99: number | null; readonly acceptable_95: number | null };
}

export interface Reading {
  /** Samples from the set's beginning. */
  readonly samples: number;
  /** The largest cap to recommend. */
  readonly max_crops: number;
  /** Headers read at once. */
  readonly workers: number;
  /** Turn pictures as their files say. */
  readonly orient: boolean;
  readonly each?: (done: number) => void;
}

/** The crops that each picture would be cut into if nothing capped them: from its size alone, by the model's own rule. */
export async function crops_needed(set: Dataset, geometry: ImageGeometry, how: Reading): Promise<CropsNeeded> {
  const tally = new Tally();
  const tilings = new Map<number, Map<string, number>>();
  const faults: (readonly [place: number, message: string])[] = [];
  let unreadable = 0;
  const look = async (picture: SamplePicture, place: number) => {
    try {
      const { width, height } = await picture.size({ orient: how.orient });
      const { rows, cols } = tiling_wanted(width, height, geometry);
      tally.add(rows * cols);
      const of_count = tilings.get(rows * cols) ?? new Map<string, number>();
      tilings.set(rows * cols, of_count.set(`${rows}x${cols}`, (of_count.get(`${rows}x${cols}`) ?? 0) + 1));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      unreadable += 1;
      // The first of the set, whoever was read first.
      faults.push([place, error.message]);
      faults.sort(([a], [b]) => a - b).splice(MOST_EXAMPLES);
    }
  };
  const names = new Set<string>();
  const running = new Set<Promise<void>>();
  let samples = 0;
  let without = 0;
  for await (const { picture } of set.samples()) {
    samples += 1;
    how.each?.(samples);
    if (picture === null) without += 1;
    else if (!names.has(picture.name)) {
      names.add(picture.name);
      const one: Promise<void> = look(picture, samples).finally(() => running.delete(one));
      running.add(one);
      if (running.size >= how.workers) await Promise.race(running);
    }
    if (samples >= how.samples) break;
  }
  await Promise.all(running);

  const crops = tally.summary();
  if (crops === null) {
    const why = faults[0] === undefined ? 'found no picture' : `found none that can be read: ${faults[0][1]}`;
    throw new InputError(`${set.name} ${set.split}: expected pictures, ${why}`);
  }
  const covering = (share: number) => {
    const cap = tally.covering(share) as number;
    return cap <= how.max_crops ? cap : null;
  };
  return {
    samples,
    samples_without_picture: without,
    pictures: names.size,
    unreadable: { pictures: unreadable, examples: faults.map(([, message]) => message) },
    crops,
    distribution: tally.entries.map(([count, times]) => ({
      crops: count,
      pictures: times,
      share: times / crops.n,
      tilings: Object.fromEntries([...(tilings.get(count) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))),
    })),
    coverage: Array.from({ length: CAPS.last - CAPS.first + 1 }, (_, i) => CAPS.first + i).map((max_crops) => ({
      max_crops,
      share: tally.up_to(max_crops) / crops.n,
    })),
    covering: { recommended_99: covering(RECOMMENDED), acceptable_95: covering(ACCEPTABLE) },
  };
}
