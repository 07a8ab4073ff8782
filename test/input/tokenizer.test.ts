import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError, UsageError } from '../../engine/errors.ts';
import { bpe_tokenizer, byte_tokenizer, stream_decoder, type Tokenizer } from '../../engine/input/tokenizer.ts';
import { golden_data, special_ids, tokenizer_files, tokenizer_test } from './support.ts';

type Case = {
  text: string;
  ids: number[];
  decoded: string;
  decoded_skip_special: string;
  decoded_cleaned: string;
  decoded_skip_special_cleaned: string;
};
type DecodeCase = Pick<Case, 'ids' | 'decoded' | 'decoded_skip_special'>;

const golden = golden_data<{ cases: Case[]; decode_only: DecodeCase[] }>('tokenizer_cases.json');
const bytes = byte_tokenizer(special_ids(500));

if (golden) {
  tokenizer_test('tokenizer_cases.json: every text and list of ids', (tokenizer) => {
    expect(golden.cases.length).toBeGreaterThan(0);
    for (const c of golden.cases) {
      const what = JSON.stringify(c.text);
      expect(tokenizer.encode(c.text, { allow_special: true }), what).toEqual(c.ids);
      expect(tokenizer.decode(c.ids), what).toBe(c.decoded);
      expect(tokenizer.decode(c.ids, { skip_special: true }), what).toBe(c.decoded_skip_special);
      expect(tokenizer.decode(c.ids, { cleaned: true }), what).toBe(c.decoded_cleaned);
      expect(tokenizer.decode(c.ids, { skip_special: true, cleaned: true }), what).toBe(c.decoded_skip_special_cleaned);
    }
    for (const c of golden.decode_only) {
      expect(tokenizer.decode(c.ids)).toBe(c.decoded);
      expect(tokenizer.decode(c.ids, { skip_special: true })).toBe(c.decoded_skip_special);
    }
  });

  tokenizer_test('a text cannot forge special ids', (tokenizer) => {
    const { bos, im_start, im_end, im_patch, im_col, image } = tokenizer.special;
    const special = new Set([1, bos, im_start, im_end, im_patch, im_col, image]);
    let refused = 0;
    for (const { text, ids } of golden.cases) {
      if (ids.some((id) => special.has(id))) {
        expect(() => tokenizer.encode(text), JSON.stringify(text)).toThrow(UsageError);
        refused++;
      } else {
        expect(tokenizer.encode(text)).toEqual(ids);
      }
    }
    expect(refused).toBeGreaterThan(10);
    expect(() => tokenizer.encode('see <im_patch> here')).toThrow(/<im_patch> stands for a special token/);
  });
} else {
  test.skip('tokenizer_cases.json (no such file in the golden folder)', () => {});
}

tokenizer_test('any text is encoded without special ids, and comes back up to NFC', (tokenizer) => {
  const tricky = fc.constantFrom(
    '<im_patch',
    '|endoftext|>',
    '<|',
    '>',
    ' ',
    '   ',
    '\n',
    '\u0301',
    'é',
    '😀',
    '\u212a',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(tricky, fc.string({ unit: 'grapheme' }))), (parts) => {
      const text = parts.join('');
      let ids: number[];
      try {
        ids = tokenizer.encode(text);
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        return;
      }
      expect(ids.every((id) => id < 50279 && id !== 1)).toBe(true);
      expect(tokenizer.decode(ids)).toBe(text.normalize('NFC'));
    }),
    { numRuns: 500 },
  );
});

tokenizer_test('streamed text is the whole text', (tokenizer) => {
  for (const { ids } of golden?.cases ?? []) check_stream(tokenizer, ids);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50303 })), (ids) => check_stream(tokenizer, ids)),
    { numRuns: 300 },
  );
  const [first, ...rest] = tokenizer.encode(' 😀', {}) as [number, ...number[]];
  const stream = stream_decoder(tokenizer);
  expect(stream.push(first)).toBe(''); // within the character
  expect(rest.map(stream.push).join('') + stream.end()).toBe(' 😀');
});

test('streamed bytes are the whole text, whatever its gaps and broken characters', () => {
  const pieces = fc.constantFrom(
    ' ',
    '.',
    "'",
    ' n',
    "n't",
    ' ve',
    "'ve",
    " ' ",
    's',
    'é',
    '😀',
    '?',
    'word',
    '\uFFFD',
  );
  const text_ids = fc.array(pieces).map((parts) => bytes.encode(parts.join('')));
  const any_ids = fc.array(fc.integer({ min: 0, max: 520 }));
  fc.assert(
    fc.property(fc.oneof(text_ids, any_ids), (ids) => check_stream(bytes, ids)),
    { numRuns: 3000 },
  );
});

test('streaming holds back no more than a rule can change', () => {
  const stream = stream_decoder(bytes);
  const shown = bytes.encode("It is , isn 't it").map((id) => stream.push(id));
  expect(shown.join('') + stream.end()).toBe("It is, isn 't it");
  expect(bytes.encode('plain').map((id) => stream.push(id))).toEqual(['p', 'l', 'a', 'i', 'n']);
});

