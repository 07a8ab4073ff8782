import { Tokenizer as BpeTokenizer } from '@huggingface/tokenizers';
import { InputError, UsageError } from '../errors.ts';
import { slow_pattern } from './safe_pattern.ts';
import { type SpecialIds, special_ids_of, special_texts } from './special_ids.ts';

export type EncodeOptions = {
  /** Read <im_patch> and its kind as special ids. Off, they are refused: a user's text must not forge an image. */
  allow_special?: boolean;
};

export type DecodeOptions = {
  /** Leave special tokens out. */
  skip_special?: boolean;
  /** Close the gaps before punctuation, as model answers are read. */
  cleaned?: boolean;
};

export type Tokenizer = {
  kind: 'bpe' | 'words' | 'bytes';
  special: SpecialIds;
  encode(text: string, options?: EncodeOptions): number[];
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** Of one of whole words: those of a text that it does not know. */
  unknown_words?(text: string): string[];
};

/** The published tokenizer, from its two parsed files. */
export function bpe_tokenizer(tokenizer_json: unknown, tokenizer_config_json: unknown): Tokenizer {
  const special_of = check_tokenizer_json(tokenizer_json);
  check_object(tokenizer_config_json, 'tokenizer_config.json');
  let bpe: BpeTokenizer;
  try {
    bpe = new BpeTokenizer(tokenizer_json as object, tokenizer_config_json as object);
    check_round_trip(bpe);
  } catch (error) {
    throw new InputError(`tokenizer.json: cannot be used: ${(error as Error).message}; ${use_published_files}`);
  }
  const text_of = new Map([...special_of].map(([text, id]) => [id, text]));
  return {
    kind: 'bpe',
    special: special_ids_of(special_of),
    encode(text, { allow_special = false } = {}) {
      const { ids } = bpe.encode(text, { add_special_tokens: false });
      // Looked for in the ids, not in the text: whatever way a special id was written, it is found here.
      const forged = allow_special ? undefined : ids.find((token) => text_of.has(token));
      if (forged !== undefined) refuse_special(text_of.get(forged) as string);
      return ids;
    },
    decode(ids, { skip_special = false, cleaned = false } = {}) {
      if (ids.length === 0) return '';
      const text = bpe.decode([...ids], { skip_special_tokens: skip_special, clean_up_tokenization_spaces: false });
      return cleaned ? clean_up(text) : text;
    },
  };
}

/** For a model without a tokenizer: a byte is a token. Ids that no text has are shown as <id>. */
export function byte_tokenizer(special: SpecialIds): Tokenizer {
  const text_of = new Map(
    Object.entries(special_texts).map(([name, text]) => [special[name as keyof typeof special_texts], text as string]),
  );
  const id_of = new Map([...text_of].map(([id, text]) => [text, id]));
  const any_special = /<\|endoftext\|>|<im_start>|<im_end>|<im_patch>|<im_col>|<\|image\|>/;
  const utf8 = new TextEncoder();
  return {
    kind: 'bytes',
    special,
    encode(text, { allow_special = false } = {}) {
      const ids: number[] = [];
      let rest = text;
      for (let found = any_special.exec(rest); found; found = any_special.exec(rest)) {
        if (!allow_special) refuse_special(found[0]);
        for (const byte of utf8.encode(rest.slice(0, found.index))) ids.push(byte);
        ids.push(id_of.get(found[0]) as number);
        rest = rest.slice(found.index + found[0].length);
      }
      for (const byte of utf8.encode(rest)) ids.push(byte);
      return ids;
    },
    decode(ids, { skip_special = false, cleaned = false } = {}) {
      let text = '';
      let bytes: number[] = [];
      const flush = () => {
        text += new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
        bytes = [];
      };
      for (const id of ids) {
        if (id < 256) {
          bytes.push(id);
          continue;
        }
        flush();
        const special_text = text_of.get(id);
        if (special_text === undefined) text += `<${id}>`;
        else if (!skip_special) text += special_text;
      }
      flush();
      return cleaned ? clean_up(text) : text;
    },
  };
}

export type StreamDecoder = {
  /** Text that this token settles; may be empty. */
  push(id: number): string;
  /** What was still held back. */
  end(): string;
};

/** Turns tokens into text as they come. All pieces together are decode(ids, { skip_special: true, cleaned: true }). */
export function stream_decoder(tokenizer: Tokenizer): StreamDecoder {
  let open_ids: number[] = []; // end within a character
  let tail = ''; // whole characters that a clean-up rule may still change
  const settle = (until: number) => {
    const text = clean_up(tail.slice(0, until));
    tail = tail.slice(until);
    return text;
  };
  const take = () => {
    tail += tokenizer.decode(open_ids, { skip_special: true });
    open_ids = [];
  };
  return {
    push(id) {
      open_ids.push(id);
      if (tokenizer.decode(open_ids, { skip_special: true }).endsWith('\uFFFD')) return '';
      take();
      return settle(settled_length(tail));
    },
    end() {
      take();
      return settle(tail.length);
    },
  };
}

