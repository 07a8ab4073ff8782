import { InputError } from '../../../engine/errors.ts';
import { type CaptionPair, pair_words } from './caption_pairs.ts';
import { ngrams, ORDERS } from './ngrams.ts';

/**
 * CIDEr-D: Vedantam, Zitnick, Parikh, "CIDEr: consensus-based image description evaluation", CVPR 2015. n-grams count
 * by how few pictures' references have them, so a score means something only within its set of pictures. As in the
 * authors' program counts are clipped as they are, not as shares of the caption.
 */

/** Words by which lengths may differ before the score falls far. */
const SIGMA = 6;
const SCALE = 10;

/** n-grams of a caption, weighted, and how long that makes it in all directions. */
interface Weighted {
  readonly weights: ReadonlyMap<string, number>;
  readonly norm: number;
}

function weighted(words: readonly string[], n: number, rarity: (gram: string) => number): Weighted {
  const weights = new Map([...ngrams(words, n)].map(([gram, count]) => [gram, count * rarity(gram)]));
  return { weights, norm: Math.sqrt([...weights.values()].reduce((sum, weight) => sum + weight ** 2, 0)) };
}

/** How far two captions point the same way; words said oftener than in the reference count no more for it. */
function likeness(caption: Weighted, reference: Weighted): number {
  if (caption.norm === 0 || reference.norm === 0) return 0;
  let sum = 0;
  for (const [gram, weight] of caption.weights) {
    const wanted = reference.weights.get(gram) ?? 0;
    sum += Math.min(weight, wanted) * wanted;
  }
  return Math.min(1, sum / (caption.norm * reference.norm)); // rounding may carry it past 1
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export interface Cider {
  /** Of each caption: 0..10. */
  readonly scores: readonly number[];
  readonly mean: number;
}

export function cider_d(pairs: readonly CaptionPair[]): Cider {
  if (pairs.length < 2) {
    throw new InputError(`CIDEr-D: expected captions of at least two pictures, found ${pairs.length}`);
  }
  const all = pairs.map((pair) => pair_words(pair, 'CIDEr-D'));
  const pictures_with = new Map<string, number>();
  for (const { references } of all) {
    const grams = references.flatMap((words) => ORDERS.flatMap((n) => [...ngrams(words, n).keys()]));
    for (const gram of new Set(grams)) pictures_with.set(gram, (pictures_with.get(gram) ?? 0) + 1);
  }
  // What no reference has counts as if one picture's had it.
  const rarity = (gram: string): number => Math.log(all.length / (pictures_with.get(gram) ?? 1));
  const scores = all.map(({ caption, references }) => {
    const by_order = ORDERS.map((n) => {
      const said = weighted(caption, n, rarity);
      const found = references.map((words) => {
        const apart = caption.length - words.length;
        return likeness(said, weighted(words, n, rarity)) * Math.exp(-(apart ** 2) / (2 * SIGMA ** 2));
      });
      return mean(found);
    });
    return SCALE * mean(by_order);
  });
  return { scores, mean: mean(scores) };
}
