import { describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../engine/errors.ts';
import { stream_decoder } from '../../engine/input/tokenizer.ts';
import { has_words, word_tokenizer } from '../../engine/input/word_tokenizer.ts';
import { special_ids, tokenizer_json, word_ids } from '../../tools/train/words.ts';

type Json = { [key: string]: unknown };
const changed = (change: (json: Json) => void): Json => {
  const json = structuredClone(tokenizer_json()) as Json;
  change(json);
  return json;
};

describe('a tokenizer of whole words', () => {
  const tokenizer = word_tokenizer(tokenizer_json());

  it('gives the ids that the model was trained with', () => {
    const prompt = ' User: which is larger, the cross or the ring? Assistant:';
    expect(tokenizer.encode(prompt)).toEqual(word_ids(prompt));
    expect(tokenizer.encode(prompt)).not.toContain(0);
    expect(tokenizer.special).toEqual(special_ids);
  });

  it('reads capitals as small letters and strange words as the unknown one', () => {
    expect(tokenizer.encode('What COLOR is\n it?')).toEqual([
      ...tokenizer.encode('what color is'),
      0,
      tokenizer.encode('?')[0],
    ]);
    expect(tokenizer.encode('')).toEqual([]);
    expect(tokenizer.encode('Äpfel')).toEqual([0]);
  });

  it('writes words with the gap before them, one by one as together', () => {
    const ids = tokenizer.encode('a red circle, and more.');
    expect(tokenizer.decode(ids)).toBe(' a red circle , and more .');
    expect(tokenizer.decode(ids, { cleaned: true })).toBe(' a red circle, and more.');
    expect(ids.map((id) => tokenizer.decode([id])).join('')).toBe(tokenizer.decode(ids));
    expect(tokenizer.decode([...ids, special_ids.eos], { skip_special: true })).toBe(' a red circle , and more .');
    expect(tokenizer.decode([special_ids.eos, 999])).toBe(' <|endoftext|> <999>');
    const stream = stream_decoder(tokenizer);
    const text = ids.map((id) => stream.push(id)).join('') + stream.end();
    expect(text).toBe(' a red circle, and more.');
  });

  it('refuses special tokens in a text', () => {
    expect(() => tokenizer.encode('look <im_patch> here')).toThrow(UsageError);
    expect(tokenizer.encode('a <im_patch> red', { allow_special: true })).toEqual([
      ...word_ids('a'),
      special_ids.im_patch,
      ...word_ids('red'),
    ]);
  });

  it('is told from the published kind', () => {
    expect(has_words(tokenizer_json())).toBe(true);
    for (const other of [{ model: { type: 'BPE' } }, {}, null, 'text', { model: null }])
      expect(has_words(other)).toBe(false);
  });

  it.each([
    ['no vocabulary', (json: Json) => ((json.model as Json).vocab = []), /model\.vocab: expected an object/],
    [
      'an id that is none',
      (json: Json) => (((json.model as Json).vocab as Json).red = -1),
      /model\.vocab\["red"\]: expected an id/,
    ],
    ['an id twice', (json: Json) => (((json.model as Json).vocab as Json).red = 3), /an id of its own for each word/],
    ['no unknown word', (json: Json) => ((json.model as Json).unk_token = 'nothing'), /model\.unk_token/],
    ['another pre-tokenizer', (json: Json) => (json.pre_tokenizer = { type: 'ByteLevel' }), /pre_tokenizer/],
    ['another normalizer', (json: Json) => (json.normalizer = { type: 'NFC' }), /normalizer/],
    ['no special tokens', (json: Json) => (json.added_tokens = []), /a special token <\|endoftext\|>/],
    ['a broken special token', (json: Json) => (json.added_tokens = [{ id: 1 }]), /added_tokens\[0\]\.content/],
  ])('refuses a file with %s', (_, change, message) => {
    expect(() => word_tokenizer(changed(change))).toThrow(InputError);
    expect(() => word_tokenizer(changed(change))).toThrow(message);
  });
});
