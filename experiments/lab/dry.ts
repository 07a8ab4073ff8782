import { dry_executor } from '../../engine/gpu/dry.ts';
import { floor_of, pass_weight_bytes } from '../../engine/meter/roofline.ts';
import { plan_blocks } from '../../engine/model/knobs.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { Engine, type GenerateResult } from '../../engine/molmoe.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import { synthetic_source } from '../../engine/weights/formula.ts';
import { counts, type Observed } from './instruments.ts';
import type { Cell } from './plan.ts';
import {
  type Ceilings,
  type Configuration,
  type CountsRecord,
  type Protocol,
  STAGES,
  type StageName,
} from './schema.ts';
import { percentile } from './stats.ts';
import { sum } from './typical.ts';

/** The model on an executor like this adapter's that computes nothing: it counts what would be dispatched, and the memory. */
export async function dry_engine(model: OpenModel): Promise<Engine> {
  const { executor, facts, tokenizer, tuning } = model;
  const { config, dtype, name } = facts;
  return Engine.create({
    name,
    config,
    tokenizer,
    dtype,
    executor: dry_executor(executor.device, executor.variant, tuning.choices),
    source: synthetic_source(tensor_specs(config), 0, 'F32'),
  });
}

export interface CellCosts extends Pick<Observed, 'tokens' | 'counters' | 'memory'> {
  readonly key: string;
  readonly requests: number;
  /** Of all requests together, once each. */
  readonly totals: CountsRecord;
  /** The least time that the ceilings of this adapter allow for one run of it; null where they are not known. */
  readonly least_ms: number | null;
  /** What an estimator of this adapter says of one run of all its requests; null where there is none. */
  readonly predicted: Predicted | null;
}

/** A time that was not measured, and the ends of what it may be; null where that is not known. */
export interface Predicted {
  readonly ms: number;
  readonly low_ms: number | null;
  readonly high_ms: number | null;
}

/** What a request will take, by what was counted of it. */
export type Foresight = (counted: GenerateResult) => Predicted;

/** Exact counts of a cell. */
export async function costs_of(
  engine: Engine,
  cell: Cell,
  ceilings: Ceilings | null,
  protocol: Protocol,
  foresight?: Foresight,
): Promise<CellCosts> {
  const predicted: Predicted[] = [];
  const seen = await counts.observe(engine, cell.requests, protocol, {
    on_run: () => {},
    on_counted: (result) => {
      if (foresight) predicted.push(foresight(result));
    },
  });
  const { config, dtype } = engine.facts;
  const all = seen.requests.length > 0 ? seen.requests.map((one) => one.counters) : [seen.counters];
  const weight_bytes = pass_weight_bytes(config, dtype, plan_blocks(config, cell.knobs));
  const least = (stage: StageName, row: CountsRecord | undefined) =>
    row === undefined || ceilings === null ? 0 : floor_of(row, ceilings, weight_bytes[stage]).floor_ms;
  const rows = all.flatMap((by_stage) => STAGES.flatMap((stage) => by_stage[stage] ?? []));
  return {
    key: cell.key,
    requests: cell.requests.length,
    tokens: seen.tokens,
    counters: seen.counters,
    memory: seen.memory,
    totals: totals_of(rows),
    least_ms: ceilings === null ? null : sum(all.flatMap((one) => STAGES.map((stage) => least(stage, one[stage])))),
    predicted: predicted.length > 0 ? added(predicted) : null,
  };
}

function totals_of(rows: readonly CountsRecord[]): CountsRecord {
  const keys = Object.keys(rows[0] ?? {}) as (keyof CountsRecord)[];
  return Object.fromEntries(keys.map((key) => [key, sum(rows.map((row) => row[key]))])) as CountsRecord;
}

/** One after the other. Ends add up as if all were at their ends at once: wider than need be. */
function added(all: readonly Predicted[]): Predicted {
  const ends = (of: (one: Predicted) => number | null) => {
    const values = all.map(of);
    return values.every((value) => value !== null) ? sum(values as number[]) : null;
  };
  return {
    ms: sum(all.map(({ ms }) => ms)),
    low_ms: ends(({ low_ms }) => low_ms),
    high_ms: ends(({ high_ms }) => high_ms),
  };
}

/** Kernels reach about a third of the ceilings where this was written (docs/speed.md): what is assumed before anything was measured. */
const ASSUMED_FACTOR = 3;

export interface TimeEstimate {
  readonly total_ms: number;
  /** An estimator of this adapter, the cells that are there, or nothing. */
  readonly by: 'estimator' | 'cells' | 'assumed';
  /** Of an estimator: every time at the low end of what it may be, and at the high end. */
  readonly low_ms: number | null;
  readonly high_ms: number | null;
  /** Measured time over least time of the cells that are there, and how many those are; 0: assumed. */
  readonly factor: number;
  readonly measured_cells: number;
}

/** About how long the open cells will take; null where neither an estimator nor ceilings are known. */
export function estimate_time(
  costs: readonly CellCosts[],
  runs: (cell: CellCosts) => number,
  finished: ReadonlyMap<string, Configuration>,
): TimeEstimate | null {
  const open = costs.filter(({ key }) => !finished.has(key));
  const factors = measured_factors(costs, finished);
  const factor = factors.length > 0 ? percentile(factors, 50) : ASSUMED_FACTOR;
  const known = { factor, measured_cells: factors.length };
  const rounds = open.map((cell) => runs(cell) / cell.requests);
  if (open.length > 0 && open.every(({ predicted }) => predicted !== null)) {
    const { ms, low_ms, high_ms } = added(
      open.map(({ predicted }, i) => times(predicted as Predicted, rounds[i] as number)),
    );
    return { total_ms: ms, by: 'estimator', low_ms, high_ms, ...known };
  }
  if (costs.some(({ least_ms }) => least_ms === null)) return null;
  const total_ms = factor * sum(open.map((cell, i) => (cell.least_ms as number) * (rounds[i] as number)));
  return { total_ms, by: factors.length > 0 ? 'cells' : 'assumed', low_ms: null, high_ms: null, ...known };
}

const times = ({ ms, low_ms, high_ms }: Predicted, rounds: number): Predicted => ({
  ms: rounds * ms,
  low_ms: low_ms === null ? null : rounds * low_ms,
  high_ms: high_ms === null ? null : rounds * high_ms,
});

/** Measured time over least time, of the cells that are there. */
const measured_factors = (costs: readonly CellCosts[], finished: ReadonlyMap<string, Configuration>): number[] =>
  costs.flatMap(({ key, least_ms, requests }) => {
    const totals = (finished.get(key)?.clean.samples ?? []).map(({ T_total }) => T_total);
    return totals.length > 0 && least_ms && requests === 1 ? [percentile(totals, 50) / least_ms] : [];
  });

/** As rough as it is quick: the weights of cells are FLOPs. For a list; `costs_of` counts. */
export const assumed_ms = (cells: readonly Cell[], runs: number, { fma_f32_flops }: Ceilings): number =>
  (1000 * ASSUMED_FACTOR * runs * sum(cells.map(({ weight, requests }) => weight * requests.length))) / fma_f32_flops;
