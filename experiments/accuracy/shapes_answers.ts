import { InputError } from '../../engine/errors.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import type { Engine } from '../../engine/molmoe.ts';
import { type Sample, shapes_sample } from '../datasets/shapes.ts';
import { type QuestionType, question_types } from '../datasets/shapes_questions.ts';
import { type Proportion, proportion } from './proportion.ts';

/** More than the longest caption of the built-in set has. */
const MOST_WORDS = 16;

export interface Asked {
  readonly from?: number;
  readonly count: number;
  readonly knobs?: Knobs;
  /** Questions that are answered together. */
  readonly batch?: number;
}

export interface ShapesAnswer {
  readonly sample: Omit<Sample, 'picture'>;
  readonly text: string;
  /** It says exactly the reference. */
  readonly right: boolean;
}

/** Answers questions of the built-in test split, its pictures as small as nano's crops. */
export async function answer_shapes(model: Pick<Engine, 'generate_batch'>, asked: Asked): Promise<ShapesAnswer[]> {
  const { from = 0, count, knobs, batch = 50 } = asked;
  const answers: ShapesAnswer[] = [];
  while (answers.length < count) {
    const n = Math.min(batch, count - answers.length);
    const samples = Array.from({ length: n }, (_, i) => shapes_sample('test', from + answers.length + i));
    const requests = samples.map(({ question: prompt, picture: image }) => {
      return { prompt, image, maxNewTokens: MOST_WORDS, knobs };
    });
    const result = await model.generate_batch(requests).result;
    for (const [i, { picture: _, ...sample }] of samples.entries()) {
      const answer = result.answers[i];
      if (answer === undefined || 'error' in answer) {
        throw new InputError(`${sample.id}: expected an answer, found ${answer?.error.message ?? 'none'}`);
      }
      const text = answer.text.trim();
      answers.push({ sample, text, right: text === sample.answer });
    }
  }
  return answers;
}

/** Of all, and of each type of question. */
export function accuracy_of(answers: readonly ShapesAnswer[]): { all: Proportion } & Record<QuestionType, Proportion> {
  const of = (type: QuestionType) => answers.filter(({ sample }) => sample.type === type);
  const by_type = question_types.map((type) => [type, proportion(of(type).map(({ right }) => right))]);
  return { all: proportion(answers.map(({ right }) => right)), ...Object.fromEntries(by_type) };
}
