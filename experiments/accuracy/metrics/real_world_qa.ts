import { InputError } from '../../../engine/errors.ts';
import { select_mc_option } from './choice.ts';
import { quoted } from './text.ts';
import { normalise_answer } from './vqa.ts';

const LETTERS = ['A', 'B', 'C', 'D'];

/** Of multiple choice, the letter nearest to the answer; of short answers, the same text once both are normalised. */
export function real_world_qa_score(target: string, prediction: string, question_type: string): number {
  if (question_type !== 'multiple_choice') return normalise_answer(target) === normalise_answer(prediction) ? 1 : 0;
  const want = LETTERS.indexOf(target);
  if (want < 0) throw new InputError(`RealWorldQA: expected a target of A, B, C or D, found ${quoted(target)}`);
  return select_mc_option(prediction, LETTERS) === want ? 1 : 0;
}
