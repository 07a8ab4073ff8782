import { describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../engine/errors.ts';
import { bleu_counts, bleu_of } from '../../experiments/accuracy/metrics/bleu.ts';
import { bootstrap, grouped, mean_score, type Scored } from '../../experiments/accuracy/metrics/bootstrap.ts';
import { percent_of_full } from '../../experiments/accuracy/metrics/percent.ts';
import { random_numbers } from '../../experiments/lab/random.ts';

/** Scores of pictures, a list each. */
const scored = (...pictures: readonly (readonly number[])[]): Scored[] =>
  pictures.flatMap((scores, p) => scores.map((score, i) => ({ id: `${p}/${i}`, picture: `${p}`, score })));

const width = ([low, high]: readonly [number, number]): number => high - low;

describe('clustered intervals', () => {
  it('draw whole pictures', () => {
    // Of two pictures, one right and one wrong, a quarter of the draws has none right and a quarter has all.
    expect(mean_score(scored([1], [0]))).toEqual({ value: 0.5, ci95: [0, 1], clusters: 2 });
    // Three questions of one picture and one of the other: the mean is over questions.
    expect(mean_score(scored([0, 0, 0], [1]))).toEqual({ value: 0.25, ci95: [0, 1], clusters: 2 });
  });

  it('know nothing of one picture, and all of equal scores', () => {
    expect(mean_score(scored([1, 0, 1]))).toEqual({ value: 2 / 3, ci95: null, clusters: 1 });
    expect(mean_score(scored([0.3], [0.3], [0.3])).ci95?.map((x) => x.toFixed(9))).toEqual([
      '0.300000000',
      '0.300000000',
    ]);
  });

  it('repeat with their seed', () => {
    const some = scored(...Array.from({ length: 30 }, (_, i) => [i / 30]));
    expect(mean_score(some, { seed: 7 })).toEqual(mean_score(some, { seed: 7 }));
    expect(mean_score(some, { seed: 7 })).not.toEqual(mean_score(some, { seed: 8 }));
  });

  it('are wider than those of questions taken one by one', () => {
    // Ten equal scores a picture say no more than one: sqrt 10 times as wide as if they were independent.
    const random = random_numbers(3);
    const pictures = Array.from({ length: 60 }, () => Array<number>(10).fill(random() < 0.6 ? 1 : 0));
    const together = scored(...pictures);
    const apart = together.map((one) => ({ ...one, picture: one.id }));
    const ratio =
      width(mean_score(together).ci95 as [number, number]) / width(mean_score(apart).ci95 as [number, number]);
    expect(ratio).toBeGreaterThan(Math.sqrt(10) * 0.85);
    expect(ratio).toBeLessThan(Math.sqrt(10) * 1.15);
  });

  it('hold the true mean about 95 times of 100', () => {
    const random = random_numbers(11);
    const tries = 200;
    let held = 0;
    for (let t = 0; t < tries; t++) {
      // Pictures are hard or easy: 0.2 and 0.8 of four questions, 0.5 in all.
      const pictures = Array.from({ length: 60 }, () => {
        const share = random() < 0.5 ? 0.2 : 0.8;
        return Array.from({ length: 4 }, () => (random() < share ? 1 : 0));
      });
      const { ci95 } = mean_score(scored(...pictures), { resamples: 400, seed: t });
      if (ci95 && ci95[0] <= 0.5 && ci95[1] >= 0.5) held += 1;
    }
    expect(held / tries).toBeGreaterThan(0.9);
    expect(held / tries).toBeLessThan(0.99);
  });

  it('fit any statistic of a corpus', () => {
    const counts = ['a red bus', 'a blue car', 'a dog'].map((caption) =>
      bleu_counts({ caption, references: ['a red bus', 'the red car'] }),
    );
    const { value, ci95 } = bootstrap(counts, (drawn) => bleu_of(drawn).scores[0] as number, { resamples: 200 });
    expect(value).toBe(bleu_of(counts).scores[0]);
    expect(ci95?.[0]).toBeLessThan(value);
    expect(ci95?.[1]).toBeGreaterThan(value);
  });

  it('group in the order first seen', () => {
    expect(grouped(['b1', 'a1', 'b2', '__proto__'], (text) => text.slice(0, 1))).toEqual([
      ['b1', 'b2'],
      ['a1'],
      ['__proto__'],
    ]);
  });

  it('want scores', () => {
    expect(() => mean_score([])).toThrow(new InputError('mean score: expected at least one score, found none'));
    expect(() => mean_score([{ id: 'x\ny', picture: 'p', score: Number.NaN }])).toThrow(
      new InputError('mean score: expected finite scores, found NaN of sample "x\\ny"'),
    );
    expect(() => bootstrap([], () => 0)).toThrow(InputError);
    expect(() => bootstrap([1], () => 0, { resamples: 0.5 })).toThrow(UsageError);
  });
});

describe('percent of the full model', () => {
  const full = { name: 'full', scored: scored([1, 1], [0, 1], [1]) };

  it('is a ratio of means', () => {
    const cut = { name: 'cut', scored: scored([1, 0], [0, 1], [1]) };
    // 3 of the full model's 4. A draw of picture 0 alone keeps half, one of the others keeps all.
    expect(percent_of_full(full, cut)).toEqual({ percent: 75, ci95: [50, 100], clusters: 3 });
    expect(percent_of_full(full, full)).toEqual({ percent: 100, ci95: [100, 100], clusters: 3 });
  });

  it('says nothing where the full model might score 0', () => {
    const none = { name: 'none', scored: scored([0, 0], [0, 0], [0]) };
    expect(percent_of_full(none, full)).toEqual({ percent: null, ci95: null, clusters: 3 });
    const one = { name: 'one', scored: scored([1, 0], [0, 0], [0]) };
    expect(percent_of_full(one, full)).toEqual({ percent: 400, ci95: null, clusters: 3 });
  });
});
