import type { Component, Dispatch, Stage } from '../gpu/executor.ts';

/** Exact counts of what was dispatched. `executed` FLOPs include what tiles compute beyond the mathematics. */
export interface Counts {
  readonly dispatches: number;
  readonly flops: number;
  readonly executed_flops: number;
  readonly other_ops: number;
  readonly weight_bytes: number;
  readonly read_bytes: number;
  readonly written_bytes: number;
  readonly kv_bytes: number;
}

export interface LedgerRow extends Counts {
  readonly stage: Stage;
  readonly layer: number | undefined;
  readonly component: Component;
  readonly kernel: string;
}

export interface Ledger {
  readonly record: (dispatch: Dispatch) => void;
  readonly rows: () => readonly LedgerRow[];
  readonly sum: (match?: (row: LedgerRow) => boolean) => Counts;
}

export const NOTHING: Counts = {
  dispatches: 0,
  flops: 0,
  executed_flops: 0,
  other_ops: 0,
  weight_bytes: 0,
  read_bytes: 0,
  written_bytes: 0,
  kv_bytes: 0,
};
const KEYS = Object.keys(NOTHING) as (keyof Counts)[];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function make_ledger(): Ledger {
  const rows: Mutable<LedgerRow>[] = [];
  /** A kernel's rows of a layer: looking at the few there are is faster than making a key. */
  const by_kernel = new Map<string, Map<number, Mutable<LedgerRow>[]>>();

  const row_of = ({ kernel, tag }: Dispatch): Mutable<LedgerRow> => {
    let layers = by_kernel.get(kernel.name);
    if (layers === undefined) {
      layers = new Map();
      by_kernel.set(kernel.name, layers);
    }
    let few = layers.get(tag.layer ?? -1);
    if (few === undefined) {
      few = [];
      layers.set(tag.layer ?? -1, few);
    }
    for (const row of few) if (row.stage === tag.stage && row.component === tag.component) return row;
    const { stage, layer, component } = tag;
    const row = { ...NOTHING, stage, layer, component, kernel: kernel.name };
    few.push(row);
    rows.push(row);
    return row;
  };

  return {
    record(dispatch) {
      const { flops, bytes } = dispatch;
      const row = row_of(dispatch);
      row.dispatches += 1;
      row.flops += flops.useful;
      row.executed_flops += flops.executed;
      row.other_ops += flops.other;
      row.weight_bytes += bytes.weights;
      row.read_bytes += bytes.read;
      row.written_bytes += bytes.written;
      row.kv_bytes += bytes.kv;
    },
    rows: () => [...rows],
    sum(match = () => true) {
      const total: Mutable<Counts> = { ...NOTHING };
      for (const row of rows) {
        if (match(row)) for (const key of KEYS) total[key] += row[key];
      }
      return total;
    },
  };
}
