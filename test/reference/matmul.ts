export const quick_gelu = (x: number): number => x / (1 + Math.exp(-1.702 * x));
export const silu = (x: number): number => x / (1 + Math.exp(-x));
const ACTIVATIONS = [(x: number) => x, quick_gelu, silu];

/** c[rows][cols] = activation(a x w + bias) (+ c), in double precision. */
export function matmul(
  a: ArrayLike<number>,
  w: ArrayLike<number>,
  d: { rows: number; k: number; cols: number; bias?: ArrayLike<number>; activation?: number; add?: ArrayLike<number> },
): Float64Array {
  const out = new Float64Array(d.rows * d.cols);
  for (let r = 0; r < d.rows; r++) {
    for (let c = 0; c < d.cols; c++) {
      let sum = 0;
      for (let k = 0; k < d.k; k++) sum += (a[r * d.k + k] as number) * (w[k * d.cols + c] as number);
      const y = (ACTIVATIONS[d.activation ?? 0] as (x: number) => number)(sum + (d.bias?.[c] ?? 0));
      out[r * d.cols + c] = y + (d.add?.[r * d.cols + c] ?? 0);
    }
  }
  return out;
}
