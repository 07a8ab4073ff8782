import { relative, resolve } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import { basis_of } from '../../experiments/lab/derive.ts';
import { render } from '../../experiments/lab/figures.ts';
import { type Published, publish } from '../../experiments/lab/publish.ts';
import { find_published, results_folders } from '../../experiments/lab/read.ts';
import { type Results, reopen_results, write_beside } from '../../experiments/lab/record.ts';
import { build_index, type IndexEntry } from '../../experiments/lab/report.ts';
import type { Configuration, Provenance } from '../../experiments/lab/schema.ts';
import { scaled_of } from '../../experiments/lab/typical.ts';
import { bold, note, out, warn } from '../print.ts';
import { EXPERIMENTS } from '../registry.ts';
import { findings_text, table_text } from './show.ts';

export const experiment_of = (name: string, where: string): Experiment => {
  const found = EXPERIMENTS.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = EXPERIMENTS.map((one) => one.name).join(', ');
  throw new InputError(`${where}: expected results of an experiment (${known}), found ${name}; name another folder`);
};

/** Files, figures and page of every experiment in a folder again, and one index of all; nothing is measured. */
export async function report(folder: string): Promise<number> {
  const folders = await results_folders(folder);
  if (folders.length === 0) {
    throw new InputError(
      `${folder}: expected results, found no run.json in it or below; name the folder that --out named`,
    );
  }
  const entries: IndexEntry[] = [];
  let faults = 0;
  for (const one of folders) {
    try {
      entries.push(await refresh(one, folder, folders.length === 1));
    } catch (error) {
      if (!(error instanceof InputError) || folders.length === 1) throw error;
      faults += 1;
      warn(error.message);
      entries.push(faulty_entry(relative(folder, one), error.message));
    }
  }
  const index = await write_beside(folder, 'index.html', build_index(entries));
  note(`${bold('index')}    ${resolve(index)}`);
  return faults > 0 ? 1 : 0;
}

async function refresh(folder: string, root: string, full: boolean): Promise<IndexEntry> {
  const results = await reopen_results(folder);
  try {
    const experiment = experiment_of(results.run.experiment, folder);
    if (results.finished().size === 0 && Object.keys(experiment.reads).length === 0) {
      throw new InputError(`${folder}: expected results, found no finished configuration; run the experiment first`);
    }
    const published = await publish(experiment, results);
    if (full) tell(experiment, results, published, false);
    else note(`${experiment.name.padEnd(16)} ${resolve(published.page)}`);
    return entry_of(experiment, published, relative(root, folder));
  } finally {
    await results.close();
  }
}

function entry_of(
  experiment: Experiment,
  { saved, figures, findings, written }: Published,
  folder: string,
): IndexEntry {
  const { run, configurations } = saved;
  const { provenance, protocol } = run.fingerprint;
  const { model, adapter } = provenance;
  const { name, title, question, group } = experiment;
  return {
    experiment: { name, title, question, group },
    folder: folder.replaceAll('\\', '/'),
    head: {
      model: `${model.name}, ${model.dtype}`,
      weights: model.weights,
      adapter: `${adapter.description || adapter.device} (${adapter.type})`,
      date: run.started.slice(0, 10),
      cells: configurations.length,
      runs: protocol.runs,
      basis: basis_of(configurations),
    },
    findings,
    figures,
    files: [...written],
    page: 'report.html',
  };
}

function faulty_entry(folder: string, fault: string): IndexEntry {
  const experiment = { name: folder, title: folder, question: '', group: '' };
  const head = { model: '', weights: '', adapter: '', date: '', cells: 0, runs: 0 };
  return { experiment, folder, head, findings: [], figures: [], files: [], fault };
}

/** Summary of what was published: tables, findings, where it lies; or one JSON object. */
export function tell(experiment: Experiment, results: Results, published: Published, json: boolean | undefined): void {
  const { saved, tables, findings, written, page } = published;
  const { provenance, protocol } = results.run.fingerprint;
  const basis = basis_of(saved.configurations);
  const warnings = saved.configurations.flatMap(({ key, warnings: lines }) => lines.map((text) => `${key}: ${text}`));
  if (json) {
    const { configurations, skipped } = saved;
    const cells = configurations.map(({ key, settings, knobs, tokens, clean }) => ({
      key,
      settings,
      knobs,
      tokens,
      n: clean.samples.length,
    }));
    const head = { schema: 'molmoe.experiment/1', experiment: experiment.name, folder: resolve(results.folder) };
    const body = {
      provenance,
      protocol,
      basis: basis ?? null,
      cells,
      skipped,
      tables,
      findings,
      warnings,
      files: written,
    };
    out(`${JSON.stringify({ ...head, ...body })}\n`);
  } else {
    const about = about_model(saved.configurations, provenance.model);
    const sections = [
      ...(basis === undefined ? [] : [basis]),
      ...tables.map(table_text),
      findings_text(findings, about),
    ];
    out(`${sections.join('\n\n')}\n`);
  }
  for (const text of warnings) warn(text);
  const figures = written.filter((name) => name.startsWith('figures/'));
  note(`\n${bold('results')}  ${resolve(results.folder)}`);
  note(`figures  ${figures.join(', ')}`);
  note(`${bold('report')}   ${resolve(page)}`);
}

/** Findings about a small model are about that one; those of a slice about the whole that its times were scaled to. */
function about_model(cells: readonly Configuration[], { name, weights_kind }: Provenance['model']): string {
  const whole = cells.map(scaled_of).find((one) => one !== null)?.model;
  const model = whole === undefined ? name : `${whole}, scaled from ${name}`;
  return `${model}${weights_kind === 'synthetic' ? ', synthetic weights' : ''}`;
}

/** Figures from published files alone: no run.json, no cells. */
export async function plot(folder: string, flags: { readonly out?: string }): Promise<undefined> {
  const names = EXPERIMENTS.flatMap((experiment) => Object.keys(experiment.schemas));
  const found = await find_published(folder, EXPERIMENTS);
  if (found.length === 0) {
    throw new InputError(
      `${folder}: expected published files (${names.map((name) => `${name}.json`).join(', ')}), found none; name the folder they lie in`,
    );
  }
  const [target, inner] = flags.out === undefined ? [folder, 'figures/'] : [flags.out, ''];
  const drawn: string[] = [];
  for (const { experiment, files } of found) {
    const { figures } = experiment.draw(files);
    const [first] = Object.values(files) as { provenance: Provenance }[];
    for (const figure of figures) {
      const { svg, png } = await render(figure, {
        ...(first as { provenance: Provenance }).provenance,
        basis: basis_in(files),
      });
      await write_beside(target, `${inner}${figure.name}.svg`, svg);
      drawn.push(await write_beside(target, `${inner}${figure.name}.png`, png));
    }
  }
  out(`${drawn.join('\n')}\n`);
}

/** Published rows say themselves what their times were scaled to. */
function basis_in(files: Readonly<Record<string, unknown>>): string | undefined {
  const rows = Object.values(files).flatMap((file) => {
    const { configurations, summary } = file as { configurations?: unknown[]; summary?: unknown[] };
    return [...(configurations ?? []), ...(summary ?? [])] as { scaled?: { model: string; method: string } | null }[];
  });
  const scaled = rows.find((row) => row.scaled)?.scaled;
  return scaled ? `Times are scaled to ${scaled.model} (${scaled.method})` : undefined;
}
