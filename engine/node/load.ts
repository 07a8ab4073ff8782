import { FORMATS, type WeightFormat } from '../../kernels/spec.ts';
import type { Chosen } from '../choose_storage.ts';
import { type DeviceOptions, open_device, type RunMode, TOGGLES, WANTED_FEATURES } from '../gpu/device.ts';
import { type Executor, make_executor } from '../gpu/executor.ts';
import { require_matrix_units } from '../gpu/matrix_check.ts';
import { paced } from '../gpu/pace.ts';
import type { VariantChoice } from '../gpu/pipelines.ts';
import { NOT_TUNED, type TuningChoice } from '../gpu/shipped_tunings.ts';
import type { Tokenizer } from '../input/tokenizer.ts';
import { type KnownModel, open_weights } from '../known_model.ts';
import { Engine, type ModelFacts, model_facts } from '../molmoe.ts';
import {
  type Check,
  type Checks,
  check_options,
  is_flag,
  is_function,
  is_number,
  is_signal,
  is_text,
  list_of,
  one_of,
  whole,
} from '../options.ts';
import type { WeightSource } from '../weights/source.ts';
import type { LoadProgress } from '../weights/upload.ts';
import { hushed } from './adapter_env.ts';
import { choose_model, type Found, resolve_model } from './choose_model.ts';
import { type AdapterChoice, type OpenAdapter, open_adapter } from './gpu.ts';
import { read_known } from './known_model.ts';
import { tuned_model, tuning_for } from './tuning.ts';

export type { KnownModel } from '../known_model.ts';

export interface DeviceChoice extends Omit<AdapterChoice, 'mode'>, Omit<DeviceOptions, 'mode'> {
  /** `release` for runs, `validated` for tests. */
  readonly mode?: RunMode;
  /** Kernel variants; `auto` goes by the adapter. */
  readonly variant?: VariantChoice;
  /**
   * Where several variants suit: what was measured to be fastest here or on such an adapter, or, with `off`, the first. With
   * `auto` commands that take minutes may measure first; a load never does, so that to it `kept` is the same.
   */
  readonly tuning?: 'auto' | 'kept' | 'off';
  /** Multiply-adds that the adapter does, in FLOP/s, where they are not to be measured: a slow one gets smaller dispatches. */
  readonly flops_per_s?: number;
  /**
   * Keeps what drivers write to stderr while they open off the terminal; on unless false. It works on a terminal, a pipe
   * and a file that is appended to; a socket, and a file with a position of its own, are left alone.
   */
  readonly hush?: boolean;
}

export interface LoadOptions extends DeviceChoice {
  /**
   * A checkpoint folder, a preset's name for synthetic weights, or `auto`: the folder `checkpoints/` if there is one,
   * else synthetic weights, `molmoe-1b` on hardware and `molmoe-slice`, the same with fewer blocks, on software adapters.
   */
  readonly model?: string;
  /** Storage format of the weights; arithmetic is f32. By default f16; with `auto`, the largest of f16, q8 and q4 that fits. */
  readonly dtype?: WeightFormat;
  /** Seed of synthetic weights. */
  readonly seed?: number;
  /** Folder with tokenizer.json and tokenizer_config.json, where the model's own folder has none. */
  readonly tokenizer?: string;
  readonly on_progress?: LoadProgress;
  /** Sees what was chosen, and why, before it is loaded. */
  readonly on_choice?: (model: string, dtype: WeightFormat, chosen: Chosen) => void;
  readonly signal?: AbortSignal;
  /**
   * Sees the model as soon as it is known, in general before a device is opened and always before weights are read:
   * what it throws ends the load.
   */
  readonly on_model?: (model: KnownModel) => void | Promise<void>;
}

export interface OpenedDevice {
  readonly executor: Executor;
  readonly adapter: OpenAdapter;
  readonly tuning: TuningChoice;
}

export async function open_executor(choice: DeviceChoice = {}): Promise<OpenedDevice> {
  const mode = choice.mode ?? 'release';
  const adapter = await open_adapter({ ...choice, mode });
  // The driver is called before open_device first waits.
  const open = () => open_device(adapter, { ...choice, mode });
  const device = await (choice.hush === false ? open() : hushed(open));
  try {
    if (choice.variant?.startsWith('matrix')) await require_matrix_units(device);
    const variant = choice.variant ?? 'auto';
    const tuned = variant === 'auto' && choice.tuning !== 'off';
    const tuning = tuned ? await tuning_for(device, adapter.backend) : NOT_TUNED;
    return {
      executor: make_executor(await paced(device, choice.flops_per_s), variant, tuning.choices),
      adapter,
      tuning,
    };
  } catch (error) {
    device.destroy();
    throw error;
  }
}

