import type { z } from 'zod';
import { build_card } from './card.ts';
import type { Derived, Experiment, Saved } from './define.ts';
import { render } from './figures.ts';
import { CARD_FILE, is_free_for_card } from './own_files.ts';
import { kept_inputs } from './reading.ts';
import type { Results } from './record.ts';
import { build_page } from './report.ts';
import { basis_for, seen_by } from './seen.ts';

export interface Published extends Derived {
  readonly saved: Saved;
  /** Names of what was written, relative to the folder. */
  readonly written: readonly string[];
  readonly page: string;
  /** Whether the folder's README.md is ours to write. */
  readonly with_card: boolean;
}

export const saved_of = (experiment: Experiment, results: Results): Saved => {
  const { run, finished, skipped, options, others, failed } = results;
  const configurations = [...finished().values()];
  return seen_by(experiment, { run, configurations, skipped, options, others, failed: failed() });
};

/** Names of what is published of it, relative to the folder. */
export const published_names = ({ schemas }: Experiment, { figures }: Pick<Derived, 'figures'>): string[] => [
  ...Object.keys(schemas).map((file) => `${file}.json`),
  ...figures.map(({ name }) => `figures/${name}.png`),
];

/** Files, figures and page of everything that the folder holds. */
export async function publish(experiment: Experiment, results: Results): Promise<Published> {
  const saved = { ...saved_of(experiment, results), inputs: await kept_inputs(experiment, results.folder) };
  const derived = experiment.derive(saved);
  const written = published_names(experiment, derived);
  for (const [file, schema] of Object.entries(experiment.schemas)) {
    await results.write_json(`${file}.json`, schema, derived.files[file]);
  }
  const cell_files = Object.entries(experiment.each?.files(saved) ?? {});
  for (const [file, value] of cell_files) {
    await results.write_json(`${file}.json`, experiment.each?.schema as z.ZodType, value);
    written.push(`${file}.json`);
  }
  const { provenance } = saved.run.fingerprint;
  const basis = basis_for(experiment, saved);
  for (const figure of derived.figures) {
    const { svg, png } = await render(figure, { ...provenance, basis });
    await results.write(`figures/${figure.name}.svg`, svg);
    await results.write(`figures/${figure.name}.png`, png);
  }
  const { figures, tables, findings } = derived;
  const { command } = results;
  const traces = saved.configurations.some(({ key }) => results.has(`traces/${key}.json`));
  const with_card = await is_free_for_card(results.folder);
  if (with_card) await results.write(CARD_FILE, build_card({ experiment, saved, findings, command, traces }));
  const { name, title, question, group } = experiment;
  const { inputs: _, others: __, ...shown } = saved;
  const about = { experiment: { name, title, question, group }, ...shown, basis };
  const page = build_page({ ...about, figures, tables, findings, files: written });
  return { ...derived, saved, written, with_card, page: await results.write('report.html', page) };
}
