import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { bleu, bleu_counts, bleu_of } from '../../experiments/accuracy/metrics/bleu.ts';
import { caption_words } from '../../experiments/accuracy/metrics/caption_words.ts';
import { cider_d } from '../../experiments/accuracy/metrics/cider.ts';
import { rouge_l } from '../../experiments/accuracy/metrics/rouge.ts';
import { hostile_text } from '../support/hostile_text.ts';

const pair = (caption: string, ...references: string[]) => ({ caption, references });

describe('words of a caption', () => {
  it.each([
    ['A cat, sitting (on a mat).', 'a cat sitting on a mat'],
    ["The man's dog doesn't bark; it's asleep!", "the man 's dog does n't bark it 's asleep"],
    ['The man’s T-shirt - “red”', "the man 's t-shirt red"],
    ["the boys' bikes and 'quoted' words", 'the boys bikes and quoted words'],
    ['1,000 people at 3.5% for $5.', '1,000 people at 3.5 % for $ 5'],
    ['Flags of the U.S. and the U.K.', 'flags of the u.s. and the u.k.'],
    ['end.Start two...three', 'end start two three'],
    ['ÉCOLE e\u0301cole 二 ١٢', 'école e\u0301cole 二 ١٢'],
    ['... --', ''],
  ])('%j', (caption, want) => expect(caption_words(caption).join(' ')).toBe(want));
});

describe('BLEU', () => {
  // Papineni and others, 2002, examples 1 and 2.
  const party = [
    'It is a guide to action that ensures that the military will forever heed Party commands.',
    'It is the guiding principle which guarantees the military forces always being under the command of the Party.',
    'It is the practical guide for the army always to heed the directions of the party.',
  ];
  const first = 'It is a guide to action which ensures that the military always obeys the commands of the party.';
  const second = 'It is to insure the troops forever hearing the activity guidebook that party direct.';

  it('has the precisions of its paper', () => {
    expect(bleu([pair(first, ...party)]).precisions.slice(0, 2)).toEqual([17 / 18, 10 / 17]);
    expect(bleu([pair(second, ...party)]).precisions.slice(0, 2)).toEqual([8 / 14, 1 / 13]);
  });

  it('counts "the" no oftener than one reference does', () => {
    const found = bleu_counts(
      pair('the the the the the the the.', 'The cat is on the mat.', 'There is a cat on the mat.'),
    );
    expect([found.matched[0], found.possible[0]]).toEqual([2, 7]);
  });

  it('is no better for choosing words of several references (example 4)', () => {
    const references = ['I always do.', 'I invariably do.', 'I perpetually do.'];
    const long = bleu([pair('I always invariably perpetually do.', ...references)]);
    const short = bleu([pair('I always do.', ...references)]);
    expect(long.precisions.slice(0, 2)).toEqual([1, 2 / 4]); // "i always", "perpetually do" of four
    expect(short.scores.slice(0, 3)).toEqual([1, 1, 1]);
    expect(short.scores[3]).toBe(0); // three words hold no run of four
  });

  it('takes off for captions that are too short', () => {
    // Two words of four: e ** (1 - 4/2). Precisions 1 and 1, then no match.
    const { scores, brevity_penalty } = bleu([pair('the cat', 'the cat sat here')]);
    expect(brevity_penalty).toBeCloseTo(Math.exp(-1), 12);
    expect(scores[1]).toBeCloseTo(Math.exp(-1), 12);
    expect(scores[2]).toBe(0);
    expect(bleu([pair('', 'the cat')]).scores).toEqual([0, 0, 0, 0]);
  });

  it('compares with the reference nearest in length, the shorter of two', () => {
    expect(bleu_counts(pair('a b c', 'a b c d', 'a b', 'a b c d e f')).reference_length).toBe(2);
  });

  it('sums over the corpus before it divides', () => {
    // 2 of 2 words and 0 of 4: 2/6, not the mean of 1 and 0.
    expect(
      bleu([pair('red bus', 'red bus'), pair('one two three four', 'five six seven eight')]).scores[0],
    ).toBeCloseTo(1 / 3, 12);
  });

  it('takes the geometric mean of the precisions', () => {
    // All but "a"; the pairs, threes and fours within "the cat sat on".
    const { scores, precisions } = bleu([pair('the cat sat on a mat', 'the cat sat on the mat')]);
    expect(precisions).toEqual([5 / 6, 3 / 5, 2 / 4, 1 / 3]);
    for (const [i, product] of [5 / 6, 1 / 2, 1 / 4, 1 / 12].entries()) {
      expect(scores[i]).toBeCloseTo(product ** (1 / (i + 1)), 12);
    }
  });
});

describe('ROUGE-L', () => {
  // Lin, 2004: with equal weights S2 has 3/4, S3 and S4 have 2/4.
  const S1 = 'police killed the gunman';
  it.each([
    ['police kill the gunman', 3 / 4],
    ['the gunman kill police', 2 / 4],
    ['the gunman police killed', 2 / 4],
  ])('of the paper, %j: %d', (caption, want) => expect(rouge_l(pair(caption, S1), 1)).toBe(want));

  it('weighs recall more', () => {
    // Precision 2/2, recall 2/4: (1 + 1.44) x 0.5 / (0.5 + 1.44 x 1).
    expect(rouge_l(pair('the cat', 'the big cat sleeps'))).toBeCloseTo(1.22 / 1.94, 12);
  });

  it('takes the best precision and the best recall, each by itself', () => {
    // Against the first precision 2/3 and recall 1, against the second 1 and 1/2.
    expect(rouge_l(pair('red bus stops', 'red bus', 'a red bus stops there now'))).toBe(1);
  });

  it('is 0 where nothing is common or said', () => {
    expect(rouge_l(pair('one', 'two'))).toBe(0);
    expect(rouge_l(pair('', 'two'))).toBe(0);
    expect(rouge_l(pair('one', '...'))).toBe(0);
  });
});

