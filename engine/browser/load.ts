import type { WeightFormat } from '../../kernels/spec.ts';
import { type Chosen, DEFAULT_DTYPE, first_that_fits, gigabytes, memory_limit, STORAGES } from '../choose_storage.ts';
import { InputError } from '../errors.ts';
import { told_memory } from '../gpu/memory.ts';
import { known_at, type ModelPlace, open_weights } from '../known_model.ts';
import type { ModelConfig } from '../model/config.ts';
import { load_config } from '../model/load_config.ts';
import { preset_config } from '../model/presets.ts';
import { weight_bytes } from '../model/weight_bytes.ts';
import { Engine } from '../molmoe.ts';
import type { WeightSource } from '../weights/source.ts';
import type { LoadProgress } from '../weights/upload.ts';
import type { BrowserDevice } from './gpu.ts';

export interface BrowserLoad {
  /** Considered in this order: the first that fits is loaded. */
  readonly models: readonly ModelPlace[];
  /** Undefined: f16 where the model is small, else the largest storage that fits. */
  readonly dtype?: WeightFormat;
  readonly seed?: number;
  readonly on_choice?: (model: string, dtype: WeightFormat, chosen: Chosen) => void;
  readonly on_progress?: LoadProgress;
  readonly signal?: AbortSignal;
}

export interface BrowserModel {
  readonly engine: Engine;
  readonly source: WeightSource;
  readonly chosen: Chosen;
}

const config_of = async ({ name, folder }: ModelPlace): Promise<ModelConfig> =>
  folder === undefined ? preset_config(name) : load_config(folder);

/** Of a model this small nobody asks whether it fits. */
const SMALL_BYTES = 2 ** 28;
const GIVEN: Chosen = { by: 'given', why: `stored as ${DEFAULT_DTYPE} unless asked otherwise`, tried: [] };

/** Tries storages, then smaller models, until one fits; who asked for one storage gets it or a refusal. */
export async function load_model({ executor, info }: BrowserDevice, options: BrowserLoad): Promise<BrowserModel> {
  const { models, dtype, seed, on_choice, on_progress, signal } = options;
  const [first] = models;
  if (first === undefined) throw new InputError('expected a model to load, found none');
  const first_config = await config_of(first);
  const fits_anywhere = weight_bytes(first_config, DEFAULT_DTYPE) < SMALL_BYTES;
  if (fits_anywhere) return loaded(first, dtype ?? DEFAULT_DTYPE, GIVEN);
  const storages = dtype === undefined ? STORAGES : [dtype];
  const limit = memory_limit(executor.device.facts, told_memory(info), undefined);
  const { found, tried } = await first_that_fits(models, storages, limit, executor, config_of);
  if (found === undefined) {
    const least = tried.at(-1);
    throw new InputError(
      `${first.name}: expected room for ${gigabytes(least?.bytes ?? 0)} (${least?.model} stored as ${least?.dtype}, and a request), found less; ${limit.says}; choose a smaller model`,
    );
  }
  return loaded(found.model, found.dtype, found.chosen);

  async function loaded(model: ModelPlace, storage: WeightFormat, chosen: Chosen): Promise<BrowserModel> {
    on_choice?.(model.name, storage, chosen);
    const { config, tokenizer } = await known_at(model);
    const source = await open_weights(config, model.folder, seed);
    const parts = { name: model.name, executor, config, tokenizer, source, dtype: storage, on_progress, signal };
    try {
      return { engine: await Engine.create(parts), source, chosen };
    } catch (error) {
      await source.close();
      throw error;
    }
  }
}
