import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import { file_error, read_file_text } from '../../engine/node/files.ts';
import { KEY } from './schema_values.ts';

/**
 * Which files of a results folder are the lab's. Whatever a list says, no other name is ever written or removed, and
 * nothing behind a symbolic link inside the folder. The folder itself may be reached through one: --out named it.
 */
export const RUN_FILE = 'run.json';
export const PLAN_FILE = 'plan.json';
export const FAILED_FILE = 'failed.json';
export const OTHERS_FILE = 'inputs/others.json';
export const LIST_FILE = 'files.txt';
export const CONFIGURATIONS = 'configurations';
export const CARD_FILE = 'README.md';
/** How a card of ours begins: a README of others does not. */
export const CARD_HEAD = '<!-- molmoe.card/1';

const INNER: Readonly<Record<string, readonly string[]>> = {
  [CONFIGURATIONS]: ['json'],
  figures: ['svg', 'png'],
  traces: ['json'],
  tables: ['csv', 'json', 'md', 'parquet', 'tex'],
  inputs: ['json'],
  crops: ['png'],
};
/** More than any result: a measured cell is well under 100 MB even with thousands of runs. */
const most_bytes = 2 ** 28;

/** Whether the lab may write a file of this name, relative to the results folder. */
export function is_own_name(name: string): boolean {
  const [inner, file] = name.includes('/') ? name.split('/', 2) : [undefined, name];
  const [, stem = '', ending = ''] = /^(.*)\.([a-z]+)$/s.exec(file as string) ?? [];
  if (name.split('/').length > 2 || !KEY.test(stem) || /^lock(\.|$)/.test(stem)) return false;
  if (inner !== undefined) return Object.hasOwn(INNER, inner) && (INNER[inner] as readonly string[]).includes(ending);
  return ending === 'json' || file === 'report.html' || file === CARD_FILE;
}

/** Others' JSON may be called as an experiment calls its files, and any folder may have a README: they do not begin so. */
const needs_own_head = (name: string): boolean =>
  !name.includes('/') && ![RUN_FILE, PLAN_FILE, 'report.html'].includes(name);

/** Whether a listed file may be removed. */
export const is_removable = async (folder: string, name: string): Promise<boolean> =>
  is_own_name(name) && (!needs_own_head(name) || (await has_own_head(folder, name, 'molmoe.')));

/** Whether a file begins as the lab's do, with a schema of this name. */
export async function has_own_head(folder: string, name: string, schema: string): Promise<boolean> {
  const text = await read_own_text(join(folder, name)).catch(() => '');
  if (name === CARD_FILE) return text.startsWith(CARD_HEAD);
  return /^\s*\{\s*"schema"\s*:\s*"([^"]*)"/.exec(text)?.[1]?.startsWith(schema) === true;
}

/** Whether the card may be written: over none, or over an older one; never over somebody's README. */
export async function is_free_for_card(folder: string): Promise<boolean> {
  const there = await lstat(join(folder, CARD_FILE)).catch(() => undefined);
  return there === undefined || (there.isFile() && (await has_own_head(folder, CARD_FILE, 'molmoe.')));
}

/** A result as text; never waits for a pipe, never reads a device. */
export const read_own_text = (path: string, remedy?: string): Promise<string> =>
  read_file_text(path, most_bytes, remedy);

/** Refuses folders inside the results folder that are none, or that lead out of it. */
export async function check_inner_folders(folder: string): Promise<void> {
  for (const inner of Object.keys(INNER)) {
    const path = join(folder, inner);
    try {
      const stats = await lstat(path);
      if (stats.isDirectory()) continue;
      const found = stats.isSymbolicLink() ? 'a symbolic link' : 'something else';
      throw new InputError(
        `${path}: expected a folder of these results, found ${found}; remove it or choose another --out`,
      );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw file_error(error, path, 'a readable folder');
    }
  }
}
