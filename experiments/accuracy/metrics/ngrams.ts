/** Between the words of an n-gram: no word holds a blank. */
const BETWEEN = ' ';

/** How often each run of n words occurs. */
export function ngrams(words: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= words.length; i++) {
    const gram = words.slice(i, i + n).join(BETWEEN);
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

/** The longest n-grams that BLEU and CIDEr look at. */
export const ORDERS = [1, 2, 3, 4] as const;
