import { InputError } from '../../engine/errors.ts';
import { e1 } from '../../experiments/core/e1.ts';
import { type Bundle, checked_bundle } from '../../experiments/lab/bundle.ts';
import { parsed_json } from '../../experiments/lab/checked.ts';
import { compare_results, RULE } from '../../experiments/lab/compare.ts';
import { csv_of } from '../../experiments/lab/export/csv.ts';
import { origin_line, origin_of } from '../../experiments/lab/export/origin.ts';
import { sample_table, step_table } from '../../experiments/lab/export/tidy.ts';
import { grouped_warnings } from '../../experiments/lab/report/page_data.ts';
import { basis_for, seen_by } from '../../experiments/lab/seen.ts';
import type { Table } from '../../experiments/lab/tables.ts';
import type { ComparedView, E1Choice, ResultsView, SavedFile } from '../protocol.ts';
import { type Measured, measure } from './measure.ts';
import type { Session, Tell } from './session.ts';

const MOST_BYTES = 64 * 2 ** 20;
/** What the last run of E1 left: for its other files. */
let latest: Measured | undefined;

/** E1's small grid. */
export async function run_e1(
  session: Session,
  choice: E1Choice,
  tell: Tell,
  signal: AbortSignal,
): Promise<ResultsView> {
  const { runs, ...grid } = choice;
  latest = await measure(session, e1, grid, { runs, warmup: 1, instrumented: 1 }, tell, signal);
  const { run, plan, configurations } = latest;
  return results_view({ schema: 'molmoe.results/1', run, plan, configurations: [...configurations] });
}

/** As a program reads it: a row a run, or what ran when. */
export function e1_files(format: 'csv' | 'trace'): SavedFile[] {
  if (latest === undefined) throw new InputError('E1: expected results, found none; run it first');
  if (format === 'trace') {
    return [...latest.traces].map(([name, text]) => ({ name: `e1_${name.replaceAll('/', '_')}`, text }));
  }
  const { configurations } = latest.saved;
  const tables = [sample_table(configurations), step_table(configurations)].filter((table) => table !== null);
  return tables.map((table) => ({
    name: `e1_${table.title.split(':', 1)[0]?.replace(/\W+/g, '_')}.csv`,
    text: csv_of(table),
  }));
}

/** Anybody's file: E1's, since the page draws no other. */
export function read_results(text: string, name: string): ResultsView {
  return results_view(bundle_of(text, name));
}

export function bundle_of(text: string, name: string): Bundle {
  if (text.length > MOST_BYTES)
    throw new InputError(`${name}: expected at most ${MOST_BYTES} bytes of results, found more`);
  const bundle = checked_bundle(parsed_json(text, name, 'results of this page', 'choose another'), name);
  if (bundle.run.experiment !== e1.name) {
    throw new InputError(`${name}: expected results of e1, found those of ${bundle.run.experiment}; choose another`);
  }
  return bundle;
}

function results_view(bundle: Bundle): ResultsView {
  const { run, plan, configurations } = bundle;
  const { skipped, options } = plan;
  const saved = seen_by(e1, { run, configurations, skipped, options, failed: [] });
  const { figures, tables, findings } = e1.derive(saved);
  const { provenance, protocol } = run.fingerprint;
  const basis = basis_for(e1, saved);
  const { adapter, backend, model } = provenance;
  return {
    json: JSON.stringify(bundle),
    title: `${model.name}, ${model.dtype}, on ${adapter.description || adapter.device} (${adapter.type}), ${backend}`,
    origin: origin_line(
      origin_of({ experiment: e1, provenance, protocol, started: run.started, basis, configurations }),
    ),
    figures: figures.filter(({ files_only }) => files_only !== true),
    tables,
    findings,
    warnings: grouped_warnings(configurations).map(({ text, where }) => `${where}: ${text}`),
    cells: configurations.length,
    runs: protocol.runs,
  };
}

export function compare_bundles(a: string, b: string): ComparedView {
  const compared = compare_results(bundle_of(a, 'ours'), bundle_of(b, 'theirs'));
  const table: Table = {
    title: `Stage by stage: ${RULE}`,
    columns: [
      { name: 'configuration', unit: 'text' },
      { name: 'stage', unit: 'text' },
      { name: 'here', unit: 'ms' },
      { name: 'there', unit: 'ms' },
      { name: 'there / here', unit: 'number' },
      { name: '95 % from', unit: 'number' },
      { name: 'to', unit: 'number' },
      { name: 'there is', unit: 'text' },
    ],
    rows: compared.configurations.flatMap(({ key, stages }) =>
      stages.map(({ stage, a_ms, b_ms, ratio, ratio_ci95, significant }) => [
        key,
        stage,
        a_ms,
        b_ms,
        ratio,
        ratio_ci95?.[0] ?? null,
        ratio_ci95?.[1] ?? null,
        significant ? (ratio > 1 ? 'slower' : 'faster') : 'not told apart',
      ]),
    ),
  };
  return { table, warnings: compared.warnings };
}
