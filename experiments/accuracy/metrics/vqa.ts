import { contractions } from './contractions.ts';
import { trimmed, words_of } from './text.ts';

/** So many equal references make an answer fully right. */
const ENOUGH = 3;
const PUNCTUATION = [...';/[]"{}()=+\\_-><@`,?!'];
const COMMA_IN_NUMBER = /\p{Nd},\p{Nd}/u;
/** A slip of the published code, where a flag stands in the place of a count: no more full stops than these go. */
const MOST_STOPS = 32;
const ARTICLES = new Set(['a', 'an', 'the']);
const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const DIGITS: ReadonlyMap<string, string> = new Map([
  ['none', '0'],
  ...NUMBERS.map((word, i) => [word, String(i)] as const),
]);

/** Punctuation goes, or becomes a blank where the text sets none beside it. */
function without_punctuation(text: string): string {
  const has_number = COMMA_IN_NUMBER.test(text);
  let result = text;
  for (const mark of PUNCTUATION) {
    // Judged by the text as it was: a mark that went before changes nothing for the next.
    const goes = has_number || text.includes(`${mark} `) || text.includes(` ${mark}`);
    result = result.replaceAll(mark, goes ? '' : ' ');
  }
  let stops = 0;
  return result.replace(/\.(?!\p{Nd})/gu, (stop) => {
    stops += 1;
    return stops <= MOST_STOPS ? '' : stop;
  });
}

/** What is compared of an answer: lower case, no punctuation, no articles, number words as digits, contractions whole. */
export function normalise_answer(answer: string): string {
  const text = trimmed(answer.replace(/[\n\t]/g, ' ').toLowerCase());
  return words_of(without_punctuation(text).toLowerCase())
    .map((word) => DIGITS.get(word) ?? word)
    .filter((word) => !ARTICLES.has(word))
    .map((word) => contractions.get(word) ?? word)
    .join(' ');
}

/**
 * The study's soft accuracy: a third for every reference that says the same, 1 at most. A single text is no list of
 * references: it is compared as it stands.
 */
export function vqa_accuracy(prediction: string, references: readonly string[] | string): number {
  const answer = normalise_answer(prediction);
  if (typeof references === 'string') return answer === references ? 1 : 0;
  const equal = references.filter((reference) => normalise_answer(reference) === answer).length;
  return Math.min(equal / ENOUGH, 1);
}

/**
 * The mean that the VQA challenge takes over every way to leave one reference out: three of ten give 0.9, not 1. Its
 * own program normalises only where the references differ; here they always are.
 */
export function vqa_accuracy_left_out(prediction: string, references: readonly string[]): number {
  const n = references.length;
  if (n === 0) return 0;
  const answer = normalise_answer(prediction);
  const equal = references.filter((reference) => normalise_answer(reference) === answer).length;
  const without_equal = Math.min(Math.max(equal - 1, 0) / ENOUGH, 1);
  const without_other = Math.min(equal / ENOUGH, 1);
  return (equal * without_equal + (n - equal) * without_other) / n;
}
