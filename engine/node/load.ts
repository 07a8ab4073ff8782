import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { FORMATS, type WeightFormat } from '../../kernels/spec.ts';
import { InputError, UsageError } from '../errors.ts';
import { type DeviceOptions, open_device, type RunMode } from '../gpu/device.ts';
import { type Executor, make_executor } from '../gpu/executor.ts';
import { require_matrix_units } from '../gpu/matrix_check.ts';
import type { VariantChoice } from '../gpu/pipelines.ts';
import { bpe_tokenizer, byte_tokenizer, type Tokenizer } from '../input/tokenizer.ts';
import { has_words, word_tokenizer } from '../input/word_tokenizer.ts';
import { load_config, type ModelConfig } from '../model/config.ts';
import { preset_config, preset_names } from '../model/presets.ts';
import { tensor_specs } from '../model/tensors.ts';
import { Engine, type ModelFacts, model_facts } from '../molmoe.ts';
import { open_checkpoint } from '../weights/checkpoint.ts';
import { synthetic_source } from '../weights/formula.ts';
import type { Folder, WeightSource } from '../weights/source.ts';
import type { LoadProgress } from '../weights/upload.ts';
import { hush_native_stderr } from './adapter_env.ts';
import { node_folder } from './files.ts';
import { type AdapterChoice, type OpenAdapter, open_adapter } from './gpu.ts';
import { NOT_TUNED, type TuningChoice, tuning_for } from './tuning.ts';

export interface DeviceChoice extends Omit<AdapterChoice, 'mode'>, Omit<DeviceOptions, 'mode'> {
  /** `release` for runs, `validated` for tests. */
  readonly mode?: RunMode;
  /** Kernel variants; `auto` goes by the adapter. */
  readonly variant?: VariantChoice;
  /** `auto`: where several variants suit, what was measured to be fastest here or on such an adapter; `off`: the first. */
  readonly tuning?: 'auto' | 'off';
  /** Keeps what drivers write to stderr while they open off the terminal. */
  readonly hush?: boolean;
}

export interface LoadOptions extends DeviceChoice {
  /**
   * A checkpoint folder, a preset's name for synthetic weights, or `auto`: the folder `checkpoints/` if there is one,
   * else synthetic weights, `molmoe-1b` on hardware and `molmoe-mini` on software adapters.
   */
  readonly model?: string;
  /** Storage format of the weights; arithmetic is f32. */
  readonly dtype?: WeightFormat;
  /** Seed of synthetic weights. */
  readonly seed?: number;
  /** Folder with tokenizer.json and tokenizer_config.json, where the model's own folder has none. */
  readonly tokenizer?: string;
  readonly on_progress?: LoadProgress;
  readonly signal?: AbortSignal;
}

export interface OpenedDevice {
  readonly executor: Executor;
  readonly adapter: OpenAdapter;
  readonly tuning: TuningChoice;
}

export async function open_executor(choice: DeviceChoice = {}): Promise<OpenedDevice> {
  const mode = choice.mode ?? 'release';
  const loud = choice.hush ? hush_native_stderr() : () => {};
  try {
    const adapter = await open_adapter({ ...choice, mode });
    const device = await open_device(adapter, { ...choice, mode });
    if (choice.variant?.startsWith('matrix')) await require_matrix_units(device);
    const variant = choice.variant ?? 'auto';
    const tuned = variant === 'auto' && choice.tuning !== 'off';
    const tuning = tuned ? await tuning_for(device, adapter.backend) : NOT_TUNED;
    return { executor: make_executor(device, variant, tuning.choices), adapter, tuning };
  } finally {
    loud();
  }
}

const AUTO_FOLDER = 'checkpoints';

