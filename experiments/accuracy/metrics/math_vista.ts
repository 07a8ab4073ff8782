import { InputError } from '../../../engine/errors.ts';
import { number_text, read_number, rounded } from './numbers.ts';
import { edit_distance, trimmed } from './text.ts';

export interface MathVistaQuestion {
  readonly question_type: string;
  readonly answer_type: string;
  readonly choices?: readonly string[] | null;
  /** Decimal places of an answer of type float. */
  readonly precision?: number | null;
}

/** More places than any answer has. */
const MOST_PLACES = 50;

/** "(A) foo" and "A" are the first choice; anything else is the choice nearest to it. */
function choice_text(extraction: string, choices: readonly string[]): string {
  if (choices.length === 0) throw new InputError('MathVista: expected choices, found none');
  const text = trimmed(extraction);
  const name = /\(([a-zA-Z])\)/.exec(text)?.[1]?.toUpperCase() ?? text;
  const named = name.length === 1 ? choices[name.charCodeAt(0) - 'A'.charCodeAt(0)] : undefined;
  if (named !== undefined) return named;
  const distances = choices.map((choice) => edit_distance(name, choice));
  return choices[distances.indexOf(distances.reduce((least, distance) => Math.min(least, distance)))] as string;
}

/** An answer in the form of its question, as text; null where it has not that form. Always null: a float without places. */
export function math_vista_normalize(extraction: string, question: MathVistaQuestion): string | null {
  if (question.question_type === 'multi_choice') return choice_text(extraction, question.choices ?? []);
  if (question.answer_type !== 'integer' && question.answer_type !== 'float') return extraction;
  const value = read_number(extraction);
  if (value === null) return null;
  if (question.answer_type === 'integer') return Number.isFinite(value) ? String(BigInt(Math.trunc(value))) : null;
  const places = question.precision ?? -1;
  const usable = Number.isInteger(places) && places >= 0 && places <= MOST_PLACES;
  return usable ? number_text(rounded(value, places)) : null;
}
