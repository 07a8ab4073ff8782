import { cached_folder } from '../../engine/browser/cached_folder.ts';
import { type BrowserDevice, open_executor } from '../../engine/browser/gpu.ts';
import { type HttpFolder, open_http_folder } from '../../engine/browser/http_folder.ts';
import { load_model } from '../../engine/browser/load.ts';
import { open_store } from '../../engine/browser/store.ts';
import type { Chosen } from '../../engine/choose_storage.ts';
import { UsageError } from '../../engine/errors.ts';
import type { ModelPlace } from '../../engine/known_model.ts';
import { measure_ceilings } from '../../engine/meter/ceilings.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_names } from '../../engine/model/presets.ts';
import type { Engine } from '../../engine/molmoe.ts';
import type { WeightSource } from '../../engine/weights/source.ts';
import { type Build, provenance_from } from '../../experiments/lab/origin.ts';
import type { Ceilings, Provenance } from '../../experiments/lab/schema.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import type { ModelView, Told } from '../protocol.ts';
import { browser_name } from './browser.ts';

export type Tell = (told: Told) => void;

/** What a model's folder must have before it can answer; reference cases are read when the badge asks. */
const NANO_FILES = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'model.safetensors'];
/** The last of them is what is left where the first does not fit. */
const SMALLER: Readonly<Record<string, readonly string[]>> = { 'molmoe-1b': ['molmoe-1b', 'molmoe-slice'] };

export interface Loaded {
  readonly device: BrowserDevice;
  readonly engine: Engine;
  readonly source: WeightSource;
  readonly chosen: Chosen;
}

/** The one device and the one model that the page has. */
export class Session {
  readonly build: Build;
  readonly #on_lost: (why: string) => void;
  readonly #folders: string;
  #device: BrowserDevice | undefined;
  #loaded: Loaded | undefined;
  #ceilings: Ceilings | undefined;
  #without_stamps = false;

  /** `folders`: where nano and the reference cases lie. */
  constructor(build: Build, folders: string, on_lost: (why: string) => void) {
    this.build = build;
    this.#folders = folders;
    this.#on_lost = on_lost;
  }

  async open(without_stamps: boolean): Promise<BrowserDevice> {
    this.close();
    this.#without_stamps = without_stamps;
    const device = await open_executor(without_stamps ? { without: ['timestamp-query'] } : {});
    this.#device = device;
    device.lost.then(({ message, reason }) => {
      if (this.#device === device) this.#on_lost(message || reason);
    });
    return device;
  }

  get device(): BrowserDevice {
    if (this.#device === undefined)
      throw new UsageError('the GPU: expected it to be open, found it closed; start again');
    return this.#device;
  }

  get loaded(): Loaded {
    if (this.#loaded === undefined) throw new UsageError('expected a model, found none loaded; choose one');
    return this.#loaded;
  }

  folder(name: string): Promise<HttpFolder> {
    return open_http_folder(new URL(name, this.#folders).href, name);
  }

  url(path: string): string {
    return new URL(path, this.#folders).href;
  }

  async load(name: string, dtype: WeightFormat | undefined, tell: Tell, signal: AbortSignal): Promise<ModelView> {
    const models = name === 'nano' ? [await this.#nano(tell, signal)] : presets(name);
    // Weights of two models at once may not fit.
    if (this.#loaded !== undefined) await this.open(this.#without_stamps);
    const { engine, source, chosen } = await load_model(this.device, {
      models,
      dtype,
      signal,
      on_progress: (done, total) => tell({ kind: 'progress', what: 'weights', done, total }),
    });
    this.#loaded = { device: this.device, engine, source, chosen };
    return model_view(this.#loaded);
  }

  async #nano(tell: Tell, signal: AbortSignal): Promise<ModelPlace> {
    const from = await this.folder('nano');
    const digest = from.files.find(({ name }) => name === 'model.safetensors')?.sha256 ?? 'unknown';
    const store = await open_store('nano', digest.slice(0, 16));
    const on_progress = ({ done_bytes, total_bytes }: { done_bytes: number; total_bytes: number }) =>
      tell({ kind: 'bytes', what: 'nano', done: done_bytes, total: total_bytes });
    return { name: 'nano', folder: await cached_folder(from, NANO_FILES, store, { on_progress, signal }) };
  }

  get known_ceilings(): Ceilings | null {
    return this.#ceilings ?? null;
  }

  /** Measured once: some three seconds on a GPU, half a minute on a software adapter. */
  async ceilings(tell: Tell, signal: AbortSignal): Promise<Ceilings> {
    if (this.#ceilings !== undefined) return this.#ceilings;
    const { executor } = this.device;
    const on_progress = (done: number, total: number) => {
      signal.throwIfAborted();
      tell({ kind: 'progress', what: 'ceilings', done, total });
    };
    this.#ceilings = {
      schema: 'molmoe.ceilings/1',
      adapter: executor.device.facts.description,
      date: new Date().toISOString(),
      build: this.build.digest,
      ...(await measure_ceilings(executor, on_progress)),
    };
    return this.#ceilings;
  }

  provenance(): Promise<Provenance> {
    const { device, engine, source } = this.loaded;
    const browser = browser_name();
    const { hardwareConcurrency: cores, deviceMemory = 0 } = navigator as Navigator & {
      readonly deviceMemory?: number;
    };
    return provenance_from(
      {
        executor: device.executor,
        backend: `WebGPU of ${browser}`,
        toggles: { enable: [], disable: [] },
        tuning: device.tuning,
        facts: engine.facts,
        source,
      },
      // A browser tells neither the processor nor the machine's name, and its memory only roughly.
      {
        name: 'a browser',
        os: navigator.platform,
        cpu: 'not told',
        cores,
        memory_bytes: deviceMemory * 2 ** 30,
        node: browser,
      },
      this.build,
    );
  }

  close(): void {
    const device = this.#device;
    this.#device = undefined;
    this.#loaded = undefined;
    device?.executor.destroy();
  }
}

function presets(name: string): ModelPlace[] {
  if (!preset_names.some((one) => one === name)) {
    throw new UsageError(`model: expected nano or one of ${preset_names.join(', ')}, found ${name}`);
  }
  return (SMALLER[name] ?? [name]).map((one) => ({ name: one, folder: undefined }));
}

function model_view({ engine, chosen }: Loaded): ModelView {
  const { facts, tokenizer } = engine;
  const { config } = facts;
  return {
    name: facts.name,
    weights: facts.weights,
    synthetic: facts.weights_kind === 'synthetic',
    dtype: facts.dtype,
    why: chosen.why,
    tried: chosen.tried
      .filter(({ fits }) => !fits)
      .map(({ model, dtype, bytes }) => `${model} stored as ${dtype} needs ${(bytes / 1e9).toFixed(1)} GB`),
    layers: config.n_layers,
    experts: config.n_experts,
    top_k: config.top_k,
    max_crops: config.max_crops,
    words: tokenizer.unknown_words !== undefined,
    geometry: geometry_of(config),
  };
}

/** Words that the model was not trained on; none where its tokenizer knows every text. */
export function unknown_words({ engine }: Loaded, prompt: string): string[] {
  return [...(engine.tokenizer.unknown_words?.(prompt) ?? [])];
}
