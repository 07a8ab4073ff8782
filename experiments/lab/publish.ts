import type { Derived, Experiment, Saved } from './define.ts';
import { basis_of } from './derive.ts';
import { render } from './figures.ts';
import type { Results } from './record.ts';
import { build_page } from './report.ts';

export interface Published extends Derived {
  readonly saved: Saved;
  /** Names of what was written, relative to the folder. */
  readonly written: readonly string[];
  readonly page: string;
}

export const saved_of = (experiment: Experiment, { run, finished, skipped, failed }: Results): Saved => ({
  run,
  configurations: experiment.sorted([...finished().values()]),
  skipped,
  failed: failed(),
});

/** Files, figures and page of everything that the folder holds. */
export async function publish(experiment: Experiment, results: Results): Promise<Published> {
  const saved = saved_of(experiment, results);
  const derived = experiment.derive(saved);
  const written: string[] = [];
  for (const [file, schema] of Object.entries(experiment.schemas)) {
    await results.write_json(`${file}.json`, schema, derived.files[file]);
    written.push(`${file}.json`);
  }
  const { provenance } = saved.run.fingerprint;
  const basis = basis_of(saved.configurations);
  for (const figure of derived.figures) {
    const { svg, png } = await render(figure, { ...provenance, basis });
    await results.write(`figures/${figure.name}.svg`, svg);
    await results.write(`figures/${figure.name}.png`, png);
    written.push(`figures/${figure.name}.png`);
  }
  const { figures, tables, findings } = derived;
  const page = build_page({ experiment, ...saved, basis, figures, tables, findings, files: written });
  return { ...derived, saved, written, page: await results.write('report.html', page) };
}
