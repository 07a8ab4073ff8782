import { InputError, UsageError } from '../../engine/errors.ts';
import { max_pixels } from '../../engine/input/pictures.ts';
import type { Tokenizer } from '../../engine/input/tokenizer.ts';
import { type DecodedPicture, decode_image } from '../../engine/node/decode_image.ts';

const STDIN = '-';
const MOST_TEXT_BYTES = 2 ** 20;
const MOST_IMAGE_BYTES = 256 * 2 ** 20;

export interface InputFlags {
  /** A file, or `-` for stdin. */
  readonly image?: string;
  /** Words, or `-` for stdin. */
  readonly prompt?: string;
}

/** The words of a prompt: those given, or what stdin has, without the line's end. */
export async function read_prompt({ image, prompt }: InputFlags): Promise<string | undefined> {
  if (prompt === STDIN && image === STDIN) {
    throw new UsageError('--prompt - and --image -: expected one of them on stdin, found both; name a file for one');
  }
  const text = prompt === STDIN ? await stdin_text() : prompt;
  if (text?.trim() === '') throw new UsageError('--prompt: expected some text, found none');
  return text;
}

export async function read_picture(image: string, orient: boolean): Promise<DecodedPicture> {
  if (image !== STDIN) return decode_image(image, { orient });
  return decode_image(await stdin_bytes(MOST_IMAGE_BYTES, '--image -'), { orient, name: 'image on stdin' });
}

/** 1008x784, or none: null. */
export function parse_size(text: string): { readonly width: number; readonly height: number } | null {
  if (text === 'none') return null;
  const [, wide, high] = /^(\d{1,5})x(\d{1,5})$/.exec(text) ?? [];
  const [width, height] = [Number(wide), Number(high)];
  if (!(width > 0 && height > 0)) {
    throw new UsageError(`--image-size ${text}: expected width x height such as 1008x784, or none`);
  }
  if (width * height > max_pixels) {
    throw new UsageError(`--image-size ${text}: expected at most ${max_pixels / 1e6} million pixels`);
  }
  return { width, height };
}

/** What the published processor does not do, and so is done only when asked for. */
export const orientation_note = ({ orientation }: DecodedPicture, oriented: boolean): string[] =>
  orientation === 1 || oriented
    ? []
    : [
        `the picture says it is to be turned (EXIF orientation ${orientation}), which the model's own processor ignores: --orient turns it`,
      ];

/** What a model of few words will not understand. */
export function unknown_words(tokenizer: Tokenizer, prompt: string): string[] {
  const words = tokenizer.unknown_words?.(prompt) ?? [];
  return words.length === 0 ? [] : [`the model does not know ${words.map((word) => `"${word}"`).join(', ')}`];
}

async function stdin_text(): Promise<string> {
  const bytes = await stdin_bytes(MOST_TEXT_BYTES, '--prompt -');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch {
    throw new InputError('--prompt -: expected text in UTF-8 on stdin, found other bytes; check what is piped in');
  }
}

async function stdin_bytes(most: number, option: string): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of process.stdin) {
    bytes += part.length;
    if (bytes > most) throw new InputError(`${option}: expected at most ${most} bytes on stdin, found more`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