function check_stream(tokenizer: Tokenizer, ids: number[]): void {
  const stream = stream_decoder(tokenizer);
  const text = ids.map((id) => stream.push(id)).join('') + stream.end();
  expect(text).toBe(tokenizer.decode(ids, { skip_special: true, cleaned: true }));
}

test('the byte tokenizer: a byte a token, special ids apart', () => {
  expect(bytes.encode('é!')).toEqual([0xc3, 0xa9, 0x21]);
  expect(bytes.encode('a<im_patch>b<|endoftext|>', { allow_special: true })).toEqual([97, 502, 98, 499]);
  expect(() => bytes.encode('a<im_patch>b')).toThrow(UsageError);
  expect(bytes.decode([72, 105, 300, 502, 499])).toBe('Hi<300><im_patch><|endoftext|>');
  expect(bytes.decode([72, 105, 300, 502, 499], { skip_special: true })).toBe('Hi<300>');
  expect(bytes.decode([0xc3])).toBe('\uFFFD');
  expect(bytes.decode([])).toBe('');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(bytes.decode(bytes.encode(text))).toBe(text);
    }),
  );
});

test('files that are no tokenizer are refused with what was expected', () => {
  const good = { type: 'BPE', vocab: { a: 0 }, merges: [] };
  const bad: [unknown, RegExp][] = [
    [null, /tokenizer.json: expected an object, found none/],
    [[], /found a list/],
    [{}, /model: expected an object, found none/],
    [{ model: { type: 'WordPiece' } }, /expected model.type BPE, found "WordPiece"/],
    [{ model: { ...good, vocab: [] } }, /model.vocab: expected an object/],
    [{ model: { ...good, vocab: { a: -1 } } }, /model.vocab\["a"\]: expected an id, found -1/],
    [
      { model: { ...good, merges: ['a a'] } },
      /merges\[0\]: expected a pair that makes a token of model.vocab, found "a a"/,
    ],
    [{ model: { ...good, merges: 'x' } }, /merges: expected a list, found a string/],
    [{ model: good }, /added_tokens: expected a list, found none/],
    [{ model: good, added_tokens: [{ id: 3 }] }, /added_tokens\[0\].content: expected a text/],
    [{ model: good, added_tokens: [] }, /expected a special token <\|endoftext\|>, found none; use/],
  ];
  for (const [json, message] of bad) {
    expect(() => bpe_tokenizer(json, {})).toThrow(message);
    expect(() => bpe_tokenizer(json, {})).toThrow(InputError);
  }
});

test('a pattern that could take time without end is refused before it is run, and others are not', () => {
  const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };
  const with_pattern = (pattern: string) => ({
    model,
    added_tokens: [],
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: pattern } }] },
  });
  const load = (pattern: string) => () => bpe_tokenizer(with_pattern(pattern), {});
  const slow = [
    '(\\w+\\s?)*$',
    '(a*)*b',
    '(a|a)*b',
    '(?:a?){40}a{40}',
    '(a{1,30}){1,30}b',
    'a*a*a*b',
    '(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)b',
    'a?a?a?a?a?a?a?a?a?a?aaaaaaaaaa',
    '(?:x{2}+)*y',
    '(?=(a+)+b)',
    '[[](a*)*b]',
    '(\\w+)\\1+',
    '(?:\\X)*b',
    'x'.repeat(3000),
  ];
  for (const pattern of slow) {
    expect(load(pattern), pattern).toThrow(
      /pre_tokenizer\.pretokenizers\.0\.pattern: expected a pattern that ends soon/,
    );
  }
  const published = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
  for (const pattern of [published, '[0-9]{1,3}', '(?:ab)+c', '\\[\\]+', "(?i:don't)|x*?y", 'a{,3}']) {
    expect(load(pattern), pattern).toThrow(/expected a special token/); // what is wrong next
  }
});

tokenizer_test('a damaged copy of the published files is refused', () => {
  const { tokenizer, config } = tokenizer_files() as { tokenizer: Record<string, unknown>; config: unknown };
  expect(() => bpe_tokenizer(tokenizer, null)).toThrow(/tokenizer_config.json: expected an object, found none/);
  for (const missing of ['normalizer', 'pre_tokenizer', 'decoder', 'post_processor', 'added_tokens', 'model']) {
    const { [missing]: _, ...rest } = tokenizer;
    expect(() => bpe_tokenizer(rest, config), missing).toThrow(InputError);
  }
  for (const gone of ['pre_tokenizer', 'decoder']) {
    expect(() => bpe_tokenizer({ ...tokenizer, [gone]: null }, config), gone).toThrow(/does not come back/);
  }
  const model = tokenizer.model as { vocab: Record<string, number>; merges: string[] };
  const without = (token: string) => {
    const { [token]: _, ...vocab } = model.vocab;
    return { ...tokenizer, model: { ...model, vocab } };
  };
  expect(() => bpe_tokenizer(without('Ġthe'), config)).toThrow(
    /model.merges\[\d+\]: expected a pair that makes a token/,
  );
  expect(() => bpe_tokenizer(without('Ã'), config)).toThrow(/does not come back/);
});
