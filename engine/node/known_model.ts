import { InputError } from '../errors.ts';
import type { Tokenizer } from '../input/tokenizer.ts';
import { folder_tokenizer, type KnownModel, known_at } from '../known_model.ts';
import type { Folder } from '../weights/source.ts';
import { type Found, folder_of } from './choose_model.ts';
import { node_folder } from './files.ts';

export type { KnownModel } from '../known_model.ts';

/** Config and tokenizer of a checkpoint's folder, or of a preset. `tokenizer`: a folder that stands in for the model's. */
export async function read_known(
  found: Found,
  tokenizer: string | undefined,
): Promise<KnownModel & { readonly folder: Folder | undefined }> {
  const given = tokenizer === undefined ? undefined : await given_tokenizer(tokenizer);
  const folder = folder_of(found);
  return { ...(await known_at({ name: found.name, folder }, given)), folder };
}

async function given_tokenizer(path: string): Promise<Tokenizer> {
  const found = await folder_tokenizer(node_folder(path));
  if (found !== undefined) return found;
  throw new InputError(`tokenizer: expected a folder with tokenizer.json, found none in ${path}`);
}