interface Origin extends KnownModel {
  readonly name: string;
  readonly source: WeightSource;
}

async function open_origin(found: Found, options: LoadOptions): Promise<Origin> {
  const { config, tokenizer, folder } = await read_known(found, options.tokenizer);
  const source = await open_weights(config, folder, options.seed);
  return { name: found.name, config, tokenizer, source };
}

/** A device and a model that is known but not on it yet. */
export interface OpenModel extends OpenedDevice {
  readonly facts: ModelFacts;
  readonly tokenizer: Tokenizer;
  readonly source: WeightSource;
  readonly chosen: Chosen;
  /** Brings the weights to the GPU, once; from then on the returned model owns the device. */
  readonly load: (on_progress?: LoadProgress, signal?: AbortSignal) => Promise<Molmoe>;
  readonly close: () => Promise<void>;
}

/** Device, config, tokenizer and the checkpoint's headers: all that can be said of a model before it is loaded. */
export async function open_model(options: LoadOptions = {}): Promise<OpenModel> {
  check_options('a load', options, LOAD);
  const open = async (found: Found): Promise<Origin> => {
    const opened = await open_origin(found, options);
    try {
      await options.on_model?.(opened);
      return opened;
    } catch (error) {
      await opened.source.close();
      throw error;
    }
  };
  // A driver takes seconds to open: what is wrong with the files or the request is said before.
  const known = resolve_model(options.model ?? 'auto');
  let origin = known && (await open(known));
  let device: OpenedDevice | undefined;
  try {
    device = await open_executor(options);
    const { executor, adapter } = device;
    const { found, dtype, chosen } = await choose_model(options, executor, adapter.adapter.info);
    options.on_choice?.(found.name, dtype, chosen);
    origin ??= await open(found);
    const { source, tokenizer } = origin;
    const parts = { ...origin, executor, dtype };
    const facts = model_facts(parts);
    const tuning =
      device.tuning.from === 'measured' || device.tuning.from === 'itself'
        ? await tuning_for(executor.device, adapter.backend, tuned_model(facts))
        : device.tuning;
    return {
      executor,
      adapter,
      tuning,
      tokenizer,
      source,
      chosen,
      facts,
      load: async (on_progress, signal) =>
        new Molmoe(await Engine.create({ ...parts, on_progress, signal }), adapter, tuning, chosen),
      async close() {
        executor.destroy();
        await source.close();
      },
    };
  } catch (error) {
    device?.executor.destroy();
    await origin?.source.close();
    throw error;
  }
}

const OPTIONAL_FEATURES = [...WANTED_FEATURES, 'immediates'];
const is_variant: Check = (value) =>
  typeof value === 'string' && /^(auto|(simple|tiled|lanes|matrix)(_\w+)?)$/.test(value)
    ? undefined
    : 'auto, simple, tiled, lanes or matrix, or one of their variants';

const LOAD: Checks<LoadOptions> = {
  model: is_text,
  dtype: one_of(Object.keys(FORMATS)),
  seed: whole(0),
  tokenizer: is_text,
  adapter: is_text,
  backend: one_of(['vulkan', 'metal', 'd3d12', 'd3d11', 'opengl', 'opengles']),
  power: one_of(['high-performance', 'low-power']),
  mode: one_of(Object.keys(TOGGLES)),
  variant: is_variant,
  tuning: one_of(['auto', 'kept', 'off']),
  hush: is_flag,
  limits: one_of(['adapter', 'default']),
  without: list_of(`some of ${OPTIONAL_FEATURES.join(', ')}`, one_of(OPTIONAL_FEATURES)),
  max_binding_bytes: whole(1),
  flops_per_s: is_number,
  on_progress: is_function,
  on_choice: is_function,
  memory_limit_bytes: whole(1),
  on_model: is_function,
  signal: is_signal,
};

/** The library's entry: device, weights and tokenizer in one call. */
export class Molmoe {
  readonly engine: Engine;
  readonly adapter: OpenAdapter;
  readonly tuning: TuningChoice;
  /** Why this model and storage. */
  readonly chosen: Chosen;

  constructor(engine: Engine, adapter: OpenAdapter, tuning: TuningChoice, chosen: Chosen) {
    this.engine = engine;
    this.adapter = adapter;
    this.tuning = tuning;
    this.chosen = chosen;
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

  look_at(...look: Parameters<Engine['look_at']>): ReturnType<Engine['look_at']> {
    return this.engine.look_at(...look);
  }

  generate_batch(...batch: Parameters<Engine['generate_batch']>): ReturnType<Engine['generate_batch']> {
    return this.engine.generate_batch(...batch);
  }

  close(): void {
    this.engine.close();
  }
}
