import { open_model } from '../../engine/node/load.ts';
import { keep_tuning, tuned_model } from '../../engine/node/tuning.ts';
import { tune as measure, type TunedClass } from '../../engine/tune.ts';
import { commit, dirty, version } from '../build.ts';
import { interruptible } from '../options.ts';
import { note, out, progress, table } from '../print.ts';
import { type AdapterFlags, load_options, type ModelFlags } from './flags.ts';

/** Times the variants of every kernel that has several, and keeps which was fastest for this adapter, driver and build of the kernels. */
export async function tune(
  flags: AdapterFlags & ModelFlags & { readonly json?: boolean },
  debug: boolean,
): Promise<undefined> {
  const signal = interruptible();
  const opened = await open_model({ ...load_options(flags, debug), tuning: 'off' });
  const loading = progress('loading');
  const model = await opened.load(loading.update, signal).finally(loading.end);
  try {
    const { executor } = model.engine;
    const bar = progress('timing the variants');
    const report = await measure(model.engine, { on_progress: bar.update, signal }).finally(bar.end);
    const measured = report.classes.map(({ key }) => key);
    const { device } = executor;
    const name_of_model = tuned_model(model.facts);
    const file = await keep_tuning(device, model.adapter.backend, measured, report.choices, name_of_model);
    if (flags.json) {
      const { description } = executor.device.facts;
      const { name, dtype } = model.facts;
      const head = { schema: 'molmoe.tuning/1', version, commit, dirty, adapter: description, model: name, dtype };
      out(`${JSON.stringify({ ...head, file: file ?? null, ...report })}\n`);
      return;
    }
    out(
      `${table([['kernel and shapes', 'GPU time in the requests, by variant', 'runs'], ...report.classes.map(row)])}\n`,
    );
    for (const { variant, reason } of report.left_out) note(`${variant}: not tried further: ${reason}`);
    const changed = Object.keys(report.choices).length;
    note(
      `${changed} of ${measured.length} differ from the default; ${file === undefined ? 'no folder could be written: not kept' : `kept in ${file}`}`,
    );
  } finally {
    model.close();
    await opened.source.close();
  }
}

function row({ key, ms, chosen, default_variant }: TunedClass): string[] {
  const times = Object.entries(ms)
    .sort((a, b) => a[1] - b[1])
    .map(([name, time]) => `${name} ${time.toFixed(2)} ms`);
  return [key, times.join(', '), chosen === default_variant ? chosen : `${chosen} (default ${default_variant})`];
}