describe('CIDEr-D', () => {
  it('of the reference itself is 10, of nothing common 0', () => {
    const { scores, mean } = cider_d([
      pair('A cat sits down.', 'a cat sits down'),
      pair('a cat sits down', 'two dogs run fast'),
    ]);
    expect(scores[0]).toBeCloseTo(10, 12);
    expect(scores[1]).toBe(0);
    expect(mean).toBeCloseTo(5, 12);
  });

  it('has no runs of three and four words in captions of two', () => {
    // "a" is in both pictures' references, so it weighs log(2/2) = 0; "cat" and "a cat" weigh log 2 each.
    // The same direction for n = 1 and 2, nothing for 3 and 4: 10 x (1 + 1 + 0 + 0) / 4. "dog" is another direction.
    const { scores } = cider_d([pair('a cat', 'a cat'), pair('a cat', 'a dog')]);
    expect(scores[0]).toBeCloseTo(5, 12);
    expect(scores[1]).toBe(0);
  });

  it('clips repeated words and takes off for length', () => {
    // Every word weighs w = log 2. n = 1: caption (6w) against (w, w, w): min(6w, w) x w / (6w x w sqrt 3), three words
    // too long: x e ** (-3 x 3 / (2 x 6 x 6)). Longer runs have nothing in common.
    const { scores } = cider_d([
      pair('cat cat cat cat cat cat', 'black cat sleeps'),
      pair('white dog runs', 'white dog runs'),
    ]);
    expect(scores[0]).toBeCloseTo((10 / 4) * (1 / (6 * Math.sqrt(3))) * Math.exp(-1 / 8), 12);
  });

  it('takes the mean over references', () => {
    // Of two references one is the caption: n = 1 and 2 give 1/2 each.
    const { scores } = cider_d([pair('black cat', 'black cat', 'small bird'), pair('', 'white dog')]);
    expect(scores[0]).toBeCloseTo((10 * (0.5 + 0.5)) / 4, 12);
    expect(scores[1]).toBe(0);
  });

  it('weighs rare words more', () => {
    // Three pictures: "red" in two of them weighs log 3/2, "bus" and "car" log 3. One word right of two, n = 1 only.
    const [common, rare] = [Math.log(3 / 2), Math.log(3)];
    const others = [pair('', 'red kite'), pair('', 'blue sky')];
    const one_right = (right: number, wrong: number) => (10 / 4) * (right ** 2 / (right ** 2 + wrong ** 2));
    expect(cider_d([pair('red car', 'red bus'), ...others]).scores[0]).toBeCloseTo(one_right(common, rare), 12);
    expect(cider_d([pair('old bus', 'red bus'), ...others]).scores[0]).toBeCloseTo(
      (10 / 4) * (rare ** 2 / (Math.hypot(rare, rare) * Math.hypot(common, rare))),
      12,
    );
  });
});

describe('captioning metrics', () => {
  it('want references, and captions to compare among', () => {
    expect(() => bleu([])).toThrow(new InputError('BLEU: expected at least one caption, found none'));
    expect(() => bleu_of([])).toThrow(InputError);
    expect(() => bleu([pair('a')])).toThrow('BLEU: expected at least one reference a caption, found none');
    expect(() => rouge_l(pair('a'))).toThrow('ROUGE-L: expected at least one reference a caption, found none');
    expect(() => cider_d([pair('a', 'a')])).toThrow(
      new InputError('CIDEr-D: expected captions of at least two pictures, found 1'),
    );
    expect(() => cider_d([pair('a', 'a'), pair('a')])).toThrow(InputError);
  });

  it('stay in their ranges for any text, whatever the order of references and pictures', () => {
    const captions = fc.record({
      caption: hostile_text,
      references: fc.array(hostile_text, { minLength: 1, maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(captions, { minLength: 2, maxLength: 5 }), (pairs) => {
        const turned = pairs.map(({ caption, references }) => ({ caption, references: [...references].reverse() }));
        const [cider, again] = [cider_d(pairs), cider_d(turned)];
        for (const [i, score] of cider.scores.entries()) {
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(10);
          expect(again.scores[i]).toBeCloseTo(score, 9);
        }
        expect(cider_d([...pairs].reverse()).mean).toBeCloseTo(cider.mean, 9);
        const { scores } = bleu(pairs);
        for (const score of scores) {
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1);
        }
        expect(bleu(turned).scores).toEqual(scores);
        for (const [i, one] of pairs.entries()) {
          const score = rouge_l(one);
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1 + 1e-12);
          expect(rouge_l(turned[i] as typeof one)).toBe(score);
          const said = caption_words(one.caption).length;
          expect(rouge_l(pair(one.caption, one.caption))).toBeCloseTo(said > 0 ? 1 : 0, 12);
        }
      }),
    );
  });
});
