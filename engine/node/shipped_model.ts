import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError } from '../errors.ts';
import { preset_names } from '../model/presets.ts';

/** Trained models that come with the program; each lies in a folder of its name under engine/. */
export const shipped_names = ['nano'] as const;

/** What a model can be called besides a path. */
export const model_names: readonly string[] = [...preset_names, ...shipped_names];

export const is_shipped = (name: string): boolean => shipped_names.some((one) => one === name);

/** Beside this source, or beside the bundle that it is part of. */
const PLACES = ['../', '../engine/'].map((place) => fileURLToPath(new URL(place, import.meta.url)));

export function shipped_folder(name: string): string {
  const found = PLACES.map((place) => join(place, name)).find((folder) => existsSync(join(folder, 'config.json')));
  if (found === undefined) {
    throw new InputError(`model ${name}: expected engine/${name} beside the program, found none; install it again`);
  }
  return found;
}
