import type { Target } from '../target.ts';

export const REQUEST = 'whole request';

/** A row of the comparison, as far as targets go. */
export interface Compared {
  readonly op: string;
  readonly shape: string;
  readonly dtype: string;
  readonly peer: string;
  /** Peer's median over ours: above 1 the engine is faster. */
  readonly ratio?: number;
  /** Why there are no times. */
  readonly reason?: string;
}

type Limits = Readonly<Pick<Target, 'least' | 'goal'>>;

/** By operation; products by peer too, with f16 weights. How many times as long the peer is to take. */
function limits_of({ op, shape, dtype, peer }: Compared): Limits {
  if (op === REQUEST) return request_limits(peer);
  if (op.startsWith('mat') && dtype !== 'f16') return {};
  if (op === 'matmul') return { least: peer.startsWith('tfjs') ? 10 : 6, goal: 10 };
  if (op === 'matvec') return { least: 15, goal: 25 };
  if (op === 'attention' && shape.startsWith('577')) return { least: 1.4, goal: 2.5 };
  if (op === 'causal attention') return { least: 2, goal: 4 };
  return { goal: 2 };
}

/** With the faster build of OpenBLAS for a few threads; of the other builds PyTorch's time is told alone. */
function request_limits(peer: string): Limits {
  if (peer.startsWith('onnxruntime')) return { least: 3, goal: 6 };
  return peer.includes('openblas-openmp') ? { least: 1.2, goal: 1.6 } : {};
}

/** What did not run, or computes something else, is no target. */
export function peer_targets(rows: readonly Compared[]): Target[] {
  const timed = rows.filter((row) => row.ratio !== undefined);
  return timed.map((row) => {
    const what = `${[row.op, row.shape, row.dtype].filter((word) => word !== '').join(' ')}: ${row.peer}`;
    return { what, unit: 'times our time', value: row.ratio, ...limits_of(row) };
  });
}
