import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { anls, best_anls } from '../../experiments/accuracy/metrics/anls.ts';
import { choice_of, select_mc_option } from '../../experiments/accuracy/metrics/choice.ts';
import { cider_simplified } from '../../experiments/accuracy/metrics/cider_simplified.ts';
import { a_okvqa_score, exact_match } from '../../experiments/accuracy/metrics/exact.ts';
import { math_vista_normalize } from '../../experiments/accuracy/metrics/math_vista.ts';
import { mmmu_score, parse_choice, parse_open } from '../../experiments/accuracy/metrics/mmmu.ts';
import { real_world_qa_score } from '../../experiments/accuracy/metrics/real_world_qa.ts';
import { relaxed_correctness } from '../../experiments/accuracy/metrics/relaxed.ts';
import { golden_json } from '../support/golden.ts';
import { hostile_text } from '../support/hostile_text.ts';

interface Golden {
  anls: { target: string; prediction: string; value?: number; error?: string }[];
  relaxed_correctness: { target: string; prediction: string; value: boolean }[];
  select_mc_option: { prediction: string; options: string[]; value?: number; error?: string }[];
  a_okvqa_score: { prediction: string; references: string[]; value: number }[];
  cider_simplified: { prediction: string; references: string[]; value: number }[];
  mmmu: {
    question_type: string;
    options?: string[];
    target: string[];
    response: string;
    parsed: string | (string | number)[];
    value?: number;
  }[];
  real_world_qa: { target: string; prediction: string; question_type: string; value: boolean | number }[];
  math_vista_normalize: {
    extraction: string;
    choices: string[] | null;
    question_type: string;
    answer_type: string;
    precision: number | null;
    value: string | null;
  }[];
}
const golden = golden_json<Golden>('data/metrics.json');
const told = JSON.stringify;

function expect_value(found: () => number, { value, error, ...given }: { value?: number; error?: string }): void {
  if (error !== undefined) expect(found, told(given)).toThrow(InputError);
  else expect(found(), told(given)).toBe(value);
}

