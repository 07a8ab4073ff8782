import { InputError } from '../../../engine/errors.ts';
import { edit_distance, plain, quoted, WORD } from './text.ts';

/** The option that an answer means: the same text, else the only one that contains it, else the nearest. */
export function select_mc_option(prediction: string, options: readonly string[]): number {
  const answer = plain(prediction);
  const texts = options.map(plain);
  if (texts.length === 0) throw new InputError('choice: expected options, found none');
  const twice = texts.find((text, i) => texts.indexOf(text) < i);
  if (twice !== undefined) throw new InputError(`choice: expected options that differ, found ${quoted(twice)} twice`);
  const same = texts.indexOf(answer);
  if (same >= 0) return same;
  const holding = texts.flatMap((text, i) => (text.includes(answer) ? [i] : []));
  if (holding.length === 1) return holding[0] as number;
  const distances = texts.map((text) => edit_distance(text, answer));
  return distances.indexOf(distances.reduce((least, distance) => Math.min(least, distance)));
}

const LONE_LETTER = new RegExp(`(?<!${WORD})[A-Z](?!${WORD})`, 'u');

/**
 * The study's rule: the first letter that stands alone, whatever its case, if it names an option. So "A whale" means
 * option A. Else the nearest of the names of the options, where these are given, or of the options.
 */
export function choice_of(prediction: string, options: readonly string[], option_names?: readonly string[]): number {
  const letter = LONE_LETTER.exec(prediction.toUpperCase())?.[0];
  const named = letter === undefined ? -1 : letter.charCodeAt(0) - 'A'.charCodeAt(0);
  if (named >= 0 && named < options.length) return named;
  return select_mc_option(prediction, option_names ?? options);
}
