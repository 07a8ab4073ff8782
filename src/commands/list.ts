import { join } from 'node:path';
import { open_model } from '../../engine/node/load.ts';
import { kept_ceilings } from '../../experiments/lab/ceilings_cache.ts';
import { assumed_ms } from '../../experiments/lab/dry.ts';
import { folder_state } from '../../experiments/lab/read.ts';
import { commit, dirty, version } from '../build.ts';
import { note, out } from '../print.ts';
import { EXPERIMENTS } from '../registry.ts';
import { duration } from './dry_run.ts';
import { plan_of } from './experiment.ts';
import { type AdapterFlags, load_options, type ModelFlags } from './flags.ts';
import { samples_for } from './samples.ts';
import { table_text } from './show.ts';

export interface ListFlags extends AdapterFlags, ModelFlags {
  readonly results: string;
  readonly json?: boolean;
}

/** What can be asked, what it costs here, and what is there already. */
export async function list_experiments(flags: ListFlags, debug: boolean): Promise<undefined> {
  const model = await open_model(load_options(flags, debug));
  const known = { config: model.facts.config, tokenizer: model.tokenizer };
  try {
    const ceilings = await kept_ceilings(model.executor, model.adapter.backend);
    const rows = [];
    for (const experiment of EXPERIMENTS) {
      const defaults = Object.fromEntries(
        Object.entries(experiment.options).map(([key, type]) => [key, type.parse(undefined)]),
      );
      const samples = await samples_for(experiment, known, {});
      const { cells, skipped } =
        Object.keys(experiment.reads).length === 0
          ? plan_of(experiment, known, {}, defaults, { tokens_per_readback: 1 }, samples)
          : { cells: [], skipped: [] };
      const asked = samples && { samples: samples.list.length, new_tokens: 0, timed: experiment.timed };
      const protocol = {
        ...experiment.repeats,
        method: 'direct',
        once_for: experiment.once_for,
        answers: asked,
      } as Parameters<typeof experiment.instrument.runs_of>[0];
      const runs = experiment.instrument.runs_of(protocol);
      const { name, aliases, group, question } = experiment;
      rows.push({
        name,
        aliases,
        group,
        question,
        cells: cells.length,
        skipped: skipped.length,
        runs: runs * cells.reduce((sum, { requests }) => sum + requests.length, 0),
        about_ms: ceilings && experiment.instrument.runs ? assumed_ms(cells, runs, ceilings) : null,
        results: await folder_state(
          join(flags.results, group, name),
          cells.map(({ key }) => key),
        ),
      });
    }
    if (flags.json) {
      const { facts } = model.executor.device;
      const head = { schema: 'molmoe.list/1', version, commit, dirty, adapter: facts.description || facts.device };
      out(`${JSON.stringify({ ...head, model: model.facts.name, experiments: rows })}\n`);
      return;
    }
    const text = (name: string) => ({ name, unit: 'text' as const });
    out(
      `${table_text({
        title: `experiments, on ${model.facts.name}`,
        columns: [
          text('name'),
          text('also'),
          text('group'),
          { name: 'cells', unit: 'count' },
          text('about'),
          text('results'),
          text('question'),
        ],
        rows: rows.map((row) => [
          row.name,
          row.aliases.join(', '),
          row.group,
          row.cells,
          row.about_ms === null ? null : duration(row.about_ms),
          row.results,
          row.question,
        ]),
      })}\n`,
    );
    note(
      ceilings
        ? 'about: with kernels at a third of the ceilings of this adapter; --dry-run counts exactly'
        : 'times are not known before the first experiment has measured the ceilings of this adapter',
    );
  } finally {
    await model.close();
  }
}
