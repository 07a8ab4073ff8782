import { expert_matmul } from './expert_matmul.ts';
import { silu } from './matmul.ts';

type Matrices = readonly ArrayLike<number>[];

/** h[slot] = silu(a gate) * (a up). */
export function expert_gate_up(
  a: ArrayLike<number>,
  gate: Matrices,
  up: Matrices,
  choices: ArrayLike<number>,
  d: { k: number; hidden: number; top_k: number },
): Float64Array {
  const size = { k: d.k, cols: d.hidden, a_div: d.top_k };
  const ups = expert_matmul(a, up, choices, size);
  return expert_matmul(a, gate, choices, size).map((x, i) => silu(x) * (ups[i] as number));
}

/** Sum over a row's slots of weight * (h[slot] down). */
export function expert_down(
  h: ArrayLike<number>,
  down: Matrices,
  choices: ArrayLike<number>,
  weights: ArrayLike<number>,
  d: { hidden: number; cols: number; top_k: number },
): Float64Array {
  const y = expert_matmul(h, down, choices, { k: d.hidden, cols: d.cols, a_div: 1 });
  const out = new Float64Array((choices.length / d.top_k) * d.cols);
  for (let i = 0; i < y.length; i++) {
    const slot = Math.floor(i / d.cols);
    const at = Math.floor(slot / d.top_k) * d.cols + (i % d.cols);
    out[at] = (out[at] as number) + (weights[slot] as number) * (y[i] as number);
  }
  return out;
}
