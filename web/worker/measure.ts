import { InputError } from '../../engine/errors.ts';
import { chrome_trace, stage_spans } from '../../engine/meter/trace.ts';
import type { GenerateResult } from '../../engine/molmoe.ts';
import { run_cells } from '../../experiments/lab/conduct.ts';
import type { Derived, Experiment, Saved } from '../../experiments/lab/define.ts';
import type { Cell } from '../../experiments/lab/plan.ts';
import type { Results } from '../../experiments/lab/record.ts';
import type { Configuration, PlanRecord, Protocol, Run, Skipped } from '../../experiments/lab/schema.ts';
import { seen_by } from '../../experiments/lab/seen.ts';
import { run_of } from './inside.ts';
import type { Session, Tell } from './session.ts';

export interface Measured {
  readonly experiment: Experiment;
  readonly run: Run;
  readonly plan: PlanRecord;
  readonly configurations: readonly Configuration[];
  readonly saved: Saved;
  readonly derived: Derived;
  /** By cell, as texts for Perfetto. */
  readonly traces: ReadonlyMap<string, string>;
}

/** An experiment of the lab on the model that is loaded, as the command line conducts it, kept in memory. */
export async function measure(
  session: Session,
  experiment: Experiment,
  chosen: Readonly<Record<string, unknown>>,
  repeats: Partial<Protocol>,
  tell: Tell,
  signal: AbortSignal,
): Promise<Measured> {
  const { engine } = session.loaded;
  const options = Object.fromEntries(
    Object.entries(experiment.options).map(([key, type]) => [key, type.parse(chosen[key])]),
  );
  experiment.check(options, new Set(Object.keys(chosen)));
  const protocol: Protocol = {
    ...{ batch: 1, order: 'fixed', order_seed: null, method: 'direct', tokens_per_readback: 1 },
    ...experiment.repeats,
    ...repeats,
  };
  const { config } = engine.facts;
  const on = { config, tokenizer: engine.tokenizer, asked: {}, tokens_per_readback: protocol.tokens_per_readback };
  const { cells, skipped } = experiment.plan(on, options);
  if (cells.length === 0) {
    throw new InputError(
      `${experiment.name}: expected a cell to run, found none: ${skipped[0]?.reason ?? 'none asked'}`,
    );
  }
  // Floors are of kernels, which only stamped runs time.
  const ceilings = protocol.instrumented > 0 ? await session.ceilings(tell, signal) : session.known_ceilings;
  const run = await run_of(session, experiment.name, protocol, ceilings);
  const plan: PlanRecord = {
    schema: 'molmoe.plan/1',
    experiment: experiment.name,
    options: options as PlanRecord['options'],
    cells: cells.map(({ key, settings }) => ({ key, settings })),
    skipped: [...skipped],
  };
  const finished = new Map<string, Configuration>();
  const failed: Skipped[] = [];
  const traces = new Map<string, string>();
  const { provenance } = run.fingerprint;
  await run_cells(cells, {
    results: in_memory(run, plan, finished, failed, traces),
    instrument: experiment.instrument,
    protocol,
    load: async () => engine,
    routing: true,
    trace_of: (cell, result) =>
      trace_text(result, { provenance, experiment: experiment.name, settings: cell.settings }),
    on_cell: ({ key }: Cell) => tell({ kind: 'progress', what: key, done: finished.size, total: cells.length }),
    on_progress: (done, total) => tell({ kind: 'progress', what: experiment.name, done, total }),
    signal,
  });
  const configurations = [...finished.values()];
  const saved = seen_by(experiment, { run, configurations, skipped, options: plan.options, failed });
  return { experiment, run, plan, configurations, saved, derived: experiment.derive(saved), traces };
}

/** What a folder is to the command line. */
function in_memory(
  run: Run,
  plan: PlanRecord,
  finished: Map<string, Configuration>,
  failed: Skipped[],
  traces: Map<string, string>,
): Results {
  return {
    run,
    folder: 'this page',
    finished: () => finished,
    finished_cell: (key) => finished.get(key),
    has: (name) => traces.has(name),
    skipped: plan.skipped,
    options: plan.options,
    others: undefined,
    command: null,
    failed: () => failed,
    fail: (cell) => void failed.push(cell),
    keep_failed: async () => undefined,
    save: async (configuration) => void finished.set(configuration.key, configuration),
    write: async (name, data) => {
      if (typeof data === 'string') traces.set(name, data);
      return name;
    },
    write_json: async (name) => name,
    close: async () => undefined,
  };
}

function trace_text(result: GenerateResult, about: Readonly<Record<string, unknown>>): string {
  if (result.timeline === undefined) return '';
  const trace = chrome_trace([...result.preprocess, ...stage_spans(result.stages)], result.timeline);
  return JSON.stringify({ ...trace, otherData: about });
}
