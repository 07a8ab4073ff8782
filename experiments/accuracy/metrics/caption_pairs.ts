import { InputError } from '../../../engine/errors.ts';
import { caption_words } from './caption_words.ts';

/** A caption and what people wrote of the same picture. */
export interface CaptionPair {
  readonly caption: string;
  readonly references: readonly string[];
}

export interface PairWords {
  readonly caption: readonly string[];
  readonly references: readonly (readonly string[])[];
}

export function pair_words({ caption, references }: CaptionPair, metric: string): PairWords {
  if (references.length === 0) throw new InputError(`${metric}: expected at least one reference a caption, found none`);
  return { caption: caption_words(caption), references: references.map(caption_words) };
}
