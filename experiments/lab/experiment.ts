import type { GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import type { Generator } from './measure.ts';
import { type FloorOf, type Measured, run_protocol, runs_of } from './protocol.ts';
import type { Results } from './record.ts';
import type { Configuration, Protocol } from './schema.ts';

/** One cell of a plan. */
export interface Cell {
  readonly key: string;
  readonly settings: Configuration['settings'];
  readonly request: GenerateRequest;
  /** About how long a run takes, in any unit, for the estimate of what is left. */
  readonly weight: number;
}

export interface Lab {
  readonly results: Results;
  readonly protocol: Protocol;
  /** Called once, when there is something to measure. */
  readonly load: () => Promise<Generator>;
  readonly floor_of?: FloorOf;
  /** What an experiment adds to a measured cell. */
  readonly complete: (
    cell: Cell,
    measured: Measured,
    model: Generator,
  ) => Promise<Pick<Configuration, 'flops' | 'routing'>>;
  /** Sees each instrumented run whole. */
  readonly on_instrumented?: (cell: Cell, result: GenerateResult) => Promise<void>;
  readonly on_cell?: (cell: Cell, index: number, count: number) => void;
  readonly on_progress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Runs the cells that the folder does not have yet; each is saved as it ends. */
export async function run_cells(cells: readonly Cell[], lab: Lab): Promise<Configuration[]> {
  const { results, protocol, signal } = lab;
  const finished = results.finished();
  const open = cells.filter((cell) => !finished.has(cell.key));
  const total = open.reduce((sum, cell) => sum + cell.weight * runs_of(protocol), 0);
  let done = 0;
  const model = open.length > 0 ? await lab.load() : undefined;
  for (const [index, cell] of open.entries()) {
    signal?.throwIfAborted();
    lab.on_cell?.(cell, index, open.length);
    const started = new Date().toISOString();
    const on_run = (runs: number) => {
      done += cell.weight * runs;
      lab.on_progress?.(done, total);
    };
    const request = { ...cell.request, signal };
    const measured = await run_protocol(model as Generator, request, protocol, {
      floor_of: lab.floor_of,
      on_run,
      on_instrumented: async (result) => lab.on_instrumented?.(cell, result),
    });
    const rest = await lab.complete(cell, measured, model as Generator);
    await results.save({
      schema: 'molmoe.configuration/1',
      experiment: results.run.experiment,
      key: cell.key,
      run: results.run.run,
      settings: cell.settings,
      started,
      ended: new Date().toISOString(),
      ...measured,
      ...rest,
    });
  }
  const saved = results.finished();
  return cells.flatMap((cell) => saved.get(cell.key) ?? []);
}
