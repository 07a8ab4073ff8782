import type { Figure } from '../charts.ts';
import type { Configuration, Finding, KernelRow, PartName, Run, StageName, Summary } from '../schema.ts';
import type { Table } from '../tables.ts';
import type { TimeName } from '../times.ts';

export interface ExperimentHead {
  readonly name: string;
  readonly title: string;
  readonly question: string;
  readonly group: string;
}

/** A configuration as the page gets it: with its statistics made, as every other result has them. */
export interface PageConfiguration extends Configuration {
  /** Of the clean runs; null where a request has no such stage. */
  readonly statistics: Readonly<Record<TimeName, Summary | null>>;
  /** GPU time, mean over the instrumented runs. */
  readonly part_ms: readonly { readonly stage: StageName; readonly part: PartName; readonly gpu_ms: number }[];
}

export interface Skipped {
  readonly key: string;
  readonly settings: Configuration['settings'];
  readonly reason: string;
}

/** All that the page of one experiment knows. */
export interface PageData {
  readonly experiment: ExperimentHead;
  readonly run: Run;
  readonly stages: readonly StageName[];
  readonly parts: readonly PartName[];
  /** In the grid's order; of thousands only the first. */
  readonly configurations: readonly PageConfiguration[];
  /** How many there are in all, and when the last of them ended. */
  readonly cells: number;
  readonly ended: string;
  readonly skipped: readonly Skipped[];
  /** Tried, and could not be measured. */
  readonly failed: readonly Skipped[];
  readonly warnings: readonly GroupedWarning[];
  readonly findings: readonly Finding[];
  readonly figures: readonly Figure[];
  readonly tables: readonly Table[];
  readonly files: readonly string[];
  readonly basis?: string;
}

/** Equal warnings of several configurations stand once. */
export interface GroupedWarning {
  readonly text: string;
  readonly where: string;
}

/** One experiment of the index. */
export interface IndexEntry {
  readonly experiment: ExperimentHead;
  /** Relative link to its folder, '' for the same one. */
  readonly folder: string;
  readonly head: {
    readonly model: string;
    readonly adapter: string;
    readonly date: string;
    readonly weights: string;
    readonly cells: number;
    readonly runs: number;
    readonly basis?: string;
  };
  readonly findings: readonly Finding[];
  readonly figures: readonly Figure[];
  readonly files: readonly string[];
  /** Its deep page, by its name in that folder. */
  readonly page?: string;
  /** Why the folder could not be read. */
  readonly fault?: string;
}

/** A kernel row with the rates that follow from it; null where a rate has no meaning. */
export interface KernelFacts extends KernelRow {
  readonly bytes: number;
  /** Of all GPU time of the configuration. */
  readonly share: number | null;
  readonly flops_per_s: number | null;
  readonly bytes_per_s: number | null;
  /** FLOP per byte. */
  readonly intensity: number | null;
  /** floor / measured. */
  readonly efficiency: number | null;
  readonly below_floor: boolean;
}

export function kernel_facts(rows: readonly KernelRow[]): KernelFacts[] {
  const total_ms = rows.reduce((sum, row) => sum + row.gpu_ms, 0);
  return rows.map((row) => {
    const bytes = row.weight_bytes + row.read_bytes + row.written_bytes + row.kv_bytes;
    const seconds = row.gpu_ms / 1000;
    return {
      ...row,
      bytes,
      share: ratio(row.gpu_ms, total_ms),
      flops_per_s: row.flops > 0 ? ratio(row.flops, seconds) : null,
      bytes_per_s: ratio(bytes, seconds),
      intensity: row.flops > 0 ? ratio(row.flops, bytes) : null,
      efficiency: row.floor_ms === null ? null : ratio(row.floor_ms, row.gpu_ms),
      below_floor: row.floor_ms !== null && row.gpu_ms < row.floor_ms,
    };
  });
}

const ratio = (a: number, b: number): number | null => (b > 0 ? a / b : null);

export const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
