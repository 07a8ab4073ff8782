import { setTimeout as wait } from 'node:timers/promises';
import { adapter_key, place_of } from '../../engine/node/cache.ts';
import { make_folders } from '../../engine/node/files.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import { is_untuned, SELF_TUNING_MS, tune_itself, tuned_model, tuning_for } from '../../engine/node/tuning.ts';
import { opened } from '../../experiments/lab/inputs.ts';
import { HeldError, take_lock } from '../../experiments/lab/lock.ts';
import type { Cell } from '../../experiments/lab/plan.ts';
import { dim, note, progress } from '../print.ts';

/**
 * The model with the variants that are fastest for its first requests. Where nothing is known of it on this adapter, it is
 * loaded and times them, once: what is found is kept for later commands.
 */
export async function self_tuned(model: OpenModel, cells: readonly Cell[], signal: AbortSignal): Promise<OpenModel> {
  const { executor, adapter, facts, tuning } = model;
  const [device, name] = [executor.device, tuned_model(facts)];
  if (executor.variant !== 'auto' || tuning.from === 'off') return told(model);
  if (!(await is_untuned(device, adapter.backend, name))) return told(model);
  const lock = await alone(model, signal);
  try {
    if (!(await is_untuned(device, adapter.backend, name))) {
      const found = await tuning_for(device, adapter.backend, name); // another command was quicker
      executor.prefer('auto', found.choices);
      return told({ ...model, tuning: found });
    }
    if (lock === undefined) return told(model);
    const loaded = await model.load(undefined, signal);
    const requests = await Promise.all(first_cells(cells).map(async ({ requests: [one] }) => opened(one)));
    const bar = progress('finding the fastest kernels for these requests, 20 s at most');
    const found = await tune_itself(
      loaded.engine,
      adapter.backend,
      requests.map(({ request }) => request),
      { on_progress: bar.update, signal },
    ).finally(bar.end);
    return told({ ...model, tuning: found, load: async () => loaded });
  } finally {
    await lock?.release();
  }
}

type Timed = Cell & { readonly requests: readonly [Cell['requests'][number], ...Cell['requests']] };

/** The cheapest, of which most is found out in the time, and the dearest, where it is spent. */
function first_cells(cells: readonly Cell[]): Timed[] {
  const some = cells
    .filter((cell): cell is Timed => cell.requests.length > 0)
    .toSorted((a, b) => a.weight / a.requests.length - b.weight / b.requests.length);
  return [...new Set([some[0], some.at(-1)])].filter((cell) => cell !== undefined);
}

/** Workers that begin together must not time kernels together: one does, the others wait. Undefined: it takes too long. */
async function alone(
  { executor, adapter }: OpenModel,
  signal: AbortSignal,
): Promise<{ release: () => Promise<void> } | undefined> {
  const key = adapter_key(executor.device, adapter.backend);
  const folder = place_of('tuning_now', key);
  try {
    await make_folders(folder);
  } catch {
    return { release: async () => {} }; // no cache folder here: nothing to agree by
  }
  const until_ms = performance.now() + 2 * SELF_TUNING_MS;
  for (;;) {
    try {
      return await take_lock(folder, {
        ...{ place: key.adapter, other: 'another command', does: 'times kernels on it', remedy: 'wait for it' },
      });
    } catch (error) {
      if (!(error instanceof HeldError)) throw error;
      if (performance.now() > until_ms) return undefined;
      await wait(500, undefined, { signal });
    }
  }
}

/** Says which kernels run where that was not asked for or may cost something. */
function told(model: OpenModel): OpenModel {
  const { tuning, executor } = model;
  if (executor.variant !== 'auto') return model;
  if (tuning.itself !== undefined) {
    const { seconds, share, untuned } = tuning.itself;
    const found =
      share === null
        ? 'nothing could be compared in that time; what the first variants cost is not known: `molmoe tune` measures it'
        : `kernels compared take ${share.toFixed(2)} of the GPU time of the first variants`;
    const rest =
      share === null || untuned.length === 0 ? '' : `; ${untuned.length} classes of shapes were not compared`;
    note(dim(`tuning   by itself, in ${seconds} s: ${found}${rest}`));
  } else if (tuning.from === 'off' || tuning.from === 'default') {
    note(dim('tuning   none, first variants run; what that costs here is not known: `molmoe tune` measures it'));
  }
  return model;
}
