import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { decode_image, image_size } from '../../engine/node/decode_image.ts';
import { file_error, read_file_text } from '../../engine/node/files.ts';
import { shown } from '../../engine/weights/text.ts';
import { first_issue } from '../lab/checked.ts';
import type { SamplePicture } from './dataset.ts';

/** A set's files in the user's folder. */
export interface Home {
  /** Of the set. */
  readonly name: string;
  readonly folder: string;
  /** Where to get them. */
  readonly source: string;
}

/** Where files of the study lie in its data folder, or in the folder named. */
export const BASES = ['torch_datasets/downloads', 'downloads', '.'] as const;

/** The first of these places, in the user's folder, that is a file. */
export async function find_file(home: Home, what: string, places: readonly string[]): Promise<string> {
  for (const place of places) {
    const path = join(home.folder, place);
    if ((await kind_of(path)) === 'file') return path;
  }
  throw await missing(home, what, places);
}

/** The first of these places that is a folder. */
export async function find_folder(home: Home, what: string, places: readonly string[]): Promise<string> {
  for (const place of places) {
    const path = join(home.folder, place);
    if ((await kind_of(path)) === 'folder') return path;
  }
  throw await missing(home, what, places);
}

export const kind_of = (path: string): Promise<'file' | 'folder' | undefined> =>
  stat(path).then(
    (found) => (found.isFile() ? 'file' : found.isDirectory() ? 'folder' : undefined),
    () => undefined,
  );

export async function missing(home: Home, what: string, places: readonly string[]): Promise<InputError> {
  const { name, folder, source } = home;
  if ((await kind_of(folder)) !== 'folder') {
    return new InputError(`${folder}: expected the folder with the files of ${name}, found none; check --data-dir`);
  }
  const [first, ...others] = places.map((place) => join(folder, place));
  const elsewhere = others.length === 0 ? '' : `, nor ${others.join(', nor ')}`;
  return new InputError(
    `${first}: expected ${what} of ${name}, found nothing there${elsewhere}; get it from ${source}, or take the set shapes, which needs no files`,
  );
}

/** What a string of V8 can hold, nearly. */
const most_bytes = 500e6;

/** Parsed whole; its digest is that of its text. */
export async function read_annotations(path: string): Promise<{ value: unknown; digest: string }> {
  let text: string;
  try {
    text = await read_file_text(path, most_bytes, 'get it anew');
  } catch (error) {
    throw file_error(error, path, 'a readable file');
  }
  try {
    return { value: JSON.parse(text), digest: createHash('sha256').update(text).digest('hex') };
  } catch {
    const found = text.trim() === '' ? 'an empty file' : 'JSON that is cut off or broken';
    throw new InputError(`${path}: expected JSON, found ${found}; get it anew`);
  }
}

/** The list under this name; of a file that is nothing but a list, the list. */
export function list_in(value: unknown, name: string | null, path: string): readonly unknown[] {
  const list = name === null ? value : (value as Readonly<Record<string, unknown>> | null)?.[name];
  if (Array.isArray(list)) return list;
  const where = name === null ? 'a list' : `a list ${name}`;
  throw new InputError(`${path}: expected ${where}, found ${shown(list)}; is it another set's file?`);
}

/** A record as its schema has it; what is wrong with it is one line that says where. */
export function checked_record<T>(
  schema: z.ZodType<T>,
  value: unknown,
  where: string,
  remedy = 'get the file anew',
): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError(`${where}: ${issue_text(result.error)}; ${remedy}`);
}

const issue_text = (error: z.ZodError): string =>
  first_issue(error)
    .replace(/Invalid input: /, '')
    .replace(/, received /, ', found ')
    .replace(/found undefined$/, 'found nothing');

/** One copy of each text: millions of answers are a few ten thousand different ones. */
export function interned(): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    known.set(text, text);
    return text;
  };
}

export interface ImageFile {
  /** As results name it: its place in the set. */
  readonly name: string;
  readonly path: string;
}

export const file_picture = ({ name, path }: ImageFile): SamplePicture => ({
  name,
  open: (as) => decode_image(path, as),
  size: (as) => image_size(path, as),
});

/** A path that a file names, as pieces; one that would leave its folder is refused. */
export function inner_path(path: string, where: string): string {
  const pieces = path.split('/');
  const leaves = path === '' || path.includes('\0') || path.includes('\\') || pieces[0] === '';
  if (!leaves && !pieces.includes('..')) return path;
  throw new InputError(`${where}: expected a path inside the set's folder, found ${shown(path)}; get the file anew`);
}

const stats_at_once = 32;

/** Of the annotations, and of every image's name and size: a picture that is missing, or another, changes it. */
export async function digest_of(parts: readonly string[], images: readonly ImageFile[]): Promise<string> {
  const sizes: (number | null)[] = new Array(images.length).fill(null);
  let next = 0;
  const worker = async () => {
    while (next < images.length) {
      const at = next++;
      sizes[at] = await stat((images[at] as ImageFile).path).then(
        (found) => found.size,
        () => null,
      );
    }
  };
  await Promise.all(Array.from({ length: stats_at_once }, worker));
  const hash = createHash('sha256').update(JSON.stringify(parts));
  for (const [i, { name }] of images.entries()) hash.update(`\n${name} ${sizes[i]}`);
  return hash.digest('hex');
}

/** The folder that holds images of this sub-folder: the sub-folder itself, or its files lie directly there. */
export async function image_folder(home: Home, sub: string, prefix: string): Promise<string> {
  const places = BASES.map((base) => join(base, sub));
  for (const place of places) {
    const path = join(home.folder, place);
    if ((await kind_of(path)) === 'folder') return path;
  }
  for (const base of BASES) {
    const path = join(home.folder, base);
    const names = await readdir(path).catch(() => [] as string[]);
    if (names.some((name) => name.startsWith(prefix))) return path;
  }
  throw await missing(home, `the folder ${sub} of images`, places);
}
