import { read_number, rounded } from './numbers.ts';
import { length_of, trimmed, WORD, without_ends, words_of } from './text.ts';

/** Answers of MMMU, read by the rules that its authors published: https://github.com/MMMU-Benchmark/MMMU */

const ENDS = [',', '.', '!', '?', ';', ':', "'"];
/** An answer longer than this many words may name its option by content. */
const FEW_WORDS = 5;

/** Letters by place. */
const letter = (i: number): string => String.fromCharCode('A'.charCodeAt(0) + i);

/**
 * The letter of the option that an answer names last; null where it names none. The published program draws one by
 * chance there: here such an answer is wrong, so that a score repeats.
 */
export function parse_choice(response: string, options: readonly string[]): string | null {
  const text = ` ${ENDS.reduce(without_ends, response)} `;
  const filled = options.filter((option) => option !== '');
  const letters = filled.map((_, i) => letter(i));
  const lower = text.toLowerCase();
  const places = [
    letters.map((name) => text.lastIndexOf(`(${name})`)),
    letters.map((name) => text.lastIndexOf(` ${name} `)),
    words_of(text).length > FEW_WORDS ? filled.map((option) => lower.lastIndexOf(option.toLowerCase())) : [],
  ].find((found) => found.some((place) => place >= 0));
  return places === undefined ? null : (letters[places.indexOf(Math.max(...places))] ?? null);
}

/** A number to two places, or the text in lower case; a single letter must have a blank beside it to be found in a text. */
function normalised(text: string): (number | string)[] {
  const value = read_number(trimmed(text).replaceAll(',', ''));
  if (value !== null) return [rounded(value, 2)];
  const lower = trimmed(text).toLowerCase();
  return length_of(lower) === 1 ? [` ${lower}`, `${lower} `] : [lower];
}

const BEFORE_KEYS = ['could be ', 'so ', 'is ', 'thus ', 'therefore ', 'final ', 'answer ', 'result '];
const TRIVIAL = new Set([':', ',', '.', '!', '?', ';', "'"]);

/** What stands behind words such as "is" and "therefore", a line each; the whole text where nothing does. */
function key_parts(response: string): string[] {
  const text = without_ends(trimmed(response), '.').toLowerCase();
  const lines = text.split('\n');
  const keys = lines.flatMap((line, i) => {
    // The last line may be an equation.
    const marks = i === lines.length - 1 ? [...BEFORE_KEYS, '='] : BEFORE_KEYS;
    const tails = marks.filter((mark) => line.includes(mark)).map((mark) => trimmed(line.split(mark).at(-1) as string));
    const shortest = tails.reduce((best, tail) => (best === '' || length_of(tail) < length_of(best) ? tail : best), '');
    return shortest === '' || TRIVIAL.has(shortest) ? [] : [shortest];
  });
  return keys.length > 0 ? keys : [text];
}

const WITH_COMMAS = new RegExp(`-?(?<!${WORD})\\p{Nd}{1,3}(?:,\\p{Nd}{3})+(?!${WORD})`, 'gu');
const SCIENTIFIC = /-?\p{Nd}+(?:\.\p{Nd}+)?[eE][+-]?\p{Nd}+/gu;
const SIMPLE = new RegExp(
  `-?(?:\\p{Nd}+\\.\\p{Nd}+|\\.\\p{Nd}+|\\p{Nd}+(?!${WORD}))(?![eE][+-]?\\p{Nd}+)(?![,\\p{Nd}])`,
  'gu',
);
const numbers_in = (text: string): string[] =>
  [WITH_COMMAS, SCIENTIFIC, SIMPLE].flatMap((pattern) => text.match(pattern) ?? []);

/** What an open answer may be saying: its key parts and the numbers in them, each once. */
export function parse_open(response: string): (number | string)[] {
  const parts = key_parts(response);
  return [...new Set([...parts, ...parts.flatMap(numbers_in)].flatMap(normalised))];
}

/** 1 where a number equals, or a text contains, one of the targets. */
function open_score(response: string, targets: readonly string[]): number {
  const wanted = targets.flatMap(normalised);
  const said = parse_open(response);
  const hits = (found: number | string): boolean =>
    typeof found === 'number'
      ? wanted.some((target) => target === found)
      : wanted.some((target) => typeof target === 'string' && found.includes(target));
  return said.some(hits) ? 1 : 0;
}

export interface MmmuQuestion {
  readonly question_type?: string;
  readonly options?: readonly string[];
  readonly targets: readonly string[];
}

export function mmmu_score(response: string, { question_type, options = [], targets }: MmmuQuestion): number {
  if (question_type !== 'multiple-choice') return open_score(response, targets);
  const choice = parse_choice(response, options);
  return choice !== null && targets.includes(choice) ? 1 : 0;
}