describe('answer metrics equal the golden ones', () => {
  it('ANLS', () => {
    for (const one of golden.anls) expect_value(() => anls(one.target, one.prediction), one);
  });

  it('relaxed correctness', () => {
    for (const one of golden.relaxed_correctness) {
      expect(relaxed_correctness(one.target, one.prediction), told(one)).toBe(one.value);
    }
  });

  it('options', () => {
    for (const one of golden.select_mc_option) {
      expect_value(() => select_mc_option(one.prediction, one.options), one);
    }
  });

  it('A-OKVQA', () => {
    for (const one of golden.a_okvqa_score) {
      expect(a_okvqa_score(one.prediction, one.references), told(one)).toBe(one.value);
    }
  });

  it('what the study calls CIDEr', () => {
    for (const one of golden.cider_simplified) {
      expect(cider_simplified(one.prediction, one.references), told(one)).toBe(one.value);
    }
  });

  it('MMMU; where the reference guesses, nothing is parsed', () => {
    for (const { question_type, options, target: targets, response, parsed, value } of golden.mmmu) {
      const about = told(response);
      if (typeof parsed === 'string') {
        expect(parse_choice(response, options ?? []), about).toBe(parsed === 'RANDOM' ? null : parsed);
      } else {
        expect(new Set(parse_open(response)), about).toEqual(new Set(parsed));
      }
      expect(mmmu_score(response, { question_type, options, targets }), about).toBe(value ?? 0);
    }
  });

  it('RealWorldQA', () => {
    for (const one of golden.real_world_qa) {
      expect(real_world_qa_score(one.target, one.prediction, one.question_type), told(one)).toBe(Number(one.value));
    }
  });

  it('MathVista, but for places given as 2.0: an error in Python, here the number 2', () => {
    const [odd, ...more] = golden.math_vista_normalize.filter(
      ({ precision, value }) => precision === 2 && value === null,
    );
    expect(odd?.extraction).toBe('2.345');
    expect(more).toEqual([]);
    for (const one of golden.math_vista_normalize) {
      expect(math_vista_normalize(one.extraction, one), told(one)).toBe(one === odd ? '2.35' : one.value);
    }
  });

  it('all of them', () => {
    const counts = Object.values(golden).map((list: unknown[]) => list.length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(600);
  });
});

describe('wrong input is told in one line', () => {
  const wrong: readonly (readonly [string, () => unknown, string])[] = [
    ['two empty texts', () => anls('', ''), 'ANLS: expected a reference or an answer with text, found both empty'],
    ['no options', () => select_mc_option('a', []), 'choice: expected options, found none'],
    [
      'equal options',
      () => select_mc_option('a', ['x\ny', ' X\nY']),
      'choice: expected options that differ, found "x\\ny" twice',
    ],
    [
      'a target that names no option',
      () => real_world_qa_score('E', 'a', 'multiple_choice'),
      'RealWorldQA: expected a target of A, B, C or D, found "E"',
    ],
    [
      'no choices',
      () => math_vista_normalize('a', { question_type: 'multi_choice', answer_type: 'text' }),
      'MathVista: expected choices, found none',
    ],
  ];
  it.each(wrong)('%s', (_, call, message) => {
    expect(call).toThrow(InputError);
    expect(call).toThrow(message);
  });
});

describe('answer metrics', () => {
  it('take the nearest reference', () => {
    // One edit in ten characters; nothing in common.
    expect(best_anls('invoice 4', ['xyz', 'Invoice 42'])).toBe(0.9);
    expect(best_anls('invoice 4', [])).toBe(0);
  });

  it('count code points: one of two astral characters off is half', () => {
    expect(anls('😀😁😂', '😀😁😃')).toBeCloseTo(2 / 3, 12);
  });

  it('have MMMU read long answers by content, the last option named', () => {
    const options = ['a', 'b', 'c'];
    expect(parse_choice('(A) or (B), then (A) again', options)).toBe('A');
    expect(parse_choice('none', options)).toBeNull();
    expect(parse_open('so: the mass is 3 kg\nthus x = 1,234.5')).toContain(1234.5);
  });

  it('hold for any text: 0..1, the order of references aside, full marks to themselves', () => {
    fc.assert(
      fc.property(hostile_text, fc.array(hostile_text, { maxLength: 5 }), (prediction, references) => {
        const backwards = [...references].reverse();
        for (const score of [exact_match, a_okvqa_score, cider_simplified]) {
          const found = score(prediction, references);
          expect(found).toBeGreaterThanOrEqual(0);
          expect(found).toBeLessThanOrEqual(1);
          expect(score(prediction, backwards)).toBe(found);
        }
        expect(exact_match(prediction, [...references, prediction])).toBe(1);
        if (prediction !== '') {
          const found = best_anls(prediction, references);
          expect(found).toBeGreaterThanOrEqual(0);
          expect(found).toBeLessThanOrEqual(1);
          expect(best_anls(prediction, backwards)).toBe(found);
          expect(anls(prediction, prediction)).toBe(1);
        }
        parse_choice(prediction, references);
        expect([0, 1]).toContain(mmmu_score(prediction, { targets: references }));
        expect(typeof relaxed_correctness(prediction, references[0] ?? '')).toBe('boolean');
        math_vista_normalize(prediction, { question_type: 'free_form', answer_type: 'float', precision: 2 });
        math_vista_normalize(prediction, { question_type: 'free_form', answer_type: 'integer' });
      }),
    );
  });

  it('find any answer among options, whatever the options', () => {
    const options = fc.uniqueArray(hostile_text, {
      minLength: 1,
      maxLength: 6,
      selector: (text) => text.toLowerCase(),
    });
    fc.assert(
      fc.property(hostile_text, options, (prediction, list) => {
        const last = list.length - 1;
        let found: number;
        let own: number;
        try {
          // A letter may name one of options that the text could not tell apart, so the second may be refused alone.
          found = choice_of(prediction, list);
          own = select_mc_option(list[last] as string, list);
        } catch (error) {
          // Options that differ in blanks only.
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).not.toMatch(/[\n\r\u2028\u2029\u0085]/);
          return;
        }
        expect(list[found]).toBeDefined();
        expect(own).toBe(last);
      }),
    );
  });
});
