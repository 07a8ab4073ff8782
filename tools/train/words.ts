import type { SpecialIds } from '../../engine/input/special_ids.ts';
import { shapes_words } from '../../experiments/datasets/shapes_questions.ts';

/** Ids of nano's words: unknown, the words, end of text; the image tokens come right after. */
const words = ['<unk>', ...new Set(shapes_words), '<|endoftext|>'] as const;
const id_of = new Map(words.map((word, id) => [word as string, id]));
const end_of_text = words.length - 1;

export const special_ids: SpecialIds = {
  bos: end_of_text,
  eos: end_of_text,
  im_start: words.length,
  im_end: words.length + 1,
  im_patch: words.length + 2,
  im_col: words.length + 3,
  image: words.length + 4,
};

/** Words and single marks of punctuation; gaps do not matter. */
export function word_ids(text: string): number[] {
  return (text.match(/\w+|[^\w\s]/g) ?? []).map((word) => id_of.get(word) ?? 0);
}

/** tokenizer.json in the published form, with a model of whole words. */
export function tokenizer_json(): object {
  const special = [
    ['<unk>', 0],
    ['<|endoftext|>', end_of_text],
    ['<im_start>', special_ids.im_start],
    ['<im_end>', special_ids.im_end],
    ['<im_patch>', special_ids.im_patch],
    ['<im_col>', special_ids.im_col],
    ['<|image|>', special_ids.image],
  ] as const;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map(([content, id]) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries([...id_of].slice(0, end_of_text).map(([word, id]) => [word.toLowerCase(), id])),
      unk_token: '<unk>',
    },
  };
}
