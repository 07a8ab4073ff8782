import type { OpenModel } from '../../engine/node/load.ts';
import { kept_ceilings } from '../../experiments/lab/ceilings_cache.ts';
import type { Experiment, Plan } from '../../experiments/lab/define.ts';
import { type CellCosts, costs_of, dry_engine, estimate_time } from '../../experiments/lab/dry.ts';
import type { Build } from '../../experiments/lab/provenance.ts';
import { finished_cells } from '../../experiments/lab/read.ts';
import type { Protocol } from '../../experiments/lab/schema.ts';
import { out, progress } from '../print.ts';
import { table_text } from './show.ts';

/** What an experiment would run and what that costs: counted exactly, nothing measured. */
export async function dry_run(
  experiment: Experiment,
  model: OpenModel,
  { cells, skipped }: Plan,
  protocol: Protocol,
  flags: { readonly out: string; readonly json?: boolean; readonly fresh?: boolean },
  build: Build,
): Promise<undefined> {
  const engine = await dry_engine(model);
  const ceilings = (await kept_ceilings(model.executor, model.adapter.backend)) ?? null;
  const finished = flags.fresh ? new Map() : await finished_cells(flags.out);
  const runs_of = (cell: CellCosts) => experiment.instrument.runs_of(protocol) * cell.requests;
  const bar = progress('counting');
  const costs: CellCosts[] = [];
  for (const [i, cell] of cells.entries()) {
    costs.push(await costs_of(engine, cell, ceilings, protocol));
    bar.update(i + 1, cells.length);
  }
  bar.end();
  const estimate = experiment.instrument.runs ? estimate_time(costs, runs_of, finished) : null;
  const peak = costs.reduce((most, { memory }) => Math.max(most, memory?.total ?? 0), 0);
  const rows = costs.map((cell) => ({
    ...cell,
    runs: runs_of(cell),
    bytes: bytes_of(cell.totals),
    measured: finished.has(cell.key),
  }));
  if (flags.json) {
    const { facts } = model.executor.device;
    const report = {
      schema: 'molmoe.dry_run/1',
      ...build,
      experiment: experiment.name,
      adapter: facts.description || facts.device,
      model: model.facts.name,
      dtype: model.facts.dtype,
      protocol,
      cells: rows.map(({ totals, ...row }) => ({ ...row, totals })),
      skipped,
      peak_memory_bytes: peak,
      estimate,
    };
    out(`${JSON.stringify(report)}\n`);
    return;
  }
  out(`${table_text(costs_table(rows))}\n`);
  for (const { key, reason } of skipped) out(`skipped ${key}: ${reason}\n`);
  const open = rows.filter(({ measured }) => !measured);
  out(
    `\n${open.length} of ${rows.length} cells to run, ${open.reduce((sum, { runs }) => sum + runs, 0)} runs; most GPU memory at once ${gb(peak)}\n`,
  );
  out(`${time_line(experiment, estimate)}\n`);
}

const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

const bytes_of = ({ weight_bytes, read_bytes, written_bytes, kv_bytes }: CellCosts['totals']): number =>
  weight_bytes + read_bytes + written_bytes + kv_bytes;

function costs_table(rows: readonly (CellCosts & { readonly runs: number; readonly bytes: number })[]) {
  const counted = (name: string) => ({ name, unit: 'count' as const });
  return {
    title: 'cells, a run of each counted exactly',
    columns: [
      { name: 'cell', unit: 'text' as const },
      counted('runs'),
      counted('positions'),
      counted('new'),
      { name: 'FLOPs', unit: 'flop' as const },
      { name: 'bytes', unit: 'bytes' as const },
      counted('launches'),
      { name: 'GPU memory', unit: 'bytes' as const },
      { name: 'least time', unit: 'ms' as const },
    ],
    rows: rows.map(({ key, runs, tokens, totals, bytes, memory, least_ms }) => [
      key,
      runs,
      tokens.prompt_length,
      tokens.num_output_tokens,
      totals.flops,
      bytes,
      totals.dispatches,
      memory?.total ?? null,
      least_ms,
    ]),
    note: 'Least time: what the measured ceilings of this adapter allow; blank where it has none yet.',
  };
}

function time_line(experiment: Experiment, estimate: ReturnType<typeof estimate_time>): string {
  if (!experiment.instrument.runs) return 'it only counts: seconds';
  if (estimate === null)
    return 'time: not known before the ceilings of this adapter are measured, which the first run does';
  const { total_ms, factor, measured_cells } = estimate;
  const basis =
    measured_cells > 0
      ? `${factor.toFixed(1)} times the least time, as in the ${measured_cells} cells that are there`
      : `${factor} times the least time, assumed: no cell is there to go by`;
  return `about ${duration(total_ms)} to run (${basis}), loading apart`;
}

/** 90000 -> "1 min 30 s". */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
