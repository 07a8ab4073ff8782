import type { Configuration, Finding, FitRecord, KernelRow, PartName, Run, StageName, Summary } from '../schema.ts';
import type { TimeName } from '../times.ts';

/** A configuration as the page gets it: with its statistics made, as every other result has them. */
export interface ReportConfiguration extends Configuration {
  /** Of the clean runs; null where a request has no such stage. */
  readonly statistics: Readonly<Record<TimeName, Summary | null>>;
  /** GPU time, mean over the instrumented runs. */
  readonly part_ms: readonly { readonly stage: StageName; readonly part: PartName; readonly gpu_ms: number }[];
}

/** All that the page knows. */
export interface ReportData {
  readonly title: string;
  readonly question: string;
  readonly run: Run;
  readonly stages: readonly StageName[];
  readonly parts: readonly PartName[];
  readonly configurations: readonly ReportConfiguration[];
  readonly fits: { readonly prefill: FitRecord | null; readonly decode: FitRecord | null };
  readonly findings: readonly Finding[];
  readonly figures: readonly { readonly name: string; readonly svg: string }[];
  readonly files: readonly string[];
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
