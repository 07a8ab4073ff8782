import type { OpenedDevice } from '../../engine/node/load.ts';
import { open_executor } from '../../engine/node/load.ts';
import { ceilings_for } from '../../experiments/lab/ceilings_cache.ts';
import type { Ceilings } from '../../experiments/lab/schema.ts';
import { build, commit, dirty, version } from '../build.ts';
import { note, out, progress, short_number, table } from '../print.ts';
import { type AdapterFlags, device_choice } from './flags.ts';

/** The ceilings of this adapter, kept or measured now under a progress bar. */
export async function ceilings_of(
  { executor, adapter }: Pick<OpenedDevice, 'executor' | 'adapter'>,
  recalibrate: boolean | undefined,
): Promise<Ceilings> {
  const bar = progress('measuring the ceilings of this adapter');
  const options = { build: build.digest, backend: adapter.backend, recalibrate, on_progress: bar.update };
  return ceilings_for(executor, options).finally(bar.end);
}

/** What this adapter can do at most, and which form of each probe did it. */
export async function ceilings(
  flags: AdapterFlags & { readonly recalibrate?: boolean; readonly json?: boolean },
  debug: boolean,
): Promise<undefined> {
  const opened = await open_executor(device_choice(flags, debug));
  try {
    const found = await ceilings_of(opened, flags.recalibrate);
    if (flags.json) {
      // The object of every result's `ceilings`, and the program that says it.
      out(`${JSON.stringify({ ...found, version, commit, dirty })}\n`);
      return;
    }
    out(`${table(rows_of(found))}\n`);
    note(`${found.adapter}; measured ${found.date} (--recalibrate measures again)`);
  } finally {
    opened.executor.destroy();
  }
}

function rows_of({ forms, ...found }: Ceilings): string[][] {
  const rate = (value: number | null, unit: string) => (value === null ? 'none' : `${short_number(value)}${unit}/s`);
  const won = (form: { readonly form: string; readonly of: number } | null | undefined) =>
    form ? `${form.form} (best of ${form.of} forms)` : '';
  const cached = `reads of up to ${short_number(found.cache_bytes)}B again`;
  return [
    ['multiply-adds, f32', rate(found.fma_f32_flops, 'FLOP'), won(forms?.fma_f32)],
    ['multiply-adds, f16', rate(found.fma_f16_flops, 'FLOP'), won(forms?.fma_f16)],
    ['reads of a stream', rate(found.stream_read_bytes, 'B'), won(forms?.stream_read)],
    ['writes of a stream', rate(found.stream_write_bytes, 'B'), won(forms?.stream_write)],
    [cached, rate(found.cache_read_bytes, 'B'), won(forms?.cache_read)],
    ['an empty launch', `${(1000 * found.dispatch_ms).toPrecision(3)} us`, ''],
    ['a readback of 4 bytes', `${found.readback_ms.toPrecision(3)} ms`, ''],
  ];
}
