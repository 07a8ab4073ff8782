import { existsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { WeightFormat } from '../../kernels/spec.ts';
import { InputError, UsageError } from '../errors.ts';
import type { AdapterFacts } from '../gpu/device.ts';
import type { Executor } from '../gpu/executor.ts';
import { has_room, is_integrated, told_memory } from '../gpu/memory.ts';
import type { ModelConfig } from '../model/config.ts';
import { load_config } from '../model/load_config.ts';
import { preset_config, preset_names } from '../model/presets.ts';
import { weight_bytes } from '../model/weight_bytes.ts';
import type { Folder } from '../weights/source.ts';
import { shown } from '../weights/text.ts';
import { node_folder } from './files.ts';
import { is_shipped, model_names, shipped_folder } from './shipped_model.ts';

/** Where a model comes from: files of a folder, of one that comes with the program, or a preset's formula. */
export interface Found {
  readonly kind: 'folder' | 'shipped' | 'preset';
  /** Of a folder its path. */
  readonly name: string;
}

/** The files of a model that has some. */
export function folder_of({ kind, name }: Found): Folder | undefined {
  if (kind === 'preset') return undefined;
  return kind === 'folder' ? node_folder(name) : { ...node_folder(shipped_folder(name)), label: name };
}

/** Why this model in this storage: for people, and for results. */
export interface Chosen {
  /** `given`: both were asked for. Else what set the limit: the driver's word, the host's memory, or trying alone. */
  readonly by: 'given' | 'told' | 'host' | 'trial';
  /** One line. */
  readonly why: string;
  /** What was considered, the largest first, up to the one that fits. */
  readonly tried: readonly {
    readonly model: string;
    readonly dtype: WeightFormat;
    readonly bytes: number;
    readonly fits: boolean;
  }[];
}

export interface ModelChoice {
  readonly found: Found;
  readonly dtype: WeightFormat;
  readonly chosen: Chosen;
}

const AUTO_FOLDER = 'checkpoints';
const DEFAULT_DTYPE: WeightFormat = 'f16';
/** Largest first; arithmetic is f32 in all of them. */
const STORAGES: readonly WeightFormat[] = ['f16', 'q8', 'q4'];
/** KV cache, activations and staging of E1's largest request at the real widths. */
export const REQUEST_BYTES = 2 ** 30;
/** What a desktop and other programs keep of a GPU's own memory. */
const TOLD_SHARE = 0.9;
const INTEGRATED_SHARE = 0.5;
/** The GPU is the processor: there is no other user of this memory to think of than the system. */
const SOFTWARE_SHARE = 0.75;

/** What `model` means here and now; undefined for `auto` where no checkpoint lies about. */
export function resolve_model(model: string): Found | undefined {
  if (model === 'auto') {
    return existsSync(join(AUTO_FOLDER, 'config.json')) ? { kind: 'folder', name: resolve(AUTO_FOLDER) } : undefined;
  }
  if (preset_names.some((name) => name === model)) return { kind: 'preset', name: model };
  if (is_shipped(model)) return { kind: 'shipped', name: model };
  if (existsSync(model)) return { kind: 'folder', name: resolve(model) };
  throw new UsageError(
    `model: expected a checkpoint folder or one of ${model_names.join(', ')}, auto; found no such folder as ${shown(model)}`,
  );
}

/** In a container, what it may use. */
const host_memory = (): number => Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);

interface Limit {
  readonly by: Exclude<Chosen['by'], 'given'>;
  readonly bytes: number;
  readonly says: string;
}

/** The most that weights and a request may take together. */
export function memory_limit(facts: AdapterFacts, told: number | undefined, host_bytes: number): Limit {
  const of_host = (share: number, what: string): Limit => {
    const bytes = share * host_bytes;
    return { by: 'host', bytes, says: `${what} may take ${gigabytes(bytes)} of the host's ${gigabytes(host_bytes)}` };
  };
  if (facts.type === 'software') return of_host(SOFTWARE_SHARE, 'a software adapter');
  if (is_integrated(facts)) return of_host(INTEGRATED_SHARE, 'an integrated GPU');
  if (told === undefined) {
    return {
      by: 'trial',
      bytes: Number.POSITIVE_INFINITY,
      says: 'the driver does not tell its memory, so it was tried',
    };
  }
  return { by: 'told', bytes: TOLD_SHARE * told, says: `the driver tells of ${gigabytes(told)}` };
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** Model and storage. What is not given is the largest that fits: by exact counts where the memory is known, then by trying. */
export async function choose_model(
  wanted: { readonly model?: string; readonly dtype?: WeightFormat },
  executor: Executor,
  /** The adapter's, which may tell its memory. */
  info: object,
  host_bytes = host_memory(),
): Promise<ModelChoice> {
  const { model = 'auto', dtype } = wanted;
  const found = resolve_model(model);
  if (found !== undefined && (model !== 'auto' || dtype !== undefined)) {
    const why = dtype === undefined ? `stored as ${DEFAULT_DTYPE} unless asked otherwise` : 'as asked for';
    return { found, dtype: dtype ?? DEFAULT_DTYPE, chosen: { by: 'given', why, tried: [] } };
  }
  const { facts } = executor.device;
  const limit = memory_limit(facts, told_memory(info), host_bytes);
  const models: readonly Found[] = found ? [found] : default_presets(facts);
  const tried: { model: string; dtype: WeightFormat; bytes: number; fits: boolean }[] = [];
  for (const one of models) {
    const config = await config_of(one);
    for (const storage of dtype === undefined ? STORAGES : [dtype]) {
      const bytes = weight_bytes(config, storage) + REQUEST_BYTES;
      const fits = bytes <= limit.bytes && (await has_room(executor, bytes));
      tried.push({ model: one.name, dtype: storage, bytes, fits });
      if (!fits) continue;
      const why = `${gigabytes(bytes)} with a request's own ${gigabytes(REQUEST_BYTES)}: ${reason(tried.length, limit)}`;
      return { found: one, dtype: storage, chosen: { by: limit.by, why, tried } };
    }
  }
  const least = tried.at(-1);
  throw new InputError(
    `model ${model}: expected room for ${gigabytes(least?.bytes ?? 0)} (${least?.model} stored as ${least?.dtype}, and a request), found less; ${limit.says}; choose molmoe-mini or another adapter`,
  );
}

const reason = (tried: number, { says }: Limit): string =>
  `the ${tried === 1 ? 'first choice here' : 'largest that fits'}; ${says}`;

/** Software computes the whole in minutes: there the slice tells more, sooner. */
export const default_presets = ({ type }: Pick<AdapterFacts, 'type'>): readonly Found[] =>
  (type === 'software' ? ['molmoe-slice'] : ['molmoe-1b', 'molmoe-slice']).map((name) => ({ kind: 'preset', name }));

/** By what its files, or its preset, say. */
export async function config_of(found: Found): Promise<ModelConfig> {
  const folder = folder_of(found);
  return folder === undefined ? preset_config(found.name) : load_config(folder);
}
