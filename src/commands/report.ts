import { statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import { type Published, publish, published_names } from '../../experiments/lab/publish.ts';
import { results_folders } from '../../experiments/lab/read.ts';
import { type Results, reopen_results, write_beside } from '../../experiments/lab/record.ts';
import { grouped_warnings } from '../../experiments/lab/report/page_data.ts';
import { build_index, type IndexEntry } from '../../experiments/lab/report.ts';
import type { Configuration, Provenance } from '../../experiments/lab/schema.ts';
import { basis_for } from '../../experiments/lab/seen.ts';
import { scaled_of } from '../../experiments/lab/typical.ts';
import { unpack } from '../../experiments/lab/unpack.ts';
import { bold, note, out, warn } from '../print.ts';
import { claims_entry } from './claims.ts';
import { experiment_of, saved_in } from './saved.ts';
import { findings_text, table_text } from './show.ts';

/** Files, figures and page of every experiment in a folder, or of a file that the live page saved, and one index of all; nothing is measured. */
export async function report(path: string): Promise<number> {
  const folder = is_file(path) ? await unpack(path) : path;
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
  const claims = await claims_entry(folder);
  if (claims !== null) entries.push(claims);
  const index = await write_beside(folder, 'index.html', build_index(entries));
  note(`${bold('index')}    ${resolve(index)}`);
  return faults > 0 ? 1 : 0;
}

const is_file = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** The index of a folder as its results stand: nothing else is drawn or written again. Returns its path. */
export async function write_index(folder: string): Promise<string> {
  const entries: IndexEntry[] = [];
  for (const one of await results_folders(folder)) {
    const where = relative(folder, one);
    try {
      const { experiment, ...found } = await saved_in(one);
      entries.push(entry_of(experiment, { ...found, written: published_names(experiment, found) }, where));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      entries.push(faulty_entry(where, error.message));
    }
  }
  return write_beside(folder, 'index.html', build_index(entries));
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
  { saved, figures, findings, written }: Pick<Published, 'saved' | 'figures' | 'findings' | 'written'>,
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
      basis: basis_for(experiment, saved),
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
  const basis = basis_for(experiment, saved);
  const warnings = grouped_warnings(saved.configurations).map(({ text, where }) => `${where}: ${text}`);
  const { failed = [] } = saved;
  if (failed.length > 0) {
    const all = failed.length + saved.configurations.length;
    warnings.push(
      `${failed.length} of ${all} configurations failed, ${failed[0]?.key} for ${failed[0]?.reason}; the same command tries them again`,
    );
  }
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
      failed,
      tables,
      findings,
      warnings,
      files: written,
    };
    out(`${JSON.stringify({ ...head, ...body })}\n`);
  } else {
    const about = about_model(experiment.basis === 'beside' ? [] : saved.configurations, provenance.model);
    const sections = [
      ...(basis === undefined ? [] : [basis]),
      ...tables.map(table_text),
      findings_text(findings, about),
    ];
    out(`${sections.join('\n\n')}\n`);
  }
  for (const text of warnings) warn(text);
  if (!published.with_card) warn(`${resolve(results.folder, 'README.md')} is not of these results: it stays as it is`);
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
