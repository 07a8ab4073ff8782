import { InputError } from '../../../engine/errors.ts';
import { type CaptionPair, pair_words } from './caption_pairs.ts';
import { ngrams, ORDERS } from './ngrams.ts';

/** BLEU: Papineni, Roukos, Ward, Zhu, "BLEU: a method for automatic evaluation of machine translation", ACL 2002. */

/** All that BLEU needs to know of a caption: a corpus's counts are the sums of its captions'. */
export interface BleuCounts {
  /** Of n = 1..4: n-grams that a reference has too, no oftener than one reference has them. */
  readonly matched: readonly number[];
  readonly possible: readonly number[];
  readonly length: number;
  /** Of the reference nearest in length, the shorter of two. */
  readonly reference_length: number;
}

export function bleu_counts(pair: CaptionPair): BleuCounts {
  const { caption, references } = pair_words(pair, 'BLEU');
  const matched = ORDERS.map((n) => {
    const wanted = references.map((words) => ngrams(words, n));
    const clipped = [...ngrams(caption, n)].map(([gram, count]) => {
      const most = wanted.reduce((best, counts) => Math.max(best, counts.get(gram) ?? 0), 0);
      return Math.min(count, most);
    });
    return clipped.reduce((sum, count) => sum + count, 0);
  });
  const length = caption.length;
  const [nearest] = references
    .map((words) => words.length)
    .sort((a, b) => Math.abs(a - length) - Math.abs(b - length) || a - b);
  return {
    matched,
    possible: ORDERS.map((n) => Math.max(0, length - n + 1)),
    length,
    reference_length: nearest as number,
  };
}

export interface Bleu {
  /** BLEU-1, -2, -3, -4: 0..1. */
  readonly scores: readonly number[];
  /** Modified n-gram precision of n = 1..4; 0 where no caption has that many words. */
  readonly precisions: readonly number[];
  readonly brevity_penalty: number;
}

/** Of a corpus, unsmoothed: a single n-gram order without a match makes its score 0, as the paper has it. */
export function bleu_of(captions: readonly BleuCounts[]): Bleu {
  if (captions.length === 0) throw new InputError('BLEU: expected at least one caption, found none');
  const sum = (of: (counts: BleuCounts) => number) => captions.reduce((total, counts) => total + of(counts), 0);
  const precisions = ORDERS.map((_, i) => {
    const possible = sum((counts) => counts.possible[i] as number);
    return possible === 0 ? 0 : sum((counts) => counts.matched[i] as number) / possible;
  });
  const [length, reference_length] = [sum((counts) => counts.length), sum((counts) => counts.reference_length)];
  // Long enough, or nothing said at all: then the precisions are 0 anyway.
  const brevity_penalty = length >= reference_length ? 1 : length === 0 ? 0 : Math.exp(1 - reference_length / length);
  const scores = ORDERS.map((n) => {
    const product = precisions.slice(0, n).reduce((all, precision) => all * precision, 1);
    return brevity_penalty * product ** (1 / n);
  });
  return { scores, precisions, brevity_penalty };
}

export const bleu = (pairs: readonly CaptionPair[]): Bleu => bleu_of(pairs.map(bleu_counts));
