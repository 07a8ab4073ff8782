import { existsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { WeightFormat } from '../../kernels/spec.ts';
import { type Chosen, DEFAULT_DTYPE, first_that_fits, gigabytes, memory_limit, STORAGES } from '../choose_storage.ts';
import { InputError, UsageError } from '../errors.ts';
import type { AdapterFacts } from '../gpu/device.ts';
import type { Executor } from '../gpu/executor.ts';
import { told_memory } from '../gpu/memory.ts';
import type { ModelConfig } from '../model/config.ts';
import { load_config } from '../model/load_config.ts';
import { preset_config, preset_names } from '../model/presets.ts';
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

export interface ModelChoice {
  readonly found: Found;
  readonly dtype: WeightFormat;
  readonly chosen: Chosen;
}

const AUTO_FOLDER = 'checkpoints';
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
  const storages = dtype === undefined ? STORAGES : [dtype];
  const { found: fitting, tried } = await first_that_fits(models, storages, limit, executor, config_of);
  if (fitting !== undefined) return { found: fitting.model, dtype: fitting.dtype, chosen: fitting.chosen };
  const least = tried.at(-1);
  throw new InputError(
    `model ${model}: expected room for ${gigabytes(least?.bytes ?? 0)} (${least?.model} stored as ${least?.dtype}, and a request), found less; ${limit.says}; choose molmoe-mini or another adapter`,
  );
}

/** Software computes the whole in minutes: there the slice tells more, sooner. */
export const default_presets = ({ type }: Pick<AdapterFacts, 'type'>): readonly Found[] =>
  (type === 'software' ? ['molmoe-slice'] : ['molmoe-1b', 'molmoe-slice']).map((name) => ({ kind: 'preset', name }));

/** By what its files, or its preset, say. */
export async function config_of(found: Found): Promise<ModelConfig> {
  const folder = folder_of(found);
  return folder === undefined ? preset_config(found.name) : load_config(folder);
}
