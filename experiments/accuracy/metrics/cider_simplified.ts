import { words_of } from './text.ts';
import { normalise_answer } from './vqa.ts';

const word_set = (text: string): Set<string> => new Set(words_of(normalise_answer(text)));

/**
 * What the published study calls CIDEr: its program fell back to the share of words, of both texts together, that they
 * have in common, at the best reference. Only to be set beside its numbers; captions are judged by cider.ts.
 */
export function cider_simplified(prediction: string, references: readonly string[]): number {
  const said = word_set(prediction);
  const overlaps = references.map((reference) => {
    const wanted = word_set(reference);
    const shared = [...said].filter((word) => wanted.has(word)).length;
    const all = said.size + wanted.size - shared;
    return all === 0 ? 0 : shared / all;
  });
  return overlaps.reduce((best, overlap) => Math.max(best, overlap), 0);
}
