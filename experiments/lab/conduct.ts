import { InputError, UsageError } from '../../engine/errors.ts';
import { floor_of, pass_weight_bytes } from '../../engine/meter/roofline.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { type Knobs, plan_blocks } from '../../engine/model/knobs.ts';
import type { GenerateResult } from '../../engine/molmoe.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { asked_digest, opened } from './inputs.ts';
import type { FloorOf, Instrument, Shapes } from './instruments.ts';
import { measure_kernels, type Runner } from './measure.ts';
import type { Cell } from './plan.ts';
import type { Results } from './record.ts';
import { type Scaler, scaler_of } from './scale.ts';
import type { Ceilings, Configuration, Protocol } from './schema.ts';

export interface Conduct {
  readonly results: Results;
  readonly instrument: Instrument;
  readonly protocol: Protocol;
  /** Called once, when there is something to run. */
  readonly load: () => Promise<Runner>;
  /** Counts which experts each prompt goes to: one more run a cell. */
  readonly routing: boolean;
  /** Gets each instrumented run whole, as the text of a trace; undefined: no traces. */
  readonly trace_of?: (cell: Cell, result: GenerateResult) => string;
  readonly on_cell?: (cell: Cell, index: number, count: number) => void;
  /** A cell that cannot be measured after all is left out, and the rest goes on. */
  readonly on_failed?: (cell: Cell, reason: string) => void;
  readonly on_progress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What is still to do of a cell. */
interface Open {
  readonly cell: Cell;
  readonly saved: Configuration | undefined;
  readonly times: boolean;
  readonly routing: boolean;
  readonly trace: boolean;
  readonly attachments: boolean;
}

/**
 * Runs what the folder does not have yet; each cell is saved as it ends. What it has of times is never measured again. A cell
 * that cannot run here, such as one that the GPU's memory does not hold, is left out with the reason, and the rest goes on.
 */
export async function run_cells(cells: readonly Cell[], conduct: Conduct): Promise<void> {
  const { results, instrument, protocol, signal } = conduct;
  const open = cells
    .map((cell) => still_open(cell, conduct))
    .filter((one) => one.times || one.routing || one.trace || one.attachments);
  const runs = ({ cell, times, routing, trace }: Open) =>
    (times ? instrument.runs_of(protocol) * cell.requests.length : trace ? 1 : 0) + (routing ? 1 : 0);
  const total = open.reduce((sum, one) => sum + one.cell.weight * runs(one), 0);
  let done = 0;
  let refused: Error | undefined;
  const model = open.length > 0 ? await conduct.load() : undefined;
  const scaler = model && scaler_of(model);
  const shapes: Shapes = { warm: new Set(), stamped: new Map() };
  try {
    for (const [index, one] of open.entries()) {
      signal?.throwIfAborted();
      const { cell } = one;
      conduct.on_cell?.(cell, index, open.length);
      const end = done + cell.weight * runs(one);
      const on_run = (count: number) => {
        done += cell.weight * count;
        conduct.on_progress?.(done, total);
      };
      let completed: Configuration;
      try {
        completed = await complete(one, model as Runner, scaler as Scaler, shapes, conduct, on_run);
      } catch (error) {
        if (!is_of_the_cell(cell, error) || one.saved !== undefined) throw error;
        (model as Runner).executor.device.check(); // a lost device runs no other cell either
        results.fail({ key: cell.key, settings: cell.settings, reason: error.message });
        conduct.on_failed?.(cell, error.message);
        refused = error;
        done = end;
        continue;
      }
      await results.save(completed);
      for (const { name, make } of cell.attachments ?? []) if (!results.has(name)) await results.write(name, make());
    }
  } finally {
    await results.keep_failed();
  }
  if (refused !== undefined && results.finished().size === 0) throw nothing_ran(results, refused);
}

/** Of a single cell its own fault says all. */
function nothing_ran({ folder, failed }: Results, refused: Error): Error {
  const all = failed();
  const [first] = all;
  if (all.length < 2 || first === undefined) return refused;
  return new InputError(
    `${folder}: expected a configuration that can be measured, found none: all ${all.length} failed, ${first.key} for ${first.reason}`,
  );
}

/** A size that the device does not allow, a picture that cannot be read; of a sample, also a question too long for the model. */
const is_of_the_cell = ({ requests }: Cell, error: unknown): error is Error =>
  error instanceof InputError || (error instanceof UsageError && requests.some(({ sample }) => sample !== undefined));

function still_open(cell: Cell, { results, routing, trace_of, instrument }: Conduct): Open {
  const saved = results.finished_cell(cell.key, asked_digest(cell.requests));
  const stamps = instrument.name === 'latency';
  return {
    cell,
    saved,
    times: saved === undefined,
    routing: routing && stamps && (saved?.routing ?? null) === null,
    trace: trace_of !== undefined && stamps && !results.has(trace_name(cell)),
    attachments: (cell.attachments ?? []).some(({ name }) => !results.has(name)),
  };
}

const trace_name = (cell: Cell): string => `traces/${cell.key}.json`;

async function complete(
  { cell, saved, times, routing, trace }: Open,
  model: Runner,
  scaler: Scaler,
  shapes: Shapes,
  conduct: Conduct,
  on_run: (count: number) => void,
): Promise<Configuration> {
  const { results, instrument, protocol, trace_of, signal } = conduct;
  const [first] = cell.requests as [Cell['requests'][number]];
  const write_trace = async (result: GenerateResult) => {
    if (trace && trace_of) await results.write(trace_name(cell), trace_of(cell, result));
  };
  let configuration = saved;
  if (times || configuration === undefined) {
    const started = new Date().toISOString();
    const { config, dtype } = model.facts;
    const { like, ...observed } = await instrument.observe(model, cell.requests, protocol, {
      floor_of: floors_of(results.run.ceilings, config, dtype, cell.knobs),
      on_run,
      on_instrumented: write_trace,
      shapes,
      provenance: results.run.fingerprint.provenance,
      signal,
    });
    configuration = {
      schema: 'molmoe.configuration/2',
      experiment: results.run.experiment,
      key: cell.key,
      run: results.run.run,
      settings: cell.settings,
      ...(cell.about === undefined ? {} : { about: cell.about }),
      knobs: { ...cell.knobs },
      asked: asked_digest(cell.requests),
      started,
      ended: new Date().toISOString(),
      ...observed,
      scaled: instrument.runs ? await scaler(cell.knobs, observed, like) : null,
      routing: null,
    };
  }
  if (trace && !results.has(trace_name(cell))) {
    const { request } = await opened(first);
    await write_trace((await measure_kernels(model, { ...request, signal })).result);
    on_run(1);
  }
  if (!routing) return configuration;
  const { request } = await opened(first);
  const { routing: chosen } = await model.generate({ ...request, signal, maxNewTokens: 0, routing: true }).result;
  on_run(1);
  if (chosen?.imbalance.prefill === undefined) return configuration;
  const layers = chosen.layers.map(({ layer, prefill }) => ({ layer, pairs: [...prefill] }));
  return { ...configuration, routing: { layers, imbalance: chosen.imbalance.prefill } };
}

/** Least times under the knobs of a cell: fewer experts or blocks read fewer weights. */
export function floors_of(
  ceilings: Ceilings | null,
  config: ModelConfig,
  dtype: WeightFormat,
  knobs: Knobs,
): FloorOf | undefined {
  if (ceilings === null) return undefined;
  const weight_bytes = pass_weight_bytes(config, dtype, plan_blocks(config, knobs));
  return (row) => floor_of(row, ceilings, weight_bytes[row.stage]);
}
