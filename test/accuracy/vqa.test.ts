import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalise_answer, vqa_accuracy, vqa_accuracy_left_out } from '../../experiments/accuracy/metrics/vqa.ts';
import { golden_json } from '../support/golden.ts';
import { hostile_text } from '../support/hostile_text.ts';

interface Case {
  prediction: string;
  references: string | string[];
  score: number;
  normalized_prediction: string;
  normalized_references?: string[] | null;
}
const { cases } = golden_json<{ cases: Case[] }>('data/vqa.json');

describe('soft accuracy equals the golden one', () => {
  it.each(cases.map((one, i) => [i, one.prediction, one] as const))('%i: %j', (_, prediction, one) => {
    expect(normalise_answer(prediction)).toBe(one.normalized_prediction);
    if (Array.isArray(one.references) && one.normalized_references) {
      expect(one.references.map(normalise_answer)).toEqual(one.normalized_references);
    }
    expect(vqa_accuracy(prediction, one.references)).toBe(one.score);
  });

  it('reads all of them', () => expect(cases.length).toBe(161));
});

describe('soft accuracy', () => {
  const ten = (right: number) => Array.from({ length: 10 }, (_, i) => (i < right ? 'yes' : `other ${i}`));

  it('is 0 without references', () => {
    expect(vqa_accuracy('yes', [])).toBe(0);
    expect(vqa_accuracy_left_out('yes', [])).toBe(0);
  });

  it('of the challenge leaves each reference out once', () => {
    // Of ten, k right: k ways leave k - 1 of the other nine right, 10 - k ways leave k.
    // k = 1: (1 x 0 + 9 x 1/3) / 10 = 0.3; k = 2: (2 x 1/3 + 8 x 2/3) / 10 = 0.6; k = 3: (3 x 2/3 + 7 x 1) / 10 = 0.9.
    const found = [0, 1, 2, 3, 4, 10].map((right) => vqa_accuracy_left_out('Yes.', ten(right)));
    for (const [i, want] of [0, 0.3, 0.6, 0.9, 1, 1].entries()) expect(found[i]).toBeCloseTo(want, 12);
  });

  it('of the study gives three of ten all', () => expect(vqa_accuracy('Yes.', ten(3))).toBe(1));

  it('knows no words of the language itself', () => {
    expect(normalise_answer('constructor __proto__ toString')).toBe('constructor proto tostring');
  });

  it('lies within 0..1, whatever the texts and the order of the references', () => {
    fc.assert(
      fc.property(hostile_text, fc.array(hostile_text, { maxLength: 10 }), (prediction, others) => {
        const references = [prediction, ...others];
        const backwards = [...references].reverse();
        for (const score of [vqa_accuracy, vqa_accuracy_left_out]) {
          const found = score(prediction, references);
          expect(found).toBeGreaterThanOrEqual(0);
          expect(found).toBeLessThanOrEqual(1);
          expect(score(prediction, backwards)).toBe(found);
        }
        expect(vqa_accuracy(prediction, references)).toBeGreaterThan(0);
        expect(vqa_accuracy(prediction, [prediction, prediction, prediction])).toBe(1);
        expect(vqa_accuracy_left_out(prediction, references)).toBeLessThanOrEqual(vqa_accuracy(prediction, references));
      }),
    );
  });
});