/**
 * Where the text can be cut so that no clean-up rule reaches across. Rules build on each other: in " n ' t" the gaps
 * round the quote close first, and then the one before the n.
 */
function settled_length(text: string): number {
  const unfinished = text.search(/ (?:n'|n? ?'? ?[vr]?)$/);
  let length = unfinished < 0 ? text.length : unfinished;
  // The space may be the end of " ' ", whose start belongs to it.
  while (text.slice(0, length).endsWith(" '")) length -= 2;
  return length;
}

const clean_up_rules = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const;

function clean_up(text: string): string {
  return clean_up_rules.reduce((cleaned, [from, to]) => cleaned.replaceAll(from, to), text);
}

function refuse_special(token: string): never {
  throw new UsageError(
    `prompt: ${token} stands for a special token and cannot be part of a text; remove or rewrite it`,
  );
}

const use_published_files = 'use the tokenizer files that come with MolmoE-1B-0924';

/** Checks the parts that are relied on and returns the special tokens by their text. */
function check_tokenizer_json(json: unknown): Map<string, number> {
  const where = 'tokenizer.json';
  const root = check_object(json, where);
  const model = check_object(root.model, `${where}: model`);
  if (model.type !== 'BPE') {
    throw new InputError(
      `${where}: expected model.type BPE, found ${JSON.stringify(model.type)}; ${use_published_files}`,
    );
  }
  const vocab = check_object(model.vocab, `${where}: model.vocab`);
  for (const [token, id] of Object.entries(vocab)) check_id(id, `${where}: model.vocab[${JSON.stringify(token)}]`);
  for (const [i, merge] of check_list(model.merges, `${where}: model.merges`).entries()) {
    const merged = Array.isArray(merge) ? merge.join('') : String(merge).replace(' ', '');
    if (!Object.hasOwn(vocab, merged)) {
      throw new InputError(
        `${where}: model.merges[${i}]: expected a pair that makes a token of model.vocab, found ${JSON.stringify(merge)}; ${use_published_files}`,
      );
    }
  }
  for (const part of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
    check_patterns(root[part], `${where}: ${part}`);
  }
  const special = new Map<string, number>();
  for (const [i, entry] of check_list(root.added_tokens, `${where}: added_tokens`).entries()) {
    const token = check_object(entry, `${where}: added_tokens[${i}]`);
    if (typeof token.content !== 'string' || token.content === '') {
      throw new InputError(
        `${where}: added_tokens[${i}].content: expected a text, found ${JSON.stringify(token.content)}`,
      );
    }
    const id = check_id(token.id, `${where}: added_tokens[${i}].id`);
    if (token.special === true) special.set(token.content, id);
  }
  for (const text of Object.values(special_texts)) {
    if (!special.has(text)) {
      throw new InputError(`${where}: expected a special token ${text}, found none; ${use_published_files}`);
    }
  }
  return special;
}

/** Every regular expression of a part, however deep: one that takes time without end cannot be interrupted. */
function check_patterns(part: unknown, where: string, depth = 0): void {
  if (typeof part !== 'object' || part === null) return;
  if (depth > 20) throw new InputError(`${where}: expected at most 20 levels, found more; ${use_published_files}`);
  for (const [name, value] of Object.entries(part)) {
    if (name === 'Regex' && typeof value === 'string') {
      const slow = slow_pattern(value);
      if (slow === undefined) continue;
      throw new InputError(
        `${where}: expected a pattern that ends soon on any text, found ${slow} in ${JSON.stringify(value.slice(0, 100))}; ${use_published_files}`,
      );
    }
    check_patterns(value, `${where}.${name}`, depth + 1);
  }
}

/** A text with every byte that UTF-8 has must come back: a piece without an id would vanish unseen. */
function check_round_trip(bpe: BpeTokenizer): void {
  const low = Array.from({ length: 0x800 }, (_, i) => i);
  const high = Array.from({ length: 0x10f }, (_, i) => (i + 1) * 0x1000);
  const text = String.fromCodePoint(...low, ...high).normalize('NFC');
  const { ids } = bpe.encode(text, { add_special_tokens: false });
  if (bpe.decode(ids, { clean_up_tokenization_spaces: false }) !== text) {
    throw new Error('a text does not come back from its ids');
  }
}

function check_object(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InputError(`${where}: expected an object, found ${kind_of(value)}; ${use_published_files}`);
}

function check_list(value: unknown, where: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new InputError(`${where}: expected a list, found ${kind_of(value)}; ${use_published_files}`);
}

function check_id(value: unknown, where: string): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 24) return value as number;
  throw new InputError(`${where}: expected an id, found ${JSON.stringify(value)}; ${use_published_files}`);
}

function kind_of(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
