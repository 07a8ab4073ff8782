import type { WeightFormat } from '../kernels/spec.ts';
import type { AdapterFacts } from './gpu/device.ts';
import type { Executor } from './gpu/executor.ts';
import { has_room, is_integrated } from './gpu/memory.ts';
import type { ModelConfig } from './model/config.ts';
import { weight_bytes } from './model/weight_bytes.ts';

/** What was considered, and whether there was room for it. */
export interface Tried {
  readonly model: string;
  readonly dtype: WeightFormat;
  readonly bytes: number;
  readonly fits: boolean;
}

/** Why this model in this storage: for people, and for results. */
export interface Chosen {
  /** `given`: both were asked for. Else what set the limit: the driver's word, the host's memory, or trying alone. */
  readonly by: 'given' | 'told' | 'host' | 'trial';
  /** One line. */
  readonly why: string;
  /** The largest first, up to the one that fits. */
  readonly tried: readonly Tried[];
}

export const DEFAULT_DTYPE: WeightFormat = 'f16';
/** Largest first; arithmetic is f32 in all of them. */
export const STORAGES: readonly WeightFormat[] = ['f16', 'q8', 'q4'];
/** KV cache, activations and staging of E1's largest request at the real widths. */
export const REQUEST_BYTES = 2 ** 30;
/** What a desktop and other programs keep of a GPU's own memory. */
const TOLD_SHARE = 0.9;
const INTEGRATED_SHARE = 0.5;
/** The GPU is the processor: there is no other user of this memory to think of than the system. */
const SOFTWARE_SHARE = 0.75;

export interface Limit {
  readonly by: Exclude<Chosen['by'], 'given'>;
  readonly bytes: number;
  readonly says: string;
}

/** The most that weights and a request may take together. `host_bytes` undefined: nobody tells, so it is tried. */
export function memory_limit(facts: AdapterFacts, told: number | undefined, host_bytes: number | undefined): Limit {
  const of_host = (share: number, what: string, host: number): Limit => {
    const bytes = share * host;
    return { by: 'host', bytes, says: `${what} may take ${gigabytes(bytes)} of the host's ${gigabytes(host)}` };
  };
  if (host_bytes !== undefined) {
    if (facts.type === 'software') return of_host(SOFTWARE_SHARE, 'a software adapter', host_bytes);
    if (is_integrated(facts)) return of_host(INTEGRATED_SHARE, 'an integrated GPU', host_bytes);
  }
  if (told === undefined) {
    return {
      by: 'trial',
      bytes: Number.POSITIVE_INFINITY,
      says: 'the driver does not tell its memory, so it was tried',
    };
  }
  return { by: 'told', bytes: TOLD_SHARE * told, says: `the driver tells of ${gigabytes(told)}` };
}

export const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

export interface Storage<Model> {
  readonly model: Model;
  readonly dtype: WeightFormat;
  readonly chosen: Chosen;
}

/** The first that fits, each model in each storage: by exact counts where the memory is known, then by trying. */
export async function first_that_fits<Model extends { readonly name: string }>(
  models: readonly Model[],
  storages: readonly WeightFormat[],
  limit: Limit,
  executor: Executor,
  config_of: (model: Model) => Promise<ModelConfig>,
): Promise<{ readonly found: Storage<Model> | undefined; readonly tried: readonly Tried[] }> {
  const tried: Tried[] = [];
  for (const model of models) {
    const config = await config_of(model);
    for (const dtype of storages) {
      const bytes = weight_bytes(config, dtype) + REQUEST_BYTES;
      const fits = bytes <= limit.bytes && (await has_room(executor, bytes));
      tried.push({ model: model.name, dtype, bytes, fits });
      if (!fits) continue;
      const why = `${gigabytes(bytes)} with a request's own ${gigabytes(REQUEST_BYTES)}: ${reason(tried.length, limit)}`;
      return { found: { model, dtype, chosen: { by: limit.by, why, tried } }, tried };
    }
  }
  return { found: undefined, tried };
}

const reason = (tried: number, { says }: Limit): string =>
  `the ${tried === 1 ? 'first choice here' : 'largest that fits'}; ${says}`;
