import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { answer_lengths } from '../../experiments/analysis/answer_lengths.ts';
import { crops_needed } from '../../experiments/analysis/crops_needed.ts';
import type { Dataset, DatasetSample } from '../../experiments/datasets/dataset.ts';
import { opened, published } from '../datasets/support.ts';

const config = preset_config('molmoe-tiny');
const bytes = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
const sized = (name: string, width: number, height: number): DatasetSample['picture'] => ({
  name,
  open: () => Promise.reject(new Error('nothing is to be decoded')),
  size: async () => ({ width, height }),
});

const set_of = (samples: readonly Partial<DatasetSample>[]): Dataset => ({
  name: 'made',
  split: 'test',
  size: samples.length,
  digest: '',
  source: '',
  async *samples(from = 0) {
    for (const [i, sample] of samples.slice(from).entries()) {
      yield { id: String(i), picture: null, question: '', style: 'vqa2', answers: null, metadata: {}, ...sample };
    }
  },
});
const answered = (...answers: string[]): Partial<DatasetSample> => ({ answers });

describe('lengths of answers', () => {
  it('are of every reference, with its leading space and without the token that ends it', async () => {
    const found = await answer_lengths(set_of([answered('yes', 'no'), answered('tennis'), {}]), bytes, 99);
    expect(found).toMatchObject({
      samples: 3,
      samples_without_answers: 1,
      tokens: { n: 3, min: 3, max: 7, median: 4 },
    });
    expect(found.ranges).toEqual([
      { from: 3, to: 4, answers: 2, share: 2 / 3 },
      { from: 5, to: 8, answers: 1, share: 1 / 3 },
    ]);
    expect(found.recommendation).toMatchObject({ verdict: 'safe', new_tokens: 8 });
    expect(found.coverage.map(({ cut }) => cut)).toEqual([0, 0, 0, 0, 0]);
  });

  it.each([
    [1, 'safe', 16],
    [3, 'borderline', 64],
    [8, 'too few', 64],
    [100, 'too few', 64],
  ] as const)('with %i of 100 longer than 32, 16 are %s', async (long, verdict, new_tokens) => {
    const answers = Array.from({ length: 100 }, (_, i) =>
      answered(i < long ? `${'x'.repeat(40)}${i}` : 'twelve bytes'),
    );
    const found = await answer_lengths(set_of(answers), bytes, 100);
    expect(found.recommendation).toMatchObject({ verdict, new_tokens });
    expect(found.longer.map(({ than, answers: count }) => [than, count])).toEqual([
      [16, long],
      [32, long],
    ]);
    expect(found.longer[0]?.examples).toHaveLength(Math.min(long, 5));
    expect(found.coverage[0]).toEqual({ new_tokens: 8, share: 0, cut: 100 });
  });

  it('stop at the samples asked for, and need some answer', async () => {
    const found = await answer_lengths(set_of([answered('a'), answered('b'), answered('c')]), bytes, 2);
    expect(found.samples).toBe(2);
    const without = answer_lengths(set_of([{}, {}]), bytes, 9);
    await expect(without).rejects.toThrow(
      'made test: expected reference answers, found none; choose a split that has them',
    );
  });
});

describe('crops that pictures want', () => {
  const how = { samples: 1e9, max_crops: 100, workers: 4, orient: false };

  it('are those of the rule: each picture once, from its size alone', async () => {
    const pictures = [
      { picture: sized('a', 640, 480) },
      { picture: sized('a', 640, 480) },
      { picture: sized('b', 612, 612) },
      { picture: sized('c', 4000, 3000) },
      {},
    ];
    const found = await crops_needed(set_of(pictures), published, how);
    expect(found).toMatchObject({ samples: 5, samples_without_picture: 1, pictures: 3 });
    expect(found.distribution).toEqual([
      { crops: 6, pictures: 1, share: 1 / 3, tilings: { '2x3': 1 } },
      { crops: 9, pictures: 1, share: 1 / 3, tilings: { '3x3': 1 } },
      { crops: 234, pictures: 1, share: 1 / 3, tilings: { '13x18': 1 } },
    ]);
    expect(found.coverage).toHaveLength(15);
    expect(found.coverage[3]).toEqual({ max_crops: 9, share: 2 / 3 });
    expect(found.covering).toEqual({ recommended_99: null, acceptable_95: null });
    const all = await crops_needed(set_of(pictures), published, { ...how, max_crops: 234 });
    expect(all.covering).toEqual({ recommended_99: 234, acceptable_95: 234 });
  });

  it('go on after pictures that cannot be read, and count them', async () => {
    const broken: DatasetSample['picture'] = {
      ...(sized('broken', 1, 1) as NonNullable<DatasetSample['picture']>),
      size: () => Promise.reject(new InputError('broken.jpg: cannot be decoded')),
    };
    const found = await crops_needed(set_of([{ picture: broken }, { picture: sized('a', 336, 336) }]), published, how);
    expect(found).toMatchObject({
      pictures: 2,
      unreadable: { pictures: 1, examples: ['broken.jpg: cannot be decoded'] },
    });
    expect(found.crops.n).toBe(1);
    await expect(crops_needed(set_of([{ picture: broken }]), published, how)).rejects.toThrow(
      'expected pictures, found none that can be read: broken.jpg',
    );
    await expect(crops_needed(set_of([{}]), published, how)).rejects.toThrow('expected pictures, found no picture');
  });

  it.each([1, 3, 50])('are the same with %i at once', async (workers) => {
    const set = await opened('shapes', undefined as unknown as string);
    const found = await crops_needed(set, published, { ...how, samples: 400, workers });
    expect(found).toEqual(await crops_needed(set, published, { ...how, samples: 400, workers: 7 }));
    expect(found.samples).toBe(400);
  });
});
