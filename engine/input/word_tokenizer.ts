import { InputError, UsageError } from '../errors.ts';
import { special_ids_of, special_texts } from './special_ids.ts';
import type { Tokenizer } from './tokenizer.ts';

/** A word, or one mark that is neither word nor gap: the pieces of the published pre-tokenizer "Whitespace". */
const piece = /[\p{L}\p{N}\p{M}_]+|[^\p{L}\p{N}\p{M}_\s]/gu;

/** Whether a parsed tokenizer.json is one of whole words. */
export function has_words(json: unknown): boolean {
  const { model } = (json ?? {}) as { model?: { type?: unknown } | null };
  return model?.type === 'WordLevel';
}

/**
 * A tokenizer.json of whole words (model.type WordLevel), as small models have. A word that is not in it becomes the
 * unknown one; decoded, every word brings the space before it, as the published tokenizer's do.
 */
export function word_tokenizer(tokenizer_json: unknown): Tokenizer {
  const { vocab, unknown, special_of, lower_case } = check_words(tokenizer_json);
  const text_of = new Map([...vocab, ...special_of].map(([text, id]) => [id, text]));
  const special_ids = new Set(special_of.values());
  const written = new RegExp(Object.values(special_texts).map(escaped).join('|'), 'g');

  const pieces_of = (text: string): string[] => (lower_case ? text.toLowerCase() : text).match(piece) ?? [];
  const words_of = (text: string): number[] => pieces_of(text).map((word) => vocab.get(word) ?? unknown);
  return {
    kind: 'words',
    special: special_ids_of(special_of),
    encode(text, { allow_special = false } = {}) {
      const ids: number[] = [];
      let from = 0;
      for (const { 0: token, index } of text.matchAll(written)) {
        if (!allow_special) {
          throw new UsageError(
            `prompt: ${token} stands for a special token and cannot be part of a text; remove or rewrite it`,
          );
        }
        ids.push(...words_of(text.slice(from, index)), special_of.get(token) as number);
        from = index + token.length;
      }
      ids.push(...words_of(text.slice(from)));
      return ids;
    },
    unknown_words: (text) => [...new Set(pieces_of(text).filter((word) => !vocab.has(word)))],
    decode(ids, { skip_special = false, cleaned = false } = {}) {
      const words = ids.filter((token) => !(skip_special && special_ids.has(token)));
      const text = words.map((token) => ` ${text_of.get(token) ?? `<${token}>`}`).join('');
      return cleaned ? text.replace(/ (?=[.?!,])/g, '') : text;
    },
  };
}

type Words = {
  vocab: Map<string, number>;
  unknown: number;
  special_of: Map<string, number>;
  lower_case: boolean;
};

function check_words(json: unknown): Words {
  const fail = (field: string, expected: string, found: unknown): never => {
    throw new InputError(
      `tokenizer.json: ${field}: expected ${expected}, found ${JSON.stringify(found) ?? 'none'}; ` +
        'use the file that comes with the model',
    );
  };
  const object = (value: unknown, field: string): Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : fail(field, 'an object', value);
  const token_id = (value: unknown, field: string): number =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 24
      ? (value as number)
      : fail(field, 'an id', value);

  const root = object(json, 'the file');
  const model = object(root.model, 'model');
  if (model.type !== 'WordLevel') fail('model.type', 'WordLevel', model.type);
  const entries = Object.entries(object(model.vocab, 'model.vocab'));
  const vocab = new Map(entries.map(([word, id]) => [word, token_id(id, `model.vocab[${JSON.stringify(word)}]`)]));
  if (new Set(vocab.values()).size !== vocab.size)
    fail('model.vocab', 'an id of its own for each word', 'one id twice');
  const unknown =
    vocab.get(String(model.unk_token)) ?? fail('model.unk_token', 'a word of model.vocab', model.unk_token);

  const kind = (value: unknown) => (value === null || value === undefined ? undefined : object(value, 'a part').type);
  if (kind(root.pre_tokenizer) !== 'Whitespace') fail('pre_tokenizer', 'type Whitespace', root.pre_tokenizer);
  const normalizer = kind(root.normalizer);
  if (normalizer !== undefined && normalizer !== 'Lowercase') fail('normalizer', 'Lowercase or null', root.normalizer);

  const added = Array.isArray(root.added_tokens)
    ? root.added_tokens
    : fail('added_tokens', 'a list', root.added_tokens);
  const special_of = new Map<string, number>();
  for (const [i, entry] of added.entries()) {
    const { content, id, special } = object(entry, `added_tokens[${i}]`);
    if (typeof content !== 'string' || content === '') return fail(`added_tokens[${i}].content`, 'a text', content);
    token_id(id, `added_tokens[${i}].id`);
    if (special === true) special_of.set(content, id as number);
  }
  for (const text of Object.values(special_texts)) {
    if (!special_of.has(text)) fail('added_tokens', `a special token ${text}`, undefined);
  }
  return { vocab, unknown, special_of, lower_case: normalizer === 'Lowercase' };
}

const escaped = (text: string): string => text.replace(/[|\\{}()[\]^$+*?.]/g, '\\$&');
