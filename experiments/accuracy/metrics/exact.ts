import { plain } from './text.ts';

/** Blanks around and case aside, the answer is one of the references: 1 or 0. */
export const exact_match = (prediction: string, references: readonly string[]): number =>
  references.some((reference) => plain(reference) === plain(prediction)) ? 1 : 0;

/** A third for every reference that says exactly this, 1 at most. */
export function a_okvqa_score(prediction: string, references: readonly string[]): number {
  const equal = references.filter((reference) => plain(reference) === plain(prediction)).length;
  return Math.min(equal / 3, 1);
}
