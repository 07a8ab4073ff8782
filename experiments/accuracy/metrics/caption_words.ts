/**
 * A caption's words as the captioning metrics compare them: much as the Penn Treebank's tokeniser cuts them, in lower
 * case, and punctuation left out. "don't" is "do n't", "man's" is "man 's"; "t-shirt", "3.5" and "u.s." stay whole.
 * Not told apart: words that the Treebank splits by a list of its own, such as "cannot".
 */
const CLITICS = /(?<=[\p{L}\p{N}])('(?:s|m|d|re|ve|ll))(?![\p{L}\p{N}'])/gu;
const NOT = /(?<=\p{L})(n't)(?![\p{L}\p{N}'])/gu;

const WORD_PART = '[\\p{L}\\p{M}\\p{N}]+';
const TOKENS = new RegExp(
  [
    "(?<=\\s)'(?:s|m|d|re|ve|ll)(?!\\S)", // what CLITICS cut off
    '\\p{N}+(?:[.,]\\p{N}+)+',
    '\\p{L}(?:\\.\\p{L})+(?:\\.|(?![\\p{L}\\p{N}]))',
    `${WORD_PART}(?:[-']${WORD_PART})*`,
    '[%&#@]|\\p{S}',
  ].join('|'),
  'gu',
);

export function caption_words(caption: string): string[] {
  const text = caption.toLowerCase().replace(/[‘’]/g, "'").replace(NOT, ' $1').replace(CLITICS, ' $1 ');
  return text.match(TOKENS) ?? [];
}
