import type { ImageTokenIds } from '../model/config.ts';

/** Ids with a meaning of their own. The model has no begin token: the end-of-text id stands in. */
export type SpecialIds = ImageTokenIds & Readonly<{ bos: number; eos: number }>;

/** How special tokens are written in a text. */
export const special_texts = {
  eos: '<|endoftext|>',
  im_start: '<im_start>',
  im_end: '<im_end>',
  im_patch: '<im_patch>',
  im_col: '<im_col>',
  image: '<|image|>',
} as const;

/** A vocabulary's ids of them; it must have them all. */
export function special_ids_of(ids: ReadonlyMap<string, number>): SpecialIds {
  const { eos, ...texts } = special_texts;
  const end = ids.get(eos) as number;
  const others = Object.entries(texts).map(([name, text]) => [name, ids.get(text) as number]);
  return { bos: end, eos: end, ...(Object.fromEntries(others) as ImageTokenIds) };
}
