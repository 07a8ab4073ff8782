import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { type Configuration, compare_paired, pair_up } from '../../experiments/accuracy/metrics/paired.ts';
import { mcnemar, sign_flips } from '../../experiments/accuracy/metrics/paired_tests.ts';

/** One sample a picture, unless pictures are named. */
const configuration = (name: string, scores: readonly number[], pictures?: readonly string[]): Configuration => ({
  name,
  scored: scores.map((score, i) => ({ id: `${i}`, picture: pictures?.[i] ?? `${i}`, score })),
});

describe("McNemar's test", () => {
  it.each([
    [0, 0, 1],
    [3, 3, 1],
    [0, 5, 2 / 32], // one split of 32, either way
    [1, 9, (2 * (1 + 10)) / 1024],
    [9, 1, (2 * (1 + 10)) / 1024],
  ])('%i against %i: %d', (a, b, want) => expect(mcnemar(a, b)).toBeCloseTo(want, 12));

  it('holds for thousands: near the normal approximation', () => {
    // (1200 - 1000 - 1) / sqrt 2200 = 4.243: 2.2e-5.
    expect(mcnemar(1000, 1200)).toBeGreaterThan(2.0e-5);
    expect(mcnemar(1000, 1200)).toBeLessThan(2.4e-5);
  });
});

describe('sign flips', () => {
  it('know the chance of three equal signs: two of eight', () => {
    expect(sign_flips([0.1, 0.1, 0.1])).toBeGreaterThan(0.235);
    expect(sign_flips([0.1, 0.1, 0.1])).toBeLessThan(0.265);
  });

  it('find nothing in nothing, and never a chance of 0', () => {
    expect(sign_flips([])).toBe(1);
    expect(sign_flips([0, 0])).toBe(1);
    expect(sign_flips(Array<number>(40).fill(1))).toBe(1 / 10_001);
  });

  it('agree with McNemar where both hold', () => {
    expect(sign_flips([...Array<number>(12).fill(1), ...Array<number>(4).fill(-1)])).toBeCloseTo(mcnemar(12, 4), 1);
  });
});

describe('two configurations on the same samples', () => {
  it('are told apart where one is better', () => {
    const a = configuration('top-k 4', [...Array(20).fill(0), ...Array(20).fill(1)]);
    const b = configuration('top-k 8', [...Array(12).fill(1), ...Array(8).fill(0), ...Array(20).fill(1)]);
    const found = compare_paired(a, b);
    expect(found).toMatchObject({ samples: 40, pictures: 40, mean_a: 0.5, mean_b: 0.8, test: 'McNemar' });
    expect(found.difference).toBeCloseTo(0.3, 12);
    expect(found.p).toBeCloseTo(2 / 2 ** 12, 12);
    expect(found.text).toMatch(
      /^top-k 8 scores 0\.300 above top-k 4 \(95 % interval 0\.\d{3} to 0\.\d{3}; 40 samples of 40 pictures, McNemar p < 0\.001\): the interval does not include 0, no difference: the two are told apart$/,
    );
  });

  it('are not told apart where chance may do it', () => {
    const found = compare_paired(configuration('A', [1, 1, 0, 0, 1, 0]), configuration('B', [0, 1, 1, 0, 0, 0]));
    expect(found.p).toBe(1); // two against one
    expect(found.text).toMatch(
      /^B scores 0\.167 below A \(.*\): the interval includes 0, no difference: the two are not told apart$/,
    );
  });

  it('say so where few pictures make the interval too narrow', () => {
    const { text, p } = compare_paired(configuration('A', [0, 0, 0]), configuration('B', [1, 1, 1]));
    expect(p).toBeCloseTo(0.25, 12);
    expect(text).toBe(
      'B scores 1.000 above A (95 % interval 1.000 to 1.000; 3 samples of 3 pictures, McNemar p = 0.250): the interval does not include 0, no difference, but the test finds none: more samples would tell',
    );
  });

  it('are tested by picture where pictures have several samples or scores lie between', () => {
    const pictures = ['p', 'p', 'q', 'r'];
    const by_picture = compare_paired(
      configuration('A', [0, 1, 1, 0], pictures),
      configuration('B', [1, 1, 1, 1], pictures),
    );
    expect(by_picture).toMatchObject({ samples: 4, pictures: 3, test: 'sign flips' });
    expect(compare_paired(configuration('A', [0, 1 / 3]), configuration('B', [1, 1])).test).toBe('sign flips');
  });

  it('of one picture tell nothing', () => {
    const found = compare_paired(configuration('A', [0]), configuration('B', [0]));
    expect(found.ci95).toBeNull();
    expect(found.text).toBe(
      'B scores as A does (1 sample of 1 picture, McNemar p = 1.000): one picture tells nothing of chance',
    );
  });

  it('must have the same samples', () => {
    const a = configuration('A', [0, 1]);
    const wrong: [Configuration, Configuration, string][] = [
      [a, configuration('B', [1]), 'comparison: expected the same samples on both sides, found "1" only in A'],
      [configuration('B', [1]), a, 'comparison: expected the same samples on both sides, found "1" only in A'],
      [a, { name: 'B', scored: [...a.scored, ...a.scored] }, 'B: expected each sample once, found one twice'],
      [a, configuration('B', [0, 1], ['0', 'x']), 'comparison: expected one picture of sample "1", found "1" and "x"'],
      [a, configuration('B', [0, Number.NaN]), 'B: expected finite scores, found NaN of sample "1"'],
      [a, configuration('B', []), 'B: expected at least one score, found none'],
    ];
    for (const [left, right, message] of wrong)
      expect(() => compare_paired(left, right)).toThrow(new InputError(message));
  });

  it('are paired by sample, not by order', () => {
    const a = configuration('A', [0, 1, 2]);
    const b = { name: 'B', scored: [...configuration('B', [5, 6, 7]).scored].reverse() };
    expect(pair_up(a, b).map((pair) => [pair.a, pair.b])).toEqual([
      [0, 5],
      [1, 6],
      [2, 7],
    ]);
  });

  it('turn around: the difference changes its sign, the chance stays', () => {
    const scores = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1)), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(scores, (pairs) => {
        const a = configuration(
          'A',
          pairs.map(([score]) => score),
        );
        const b = configuration(
          'B',
          pairs.map(([, score]) => score),
        );
        const [there, back] = [a, b].map((one) => compare_paired(one, one === a ? b : a, { resamples: 100 }));
        expect(there?.difference).toBeCloseTo(-(back?.difference as number), 12);
        expect(there?.p).toBeCloseTo(back?.p as number, 12);
        expect(there?.p).toBeGreaterThan(0);
        expect(there?.p).toBeLessThanOrEqual(1);
        expect(there?.text).not.toContain('\n');
      }),
    );
  });
});
