import { dry_executor } from '../../engine/gpu/dry.ts';
import { floor_of, pass_weight_bytes } from '../../engine/meter/roofline.ts';
import { plan_blocks } from '../../engine/model/knobs.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { Engine } from '../../engine/molmoe.ts';
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
}

/** Exact counts of a cell. */
export async function costs_of(
  engine: Engine,
  cell: Cell,
  ceilings: Ceilings | null,
  protocol: Protocol,
): Promise<CellCosts> {
  const seen = await counts.observe(engine, cell.requests, protocol, { on_run: () => {} });
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
  };
}

function totals_of(rows: readonly CountsRecord[]): CountsRecord {
  const keys = Object.keys(rows[0] ?? {}) as (keyof CountsRecord)[];
  return Object.fromEntries(keys.map((key) => [key, sum(rows.map((row) => row[key]))])) as CountsRecord;
}

/** Kernels reach about a third of the ceilings where this was written (docs/speed.md): what is assumed before anything was measured. */
const ASSUMED_FACTOR = 3;

export interface TimeEstimate {
  readonly total_ms: number;
  /** Measured time over least time of the cells that are there, and how many those are; 0: assumed. */
  readonly factor: number;
  readonly measured_cells: number;
}

/** About how long the open cells will take; null without ceilings. */
export function estimate_time(
  costs: readonly CellCosts[],
  runs: (cell: CellCosts) => number,
  finished: ReadonlyMap<string, Configuration>,
): TimeEstimate | null {
  if (costs.some(({ least_ms }) => least_ms === null)) return null;
  const factors = costs.flatMap(({ key, least_ms, requests }) => {
    const samples = finished.get(key)?.clean.samples ?? [];
    const total =
      samples.length > 0
        ? percentile(
            samples.map(({ T_total }) => T_total),
            50,
          )
        : null;
    return total !== null && least_ms && requests === 1 ? [total / least_ms] : [];
  });
  const factor = factors.length > 0 ? percentile(factors, 50) : ASSUMED_FACTOR;
  const open = costs.filter(({ key }) => !finished.has(key));
  const total_ms = factor * sum(open.map((cell) => ((cell.least_ms as number) * runs(cell)) / cell.requests));
  return { total_ms, factor, measured_cells: factors.length };
}

/** As rough as it is quick: the weights of cells are FLOPs. For a list; `costs_of` counts. */
export const assumed_ms = (cells: readonly Cell[], runs: number, { fma_f32_flops }: Ceilings): number =>
  (1000 * ASSUMED_FACTOR * runs * sum(cells.map(({ weight, requests }) => weight * requests.length))) / fma_f32_flops;
