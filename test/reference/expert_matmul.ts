import { matmul } from './matmul.ts';

/** c[slot] = a[slot / a_div] x w[expert of slot], in double precision; w is a matrix [k][cols] an expert. */
export function expert_matmul(
  a: ArrayLike<number>,
  w: readonly ArrayLike<number>[],
  choices: ArrayLike<number>,
  d: { k: number; cols: number; a_div: number },
): Float64Array {
  const out = new Float64Array(choices.length * d.cols);
  for (let slot = 0; slot < choices.length; slot++) {
    const row = Math.floor(slot / d.a_div);
    const x = Array.from({ length: d.k }, (_, i) => a[row * d.k + i] as number);
    const y = matmul(x, w[choices[slot] as number] as ArrayLike<number>, { rows: 1, k: d.k, cols: d.cols });
    out.set(y, slot * d.cols);
  }
  return out;
}
