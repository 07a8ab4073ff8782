import { InputError } from './errors.ts';
import { bpe_tokenizer, byte_tokenizer, type Tokenizer } from './input/tokenizer.ts';
import { has_words, word_tokenizer } from './input/word_tokenizer.ts';
import type { ModelConfig } from './model/config.ts';
import { load_config } from './model/load_config.ts';
import { preset_config } from './model/presets.ts';
import { tensor_specs } from './model/tensors.ts';
import { check_tokenizer } from './molmoe.ts';
import { open_checkpoint } from './weights/checkpoint.ts';
import { synthetic_source } from './weights/formula.ts';
import type { Folder, WeightSource } from './weights/source.ts';

/** What a model's files say without its weights. */
export interface KnownModel {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
}

/** Where a model comes from, wherever its files are: its folder, or none where a preset's formula makes it. */
export interface ModelPlace {
  /** Of a preset its name; of a folder what people call it. */
  readonly name: string;
  readonly folder: Folder | undefined;
}

/** Config and tokenizer of a checkpoint's folder, or of a preset. `given` stands in for the model's own tokenizer. */
export async function known_at({ name, folder }: ModelPlace, given?: Tokenizer): Promise<KnownModel> {
  const config = folder === undefined ? preset_config(name) : await load_config(folder);
  const tokenizer = given ?? (folder && (await folder_tokenizer(folder))) ?? bytes_for(config);
  check_tokenizer(tokenizer, config);
  return { config, tokenizer };
}

/** The weights of a folder, compared with what the model needs, or those that the formula makes. */
export async function open_weights(
  config: ModelConfig,
  folder: Folder | undefined,
  seed: number | undefined,
): Promise<WeightSource> {
  const specs = tensor_specs(config);
  return folder === undefined ? synthetic_source(specs, seed ?? 1, 'F32') : open_checkpoint(folder, specs);
}

/** The folder's tokenizer if it has one: the published one, or one of whole words. */
export async function folder_tokenizer(folder: Folder): Promise<Tokenizer | undefined> {
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
