import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repo_root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const fixtures_dir = join(repo_root, 'test/fixtures');

/** The golden folder (subfolders model/ and data/): MOLMOE_GOLDEN, else ../shared/golden, else what ships with the project. */
export const golden_dir: string = [
  process.env.MOLMOE_GOLDEN,
  join(repo_root, '../shared/golden'),
  join(fixtures_dir, 'golden'),
].find((dir): dir is string => dir !== undefined && dir !== '' && existsSync(dir)) as string;

/** Absolute path of a golden file, or undefined where this folder lacks it: the caller then skips by name. */
export function golden_path(relative: string): string | undefined {
  const path = join(golden_dir, relative);
  return existsSync(path) ? path : undefined;
}

export function golden_json<T>(relative: string): T {
  return JSON.parse(readFileSync(join(golden_dir, relative), 'utf8')) as T;
}
