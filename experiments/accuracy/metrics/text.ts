/** Text as Python reads it: the published scores were made there, and its blanks and words differ a little from here. */

/** Blanks of `str.strip`, `str.split` and `\s`: those of this language, four separators and NEL more, no byte order mark. */
const MORE_BLANKS = [0x1c, 0x1d, 0x1e, 0x1f, 0x85].map((code) => String.fromCharCode(code)).join('');
const is_blank = (c: string): boolean => c !== '\ufeff' && (/\s/.test(c) || MORE_BLANKS.includes(c));
const BLANKS = new RegExp(`(?:(?!\\ufeff)[\\s${MORE_BLANKS}])+`, 'u');

/** What `\w` takes in: letters and numbers of every script, but no combining marks. For use within a regular expression. */
export const WORD = '[\\p{L}\\p{N}_]';

/** Without the characters at both ends for which `unwanted` holds. */
function stripped(text: string, unwanted: (c: string) => boolean): string {
  let [from, to] = [0, text.length];
  while (from < to && unwanted(text[from] as string)) from += 1;
  while (to > from && unwanted(text[to - 1] as string)) to -= 1;
  return text.slice(from, to);
}

export const trimmed = (text: string): string => stripped(text, is_blank);

export const without_ends = (text: string, character: string): string => stripped(text, (c) => c === character);

export const words_of = (text: string): string[] => text.split(BLANKS).filter((word) => word !== '');

export const plain = (text: string): string => trimmed(text).toLowerCase();

/** Code points, not the 16-bit units that `.length` counts. */
export const length_of = (text: string): number => [...text].length;

/** Levenshtein's, between code points. */
export function edit_distance(a: string, b: string): number {
  const [from, to] = [[...a], [...b]];
  let row = Array.from({ length: to.length + 1 }, (_, k) => k);
  for (const [i, c] of from.entries()) {
    const next = [i + 1];
    for (const [k, d] of to.entries()) {
      const swap = (row[k] as number) + (c === d ? 0 : 1);
      next.push(Math.min(swap, (row[k + 1] as number) + 1, (next[k] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}

const MOST_QUOTED = 60;

/** For messages: on one line, however long or strange the text is. */
export function quoted(text: string): string {
  const characters = [...text];
  const shown = characters.length > MOST_QUOTED ? `${characters.slice(0, MOST_QUOTED).join('')}...` : text;
  return JSON.stringify(shown).replace(/[\u2028\u2029\u0085]/g, ' ');
}
