import { percentile } from '../../experiments/lab/stats.ts';
import { STAGES, type Times, total } from './request.ts';
import { type Compared, REQUEST } from './targets.ts';

/** A peer's samples beside the engine's, taken in turn, or why there are none. */
export interface RequestRow {
  readonly peer: string;
  readonly reason?: string;
  /** Of logits, relative. */
  readonly difference?: number;
  readonly ours?: readonly Times[];
  readonly theirs?: readonly Times[];
}

export interface RequestRows {
  /** The model, the request, the type of weights. */
  readonly what: string;
  readonly rows: readonly RequestRow[];
}

type Of = (times: Times) => number;
const median = (runs: readonly Times[], of: Of): number => percentile(runs.map(of), 50);

/** Peer's median over ours. */
export function request_ratio({ ours, theirs }: RequestRow, of: Of = total): number | undefined {
  return ours && theirs && median(theirs, of) / median(ours, of);
}

/** A peer without the speed of its product, which differs from run to run. */
const kind_of = ({ peer }: RequestRow): string => peer.replace(/, a product of .*$/, '');

/** Adds samples of earlier runs, peer by peer. */
export function pooled({ what, rows }: RequestRows, earlier: readonly RequestRows[]): RequestRows {
  const before = earlier.filter((each) => each.what === what).flatMap((each) => each.rows);
  const all = rows.map((row): RequestRow => {
    if (row.ours === undefined || row.theirs === undefined) return row;
    const same = before.filter((other) => kind_of(other) === kind_of(row));
    const ours = [...same.flatMap((other) => other.ours ?? []), ...row.ours];
    const theirs = [...same.flatMap((other) => other.theirs ?? []), ...row.theirs];
    return { ...row, ours, theirs };
  });
  return { what, rows: all };
}

export function request_lines({ what, rows }: RequestRows): string[] {
  return rows.flatMap((row) => {
    const { peer, ours, theirs } = row;
    if (ours === undefined || theirs === undefined) return [];
    const line = (name: string, of: Of) => {
      const [a, b] = [ours, theirs].map((runs) => median(runs, of).toFixed(0).padStart(6));
      return `  ${name.padEnd(15)} ours ${a} ms, peer ${b} ms, peer/ours ${request_ratio(row, of)?.toFixed(2)}x`;
    };
    const spans = [ours, theirs].map((runs) => runs.map(total).map((ms) => (ms / 1000).toFixed(1)));
    const [a, b] = spans.map((all) => `${all.toSorted((x, y) => Number(x) - Number(y)).join(' ')} s`);
    return [
      `${REQUEST}, ${what}: ${peer}; medians of ${theirs.length}`,
      ...STAGES.map((stage) => line(stage, (times) => times[`${stage}_ms`])),
      line('all', total),
      `  all: ours ${a}; peer ${b}`,
    ];
  });
}

export function request_targets({ what, rows }: RequestRows): Compared[] {
  return rows.map((row) => {
    const { peer, reason } = row;
    return { op: REQUEST, shape: what, dtype: '', peer, reason, ratio: request_ratio(row) };
  });
}
