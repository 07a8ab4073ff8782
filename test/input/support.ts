import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { type Formula, formula_picture, type Picture } from '../../engine/input/pictures.ts';
import type { SpecialIds } from '../../engine/input/special_ids.ts';
import { bpe_tokenizer, type Tokenizer } from '../../engine/input/tokenizer.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { decode_image } from '../../engine/node/decode_image.ts';
import { golden_path, repo_root } from '../support/golden.ts';

/** The published geometry. */
export const MOLMO = geometry_of(preset_config('molmoe-1b'));

/** Reference data of the published geometry, and of others. */
export type GoldenFolder = 'data' | 'data_geo';

/** A test over one golden file, skipped by name where the folder lacks it. */
export function golden_test(
  file: string,
  what: string,
  body: (text: string) => void | Promise<void>,
  folder: GoldenFolder = 'data',
): void {
  const path = golden_path(`${folder}/${file}`);
  if (path) test(`${folder}/${file}: ${what}`, () => body(readFileSync(path, 'utf8')));
  else test.skip(`${folder}/${file}: ${what} (no such file in the golden folder)`, () => {});
}

export function golden_data<T>(file: string, folder: GoldenFolder = 'data'): T | undefined {
  const path = golden_path(`${folder}/${file}`);
  return path ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export type Source = { file?: string; formula?: Formula; width: number; height: number; seed?: number; rgb?: number[] };

export const has_source = (source: Source): boolean => !source.file || golden_path(`data/${source.file}`) !== undefined;

/** JPEGs are read from their stored pixels: decoders differ by a few grey levels. */
export function source_picture(source: Source, mode: 'pad' | 'fill'): Promise<Picture> | Picture {
  if (source.formula) return formula_picture(source.formula, source.width, source.height, source);
  const stored = mode === 'pad' ? '.decoded.png' : '.oriented.png';
  return decode_image(golden_path(`data/${source.file?.replace(/\.jpg$/, stored)}`) as string);
}

const tokenizer_place = process.env.MOLMOE_TOKENIZER ?? join(repo_root, '../shared/tokenizer');
const tokenizer_dir = existsSync(join(tokenizer_place, 'tokenizer.json')) ? tokenizer_place : undefined;

export function tokenizer_files(): { tokenizer: unknown; config: unknown } | undefined {
  if (!tokenizer_dir) return undefined;
  const read = (name: string) => JSON.parse(readFileSync(join(tokenizer_dir, name), 'utf8')) as unknown;
  return { tokenizer: read('tokenizer.json'), config: read('tokenizer_config.json') };
}

let real: Tokenizer | undefined;

/** A test with the published tokenizer, skipped by name where its files are absent. */
export function tokenizer_test(what: string, body: (tokenizer: Tokenizer) => void | Promise<void>): void {
  if (!tokenizer_dir) {
    test.skip(`${what} (no tokenizer.json; set MOLMOE_TOKENIZER)`, () => {});
    return;
  }
  test(what, () => {
    const files = tokenizer_files() as { tokenizer: unknown; config: unknown };
    real ??= bpe_tokenizer(files.tokenizer, files.config);
    return body(real);
  });
}

/** The special ids of a model whose image tokens follow its vocabulary. */
export function special_ids(vocab_size: number): SpecialIds {
  const [im_start, im_end, im_patch, im_col, image] = [0, 1, 2, 3, 4].map((i) => vocab_size + i) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { bos: vocab_size - 1, eos: vocab_size - 1, im_start, im_end, im_patch, im_col, image };
}
