import { InputError } from '../errors.ts';
import { bpe_tokenizer, byte_tokenizer, type Tokenizer } from '../input/tokenizer.ts';
import { has_words, word_tokenizer } from '../input/word_tokenizer.ts';
import type { ModelConfig } from '../model/config.ts';
import { load_config } from '../model/load_config.ts';
import { preset_config } from '../model/presets.ts';
import { check_tokenizer } from '../molmoe.ts';
import type { Folder } from '../weights/source.ts';
import { type Found, folder_of } from './choose_model.ts';
import { node_folder } from './files.ts';

/** What a model's files say without its weights. */
export interface KnownModel {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
}

/** Config and tokenizer of a checkpoint's folder, or of a preset. `tokenizer`: a folder that stands in for the model's. */
export async function read_known(
  found: Found,
  tokenizer: string | undefined,
): Promise<KnownModel & { readonly folder: Folder | undefined }> {
  const given = tokenizer === undefined ? undefined : await given_tokenizer(tokenizer);
  const folder = folder_of(found);
  const config = folder === undefined ? preset_config(found.name) : await load_config(folder);
  const own = given ?? (folder && (await folder_tokenizer(folder))) ?? bytes_for(config);
  check_tokenizer(own, config);
  return { config, tokenizer: own, folder };
}

/** The folder's tokenizer if it has one: the published one, or one of whole words. */
async function folder_tokenizer(folder: Folder): Promise<Tokenizer | undefined> {
  const names = await folder.list();
  if (!names.includes('tokenizer.json')) return undefined;
  const parse = async (name: string): Promise<unknown> => {
    const text = await folder.text(name, 64 * 2 ** 20);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new InputError(`${folder.label}/${name}: expected JSON, found a fault: ${(error as Error).message}`);
    }
  };
  const json = await parse('tokenizer.json');
  if (has_words(json)) return word_tokenizer(json);
  const config = names.includes('tokenizer_config.json') ? await parse('tokenizer_config.json') : {};
  return bpe_tokenizer(json, config);
}

const bytes_for = (config: ModelConfig): Tokenizer =>
  byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });

async function given_tokenizer(path: string): Promise<Tokenizer> {
  const found = await folder_tokenizer(node_folder(path));
  if (found !== undefined) return found;
  throw new InputError(`tokenizer: expected a folder with tokenizer.json, found none in ${path}`);
}