/** What `--model` means here and now. */
export function resolve_model(model: string, software: boolean): { kind: 'folder' | 'preset'; name: string } {
  if (model === 'auto') {
    if (existsSync(join(AUTO_FOLDER, 'config.json'))) return { kind: 'folder', name: resolve(AUTO_FOLDER) };
    return { kind: 'preset', name: software ? 'molmoe-mini' : 'molmoe-1b' };
  }
  if (preset_names.some((name) => name === model)) return { kind: 'preset', name: model };
  if (existsSync(model)) return { kind: 'folder', name: resolve(model) };
  throw new UsageError(
    `--model ${model}: expected a checkpoint folder or one of ${preset_names.join(', ')}, auto; found no such folder`,
  );
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

interface Origin {
  readonly config: ModelConfig;
  readonly source: WeightSource;
  readonly tokenizer: Tokenizer | undefined;
}

async function open_origin(found: ReturnType<typeof resolve_model>, seed: number): Promise<Origin> {
  if (found.kind === 'preset') {
    const config = preset_config(found.name);
    return { config, source: synthetic_source(tensor_specs(config), seed, 'F32'), tokenizer: undefined };
  }
  const folder = node_folder(found.name);
  const config = await load_config(folder);
  const source = await open_checkpoint(folder, tensor_specs(config));
  return { config, source, tokenizer: await folder_tokenizer(folder) };
}

/** A device and a model that is known but not on it yet. */
export interface OpenModel extends OpenedDevice {
  readonly facts: ModelFacts;
  readonly tokenizer: Tokenizer;
  readonly source: WeightSource;
  /** Brings the weights to the GPU, once; from then on the returned model owns the device. */
  readonly load: (on_progress?: LoadProgress, signal?: AbortSignal) => Promise<Molmoe>;
  readonly close: () => Promise<void>;
}

/** Device, config, tokenizer and the checkpoint's headers: all that can be said of a model before it is loaded. */
export async function open_model(options: LoadOptions = {}): Promise<OpenModel> {
  const dtype = options.dtype ?? 'f16';
  if (!Object.hasOwn(FORMATS, dtype)) {
    throw new UsageError(`--dtype ${dtype}: expected one of ${Object.keys(FORMATS).join(', ')}`);
  }
  const { executor, adapter, tuning } = await open_executor(options);
  let source: WeightSource | undefined;
  try {
    const found = resolve_model(options.model ?? 'auto', executor.device.traits.software);
    const origin = await open_origin(found, options.seed ?? 1);
    source = origin.source;
    const given = options.tokenizer === undefined ? undefined : await folder_tokenizer(node_folder(options.tokenizer));
    if (options.tokenizer !== undefined && given === undefined) {
      throw new InputError(`--tokenizer ${options.tokenizer}: expected a folder with tokenizer.json, found none in it`);
    }
    const { config } = origin;
    const bytes = () => byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
    const tokenizer = given ?? origin.tokenizer ?? bytes();
    const parts = { ...origin, name: found.name, executor, tokenizer, dtype };
    return {
      executor,
      adapter,
      tuning,
      tokenizer,
      source: origin.source,
      facts: model_facts(parts),
      load: async (on_progress, signal) =>
        new Molmoe(await Engine.create({ ...parts, on_progress, signal }), adapter, tuning),
      async close() {
        executor.destroy();
        await origin.source.close();
      },
    };
  } catch (error) {
    executor.destroy();
    await source?.close();
    throw error;
  }
}

/** The library's entry: device, weights and tokenizer in one call. */
export class Molmoe {
  readonly engine: Engine;
  readonly adapter: OpenAdapter;
  readonly tuning: TuningChoice;

  constructor(engine: Engine, adapter: OpenAdapter, tuning: TuningChoice) {
    this.engine = engine;
    this.adapter = adapter;
    this.tuning = tuning;
  }

  static async load(options: LoadOptions = {}): Promise<Molmoe> {
    const model = await open_model(options);
    try {
      return await model.load(options.on_progress, options.signal);
    } catch (error) {
      model.executor.destroy();
      throw error;
    } finally {
      await model.source.close();
    }
  }

  get facts(): ModelFacts {
    return this.engine.facts;
  }

  generate(...request: Parameters<Engine['generate']>): ReturnType<Engine['generate']> {
    return this.engine.generate(...request);
  }

  close(): void {
    this.engine.close();
  }
}
