import { InputError } from '../errors.ts';

/** Ids with a meaning of their own. The model has no begin token: the end-of-text id stands in. */
export type SpecialIds = {
  bos: number;
  eos: number;
  im_start: number;
  im_end: number;
  im_patch: number;
  im_col: number;
  image: number;
};

/** How special tokens are written in a text. */
export const special_texts = {
  eos: '<|endoftext|>',
  im_start: '<im_start>',
  im_end: '<im_end>',
  im_patch: '<im_patch>',
  im_col: '<im_col>',
  image: '<|image|>',
} as const;

const real_vocab_size = 50280;

/**
 * Ids for a model without a tokenizer of its own. With the published vocabulary they are the published ones;
 * any other model has its image tokens at the start of the second embedding table.
 */
export function derived_special_ids(vocab_size: number, embedding_size: number): SpecialIds {
  if (!Number.isInteger(vocab_size) || vocab_size < 257) {
    throw new InputError(
      `vocab_size: expected at least 257 (256 bytes and an end token), found ${vocab_size} in the model's configuration`,
    );
  }
  if (!Number.isInteger(embedding_size) || embedding_size < vocab_size) {
    throw new InputError(
      `embedding_size: expected at least vocab_size ${vocab_size}, found ${embedding_size} in the model's configuration`,
    );
  }
  const first = vocab_size === real_vocab_size ? vocab_size : embedding_size;
  return {
    bos: vocab_size - 1,
    eos: vocab_size - 1,
    im_start: first,
    im_end: first + 1,
    im_patch: first + 2,
    im_col: first + 3,
    image: first + 4,
  };
}
