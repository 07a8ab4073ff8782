import { describe, expect, it } from 'vitest';
import { UsageError } from '../../engine/errors.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { geometry_of, type ImageGeometry } from '../../engine/model/geometry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import type { Dataset, DatasetSample } from '../../experiments/datasets/dataset.ts';
import { DATASETS, open_dataset } from '../../experiments/datasets/index.ts';
import { shapes_sample } from '../../experiments/datasets/shapes.ts';
import { nano_geometry } from '../../tools/train/nano_geometry.ts';

const published = geometry_of(preset_config('molmoe-1b'));
/** Crops of 80 pixels in patches of 8, two of margin on each side. */
const small_geometry = geometry_of({
  ...preset_config('molmoe-1b'),
  vit: { image: 80, patch: 8 },
  overlap_margins: [2, 2],
});

async function first(set: Dataset, count: number, from = 0): Promise<DatasetSample[]> {
  const samples: DatasetSample[] = [];
  for await (const sample of set.samples(from)) {
    if (samples.push(sample) === count) break;
  }
  return samples;
}

/** Grids of so many crops among the first samples. */
async function crops_of(set: Dataset, geometry: ImageGeometry): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for await (const { picture } of set.samples()) {
    if (picture === null) continue;
    const { width, height } = await picture.size();
    const { rows, cols } = choose_tiling(width, height, { max_crops: 12 }, geometry);
    counts.set(rows * cols, (counts.get(rows * cols) ?? 0) + 1);
  }
  return counts;
}

describe('the built-in set', () => {
  it('opens with nothing downloaded, and any place of it at once', async () => {
    const set = await open_dataset({ name: 'shapes' }, published);
    expect(set).toMatchObject({ name: 'shapes', split: 'test', size: DATASETS.shapes.samples });
    const [a, b, c] = (await first(set, 3)) as [DatasetSample, DatasetSample, DatasetSample];
    expect([a.id, b.id, c.id]).toEqual(['shapes-test-0', 'shapes-test-1', 'shapes-test-2']);
    expect((await first(set, 1, 2))[0]?.question).toBe(c.question);
    expect(await first(set, 9, set.size - 2)).toHaveLength(2);
    expect(await first(set, 9, set.size)).toHaveLength(0);
    const picture = await a.picture?.open();
    expect(await a.picture?.size()).toEqual({ width: picture?.width, height: picture?.height });
    expect(a.answers).toHaveLength(1);
  });

  it.each([
    ['published', published],
    ['of a small model', small_geometry],
  ])('is cut as the photographs of VQA v2 are: %s', async (_name, geometry) => {
    const set = await open_dataset({ name: 'shapes' }, geometry);
    const found = await crops_of(set, geometry);
    for (const [crops, of_5000] of [
      [1, 17],
      [2, 255],
      [3, 56],
      [4, 466],
      [6, 3980],
      [9, 226],
    ] as const) {
      const off = Math.abs((found.get(crops) ?? 0) - of_5000);
      expect(off, `${crops} crops`).toBeLessThan(4 * Math.sqrt(of_5000 * (1 - of_5000 / 5000)));
    }
    expect(found.size).toBe(6);
  });

  it('is what nano learnt from where crops are those of nano', async () => {
    const sizes = new Set<string>();
    for (const { picture } of await first(await open_dataset({ name: 'shapes' }, nano_geometry), 200)) {
      const { width, height } = (await picture?.size()) ?? { width: 0, height: 0 };
      expect(Math.max(width, height)).toBeLessThanOrEqual(128);
      sizes.add(`${width > 96}${height > 96}`);
    }
    expect(sizes.size).toBe(3);
    const [sample] = await first(await open_dataset({ name: 'shapes' }, nano_geometry), 1, 8);
    expect(await sample?.picture?.open()).toEqual(shapes_sample('test', 8).picture);
  });

  it('has a digest of its own for every split and geometry', async () => {
    const digests = await Promise.all([
      open_dataset({ name: 'shapes', split: 'train' }, published),
      open_dataset({ name: 'shapes', split: 'test' }, published),
      open_dataset({ name: 'shapes', split: 'train+test' }, published),
      open_dataset({ name: 'shapes', split: 'test+train' }, published),
      open_dataset({ name: 'shapes', split: 'test' }, nano_geometry),
    ]);
    expect(new Set(digests.map(({ digest }) => digest)).size).toBe(5);
  });
});

describe('splits', () => {
  it('follow each other where several are asked for', async () => {
    const both = await open_dataset({ name: 'shapes', split: 'test+train' }, published);
    expect(both.size).toBe(55_000);
    expect((await first(both, 2, 4_999)).map(({ id }) => id)).toEqual(['shapes-test-4999', 'shapes-train-0']);
    expect((await first(both, 1, 5_003)).map(({ id }) => id)).toEqual(['shapes-train-3']);
  });

  it.each([
    [{ name: 'imagenet' }, /^dataset: expected one of shapes, .*found "imagenet"$/],
    [{ name: 'toString' }, /^dataset: expected one of/],
    [{ name: 'shapes', split: 'validation' }, 'split: expected train or test of shapes, found "validation"'],
    [{ name: 'shapes', split: '' }, 'split: expected train or test of shapes, found ""'],
    [{ name: 'shapes', split: 'test+' }, 'split: expected train or test of shapes, found ""'],
    [{ name: 'shapes', split: 'test+test' }, 'split: expected each part once, found test twice in test+test'],
  ])('and names that no set has are refused: %j', async (choice, message) => {
    const opened = open_dataset(choice, published);
    await expect(opened).rejects.toThrow(UsageError);
    await expect(opened).rejects.toThrow(message);
  });
});
