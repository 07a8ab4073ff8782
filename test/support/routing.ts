import { noise } from './gpu.ts';

/** The k experts of every row: different ones in a row, chosen among `among` (all by default). */
export function random_choices(
  rows: number,
  k: number,
  experts: number,
  seed: number,
  among = Array.from({ length: experts }, (_, e) => e),
): Uint32Array {
  const keys = noise(rows * among.length, seed);
  const out = new Uint32Array(rows * k);
  for (let row = 0; row < rows; row++) {
    const key = (i: number) => keys[row * among.length + i] as number;
    const order = among.map((_, i) => i).sort((i, j) => key(j) - key(i));
    for (let j = 0; j < k; j++) out[row * k + j] = among[order[j] as number] as number;
  }
  return out;
}

/** Experts cut into weight slices of at most `size`, as a binding limit would. */
export function expert_slices(experts: number, size: number): { expert0: number; expert_count: number }[] {
  const out = [];
  for (let expert0 = 0; expert0 < experts; expert0 += size) {
    out.push({ expert0, expert_count: Math.min(size, experts - expert0) });
  }
  return out;
}

/** Puts gate [k][hidden] and up [k][hidden] side by side, each padded to eights: [k][2 * padded]. */
export function side_by_side(gate: Float32Array, up: Float32Array, k: number, hidden: number): Float32Array {
  const padded = Math.ceil(hidden / 8) * 8;
  const out = new Float32Array(k * 2 * padded);
  for (let i = 0; i < k; i++) {
    out.set(gate.subarray(i * hidden, (i + 1) * hidden), 2 * i * padded);
    out.set(up.subarray(i * hidden, (i + 1) * hidden), (2 * i + 1) * padded);
  }
  return out;
}
