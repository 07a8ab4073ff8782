import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { adapter_key, place_of } from '../../engine/node/cache.ts';
import { make_folders } from '../../engine/node/files.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import { HeldError, lock_holder, take_lock } from '../../experiments/lab/lock.ts';
import { warn } from '../print.ts';

type On = Pick<OpenModel, 'executor' | 'adapter'>;

/** Homes are shared between hosts, adapters are not. */
function place_on({ executor, adapter }: On, kind = 'runners'): { readonly folder: string; readonly name: string } {
  const key = { ...adapter_key(executor.device, adapter.backend), host: hostname() };
  return { folder: place_of(kind, key), name: key.adapter };
}

/**
 * Of commands that begin together one times kernels, while the others wait for what it finds. Undefined: it took longer than
 * it may. Where no lock can be written there is nothing to agree by, and nobody waits.
 */
export async function wait_to_tune(
  on: On,
  most_ms: number,
  signal: AbortSignal,
): Promise<{ release: () => Promise<void> } | undefined> {
  const { folder, name } = place_on(on, 'tuning_now');
  const until_ms = performance.now() + most_ms;
  for (;;) {
    try {
      await make_folders(folder);
      return await take_lock(folder, {
        ...{ place: name, other: 'another command', does: 'times kernels on it', remedy: 'wait for it' },
      });
    } catch (error) {
      if (!(error instanceof HeldError)) return { release: async () => {} };
    }
    if (performance.now() > until_ms) return undefined;
    await wait(Math.min(500, most_ms), undefined, { signal });
  }
}

/** One runner at a time measures on an adapter, whatever folders they write to. */
export async function hold_adapter(on: On): Promise<{ release: () => Promise<void> }> {
  const { folder, name } = place_on(on);
  try {
    await make_folders(folder);
  } catch {
    return { release: async () => {} }; // no cache folder here: nothing to agree by
  }
  return take_lock(folder, {
    place: name,
    other: 'another molmoe run',
    does: 'measures on it',
    remedy: 'wait for it or choose another --adapter',
  });
}

/** One runner at a time works in a folder of results. */
export const hold_folder = async (folder: string): Promise<{ release: () => Promise<void> }> =>
  take_lock(folder, {
    place: folder,
    other: 'another molmoe run',
    does: 'works here',
    remedy: 'wait for it or choose another --out',
  });

/** An experiment by itself may run beside a runner's, but is told what that does to both. */
export async function warn_of_runner(on: On): Promise<void> {
  const holder = await lock_holder(place_on(on).folder);
  if (holder === null || holder.pid === process.ppid) return;
  warn(`molmoe run (pid ${holder.pid}) measures on this adapter too: its times and these disturb each other`);
}
