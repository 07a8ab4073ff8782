import type { OpenModel } from '../../engine/node/load.ts';
import { ceilings_for } from '../../experiments/lab/ceilings_cache.ts';
import type { Ceilings } from '../../experiments/lab/schema.ts';
import { build } from '../build.ts';
import { progress } from '../print.ts';

/** The ceilings of this adapter, kept or measured now under a progress bar. */
export async function ceilings_of(model: OpenModel, recalibrate: boolean | undefined): Promise<Ceilings> {
  const bar = progress('measuring the ceilings of this adapter');
  const { backend } = model.adapter;
  const options = { build: build.digest, backend, recalibrate, on_progress: bar.update };
  return ceilings_for(model.executor, options).finally(bar.end);
}
