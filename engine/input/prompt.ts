import { UsageError } from '../errors.ts';
import type { ImageGeometry } from '../model/geometry.ts';
import { type ImageLayout, image_layout } from './layout.ts';
import type { Tiling } from './tiling.ts';
import type { EncodeOptions, Tokenizer } from './tokenizer.ts';

export type PromptFormat = {
  /** role: "User: ... Assistant:". none: the text as it is. */
  message_format?: 'role' | 'none';
  always_start_with_space?: boolean;
};

export type Prompt = {
  ids: number[]; // BOS, image tokens, text tokens
  text_tokens: number; // without BOS
  formatted_text: string;
  image?: ImageLayout;
};

export function format_prompt(
  text: string,
  { message_format = 'role', always_start_with_space = true }: PromptFormat = {},
): string {
  const message = message_format === 'role' ? `User: ${text} Assistant:` : text;
  return always_start_with_space ? ` ${message}` : message;
}

/** The prompt as the published model's processor builds it: at most one picture, before the text. */
export function build_prompt(
  tokenizer: Tokenizer,
  text: string,
  {
    picture,
    ...options
  }: PromptFormat & EncodeOptions & { picture?: { tiling: Tiling; geometry: ImageGeometry } } = {},
): Prompt {
  const formatted_text = format_prompt(text, options);
  const text_ids = tokenizer.encode(formatted_text, options);
  const image = picture && image_layout(picture.tiling, tokenizer.special, picture.geometry);
  return {
    ids: [tokenizer.special.bos, ...(image?.token_ids ?? []), ...text_ids],
    text_tokens: text_ids.length,
    formatted_text,
    image,
  };
}

// Each piece is one token of the published tokenizer.
const story =
  ' Look at the picture and tell me what you see in it . First name the people , the animals and the things , ' +
  ' then say where each of them is and what it is doing . Look at the light , the colors and the weather too . ' +
  ' Is there any text in the picture ? Read it to me , word by word , and say what it could mean . At the end , ' +
  ' say what may have happened before the picture was taken and what may happen after it .';
const pieces = story
  .split(/ +/)
  .slice(1)
  .map((word) => (/^[.,?]$/.test(word) ? word : ` ${word}`));
// Lengths 2 .. 12 close any gap for a tokenizer of bytes; for the published one a gap never stays.
const fillers = [
  '',
  '.',
  ' a',
  ' it',
  ' the',
  ' dark',
  ' small',
  ' bright',
  ' picture',
  ' pictures',
  ' carefully',
  ' completely',
];

/** A text whose formatted prompt has exactly n tokens, BOS and image not counted; the same one each time. */
export function exact_length_text(tokenizer: Tokenizer, n: number, format: PromptFormat = {}): string {
  if (!Number.isInteger(n) || n < 1) {
    throw new UsageError(`text tokens: expected a whole number of at least 1, found ${n}`);
  }
  const count = (text: string) => tokenizer.encode(format_prompt(text, format)).length;
  const text_of = (words: number) =>
    Array.from({ length: words }, (_, i) => pieces[i % pieces.length] as string)
      .join('')
      .trimStart();

  // The longest run of words that still fits: a word is at least one token.
  let fits = 0;
  let too_long = n + 1;
  while (too_long - fits > 1) {
    const middle = (fits + too_long) >> 1;
    if (count(text_of(middle)) <= n) fits = middle;
    else too_long = middle;
  }
  for (const words of [fits, fits - 1]) {
    if (words < 0) continue;
    for (const filler of fillers) {
      const text = words === 0 ? filler.trimStart() : text_of(words) + filler;
      if (count(text) === n) return text;
    }
  }
  const least = Math.min(...fillers.map((filler) => count(filler.trimStart())));
  throw new UsageError(`text tokens: expected at least ${least} for this prompt format and tokenizer, found ${n}`);
}
