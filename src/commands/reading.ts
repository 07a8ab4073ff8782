import { resolve } from 'node:path';
import type { Experiment } from '../../experiments/lab/define.ts';
import { publish } from '../../experiments/lab/publish.ts';
import { read_run } from '../../experiments/lab/read.ts';
import { type FoundInput, find_inputs, kept_name } from '../../experiments/lab/reading.ts';
import { open_results } from '../../experiments/lab/record.ts';
import { note, out } from '../print.ts';
import { own_words } from './own_command.ts';
import { tell } from './report.ts';

interface ReadingFlags {
  readonly out: string;
  readonly dryRun?: boolean;
  readonly fresh?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** An experiment that runs nothing: from what others published to its own files. */
export async function read_others(
  experiment: Experiment,
  options: Readonly<Record<string, unknown>>,
  flags: ReadingFlags,
): Promise<undefined> {
  const found = await find_inputs(experiment, options, flags.out);
  if (flags.dryRun) return would_read(experiment, found, flags.json);
  for (const { source, path } of found) note(`reads ${resolve(path)} (${source.experiment})`);
  const [first] = found as [FoundInput];
  const { provenance, protocol, knobs, ceilings } = first.input;
  // Nothing here was measured: what an earlier reading left is made anew. Results of another experiment are not touched.
  const earlier = await read_run(flags.out, 'choose another --out');
  const results = await open_results(flags.out, {
    experiment: experiment.name,
    fingerprint: { provenance, protocol, knobs },
    plan: {
      options: { ...options },
      cells: [],
      skipped: [],
      command: own_words(experiment.name, process.argv.slice(2)),
    },
    ceilings,
    started: found.map(({ input }) => input.started).sort()[0],
    fresh: flags.fresh || earlier?.experiment === experiment.name,
  });
  try {
    for (const { source, text } of found) await results.write(kept_name(source), text);
    tell(experiment, results, await publish(experiment, results), flags.json);
  } finally {
    await results.close();
  }
}

function would_read({ name }: Experiment, found: readonly FoundInput[], json: boolean | undefined): undefined {
  const inputs = found.map(({ option, source: { experiment, file }, path, digest }) => ({
    ...{ option, experiment, file: `${file}.json`, path: resolve(path), digest },
  }));
  if (json)
    out(`${JSON.stringify({ schema: 'molmoe.dry_run/1', experiment: name, cells: [], skipped: [], inputs })}\n`);
  else
    out(`${inputs.map(({ experiment, path }) => `would read ${path} (${experiment})`).join('\n')}\nnothing is run\n`);
}
