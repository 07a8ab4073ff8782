import { InputError } from '../../engine/errors.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import { kept_ceilings } from '../../experiments/lab/ceilings_cache.ts';
import type { Experiment, Plan } from '../../experiments/lab/define.ts';
import { type CellCosts, costs_of, dry_engine, estimate_time, type TimeEstimate } from '../../experiments/lab/dry.ts';
import type { Build } from '../../experiments/lab/origin.ts';
import type { Cell } from '../../experiments/lab/plan.ts';
import { finished_cells } from '../../experiments/lab/read.ts';
import type { Protocol } from '../../experiments/lab/schema.ts';
import { out, progress } from '../print.ts';
import { known_times } from './foresight.ts';
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
  const times = experiment.instrument.runs ? await known_times(model) : undefined;
  const finished = flags.fresh ? new Map() : await finished_cells(flags.out);
  const runs_of = (cell: CellCosts) => experiment.instrument.runs_of(protocol) * cell.requests;
  const bar = progress('counting');
  const costs: CellCosts[] = [];
  const some = experiment.dataset === undefined ? cells : spread(cells, MOST_SAMPLES);
  for (const [i, cell] of some.entries()) {
    const counted = await costs_of(engine, cell, ceilings, protocol, times?.total).catch(broken_sample(cell));
    if (counted !== undefined) costs.push(counted);
    bar.update(i + 1, some.length);
  }
  bar.end();
  const of_counted = experiment.instrument.runs ? estimate_time(costs, runs_of, finished) : null;
  const estimate = of_counted && with_the_rest(of_counted, cells, costs, protocol, finished);
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
      cells_in_all: cells.length,
      skipped,
      peak_memory_bytes: peak,
      estimate,
      learnt_from: times?.basis ?? null,
    };
    out(`${JSON.stringify(report)}\n`);
    return;
  }
  out(`${table_text(costs_table(rows))}\n`);
  for (const { key, reason } of skipped) out(`skipped ${key}: ${reason}\n`);
  if (costs.length < cells.length)
    out(`... ${costs.length} of ${cells.length} cells counted, spread over all of them\n`);
  const open = cells.filter(({ key }) => !finished.has(key));
  const runs = open.reduce((sum, { requests }) => sum + experiment.instrument.runs_of(protocol) * requests.length, 0);
  const once = protocol.once_for === 'shape' ? ' beside those that each shape begins with' : '';
  out(`\n${open.length} of ${cells.length} cells to run, ${runs} runs${once}; most GPU memory at once ${gb(peak)}\n`);
  out(`${time_line(experiment, estimate, times?.basis)}\n`);
}

/** Of a data set so many samples are opened and counted: enough to tell what all of them take. */
const MOST_SAMPLES = 24;

/** So many of them, evenly spaced. */
const spread = <T>(all: readonly T[], most: number): T[] =>
  all.length <= most ? [...all] : Array.from({ length: most }, (_, i) => all[Math.floor((i * all.length) / most)] as T);

/** A picture that cannot be opened says nothing of the others. */
const broken_sample =
  ({ requests }: Cell) =>
  (error: unknown): undefined => {
    if (!(error instanceof InputError) || requests.every(({ sample }) => sample === undefined)) throw error;
  };

/** Cells that were not counted take as long as their size says; what each shape begins with is run once. */
function with_the_rest(
  estimate: TimeEstimate,
  cells: readonly Cell[],
  costs: readonly CellCosts[],
  { once_for, warmup, instrumented }: Protocol,
  finished: ReadonlyMap<string, unknown>,
): TimeEstimate {
  const counted = new Set(costs.map(({ key }) => key));
  const open = cells.filter(({ key }) => !finished.has(key));
  const weight = (some: readonly Cell[]) => some.reduce((sum, cell) => sum + cell.weight, 0);
  const rest = weight(open) / (weight(open.filter(({ key }) => counted.has(key))) || 1);
  const shapes = new Map(costs.map((cell) => [`${cell.tokens.tiling} ${cell.tokens.num_output_tokens}`, cell]));
  const by_estimator = estimate.by === 'estimator';
  const one_ms = ({ predicted, least_ms }: CellCosts) =>
    by_estimator ? (predicted?.ms ?? 0) : estimate.factor * (least_ms ?? 0);
  const once_ms = once_for === 'shape' ? [...shapes.values()].reduce((sum, cell) => sum + one_ms(cell), 0) : 0;
  const total_ms = estimate.total_ms * rest + (open.length > 0 ? once_ms * (warmup + instrumented) : 0);
  const stretched = (ms: number | null) => (ms === null ? null : (ms * total_ms) / (estimate.total_ms || 1));
  return { ...estimate, total_ms, low_ms: stretched(estimate.low_ms), high_ms: stretched(estimate.high_ms) };
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

function time_line(experiment: Experiment, estimate: TimeEstimate | null, learnt_from: string | undefined): string {
  if (!experiment.instrument.runs) return 'it only counts: seconds';
  if (estimate === null)
    return 'time: not known before the ceilings of this adapter are measured, which the first run does';
  const { total_ms, factor, measured_cells, by, low_ms, high_ms } = estimate;
  if (by === 'estimator') {
    const ends = low_ms === null || high_ms === null ? '' : `${duration(low_ms)} to ${duration(high_ms)}; `;
    return `about ${duration(total_ms)} to run (${ends}by what e3 learnt here from ${learnt_from}), loading apart`;
  }
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
