import type { Executor } from '../../engine/gpu/executor.ts';
import { measure_ceilings, PROBES_VERSION } from '../../engine/meter/ceilings.ts';
import { adapter_key, keep, read_kept } from '../../engine/node/cache.ts';
import { type Ceilings, ceilings_schema } from './schema.ts';

export interface CeilingsOptions {
  /** Digest of the build that measures. */
  readonly build: string;
  /** Graphics API; one adapter may have different ceilings under each. */
  readonly backend?: string;
  /** Measures even where ceilings are kept. */
  readonly recalibrate?: boolean;
  readonly on_progress?: (done: number, total: number) => void;
}

const key_of = (executor: Executor, backend: string) => ({
  probes: PROBES_VERSION,
  ...adapter_key(executor.device, backend),
});

/** What was measured before under this adapter; undefined where nothing was. */
export async function kept_ceilings(executor: Executor, backend: string): Promise<Ceilings | undefined> {
  const { success, data } = ceilings_schema.safeParse(await read_kept('ceilings', key_of(executor, backend)));
  return success ? data : undefined;
}

/** The ceilings of this adapter: kept from an earlier run under the user's cache folder, else measured now and kept. */
export async function ceilings_for(executor: Executor, options: CeilingsOptions): Promise<Ceilings> {
  const key = key_of(executor, options.backend ?? '');
  const kept = options.recalibrate ? undefined : await kept_ceilings(executor, options.backend ?? '');
  if (kept !== undefined) return kept;
  const ceilings: Ceilings = {
    schema: 'molmoe.ceilings/1',
    adapter: key.adapter,
    date: new Date().toISOString(),
    build: options.build,
    ...(await measure_ceilings(executor, options.on_progress)),
  };
  await keep('ceilings', key, ceilings);
  return ceilings;
}
