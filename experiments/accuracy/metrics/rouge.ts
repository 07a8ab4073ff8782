import { type CaptionPair, pair_words } from './caption_pairs.ts';

/**
 * ROUGE-L: Lin, "ROUGE: a package for automatic evaluation of summaries", 2004. Of several references, and with this
 * weight of recall, as Chen and others score COCO captions (2015): the best recall and the best precision, each by
 * itself.
 */
const BETA = 1.2;

/** Words of the longest common subsequence. */
function common_words(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const word of a) {
    const next = [0];
    for (const [k, other] of b.entries()) {
      next.push(word === other ? (row[k] as number) + 1 : Math.max(row[k + 1] as number, next[k] as number));
    }
    row = next;
  }
  return row[b.length] as number;
}

const share = (part: number, of: number): number => (of === 0 ? 0 : part / of);

/** 0..1; a large beta asks for all that the references say, a small one for nothing else. */
export function rouge_l(pair: CaptionPair, beta = BETA): number {
  const { caption, references } = pair_words(pair, 'ROUGE-L');
  const found = references.map((words) => ({ common: common_words(caption, words), length: words.length }));
  const precision = found.reduce((best, { common }) => Math.max(best, share(common, caption.length)), 0);
  const recall = found.reduce((best, { common, length }) => Math.max(best, share(common, length)), 0);
  if (precision === 0 || recall === 0) return 0;
  return ((1 + beta ** 2) * precision * recall) / (recall + beta ** 2 * precision);
}
