/** Adds a row's k expert outputs y [rows * k][cols], weighted, to x [rows][cols]; double precision. */
export function moe_combine(
  y: ArrayLike<number>,
  weights: ArrayLike<number>,
  x: ArrayLike<number>,
  d: { rows: number; k: number; cols: number },
): Float64Array {
  const out = Float64Array.from(x);
  for (let t = 0; t < d.rows; t++) {
    for (let j = 0; j < d.k; j++) {
      for (let c = 0; c < d.cols; c++) {
        const at = t * d.cols + c;
        out[at] = (out[at] as number) + (weights[t * d.k + j] as number) * (y[(t * d.k + j) * d.cols + c] as number);
      }
    }
  }
  return out;
}
