import { InputError } from '../../../engine/errors.ts';
import { edit_distance, length_of } from './text.ts';

/** From this share of edits on an answer is wrong, not nearly right. */
const THRESHOLD = 0.5;

/** Normalised Levenshtein similarity of one reference and an answer, whatever their case: 0..1. */
export function anls(target: string, prediction: string): number {
  const longest = Math.max(length_of(target), length_of(prediction));
  if (longest === 0) throw new InputError('ANLS: expected a reference or an answer with text, found both empty');
  const share = edit_distance(target.toLowerCase(), prediction.toLowerCase()) / longest;
  return share < THRESHOLD ? 1 - share : 0;
}

/** Of the reference that is nearest; 0 of none. */
export const best_anls = (prediction: string, references: readonly string[]): number =>
  references.reduce((best, reference) => Math.max(best, anls(reference, prediction)), 0);
