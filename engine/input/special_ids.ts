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
