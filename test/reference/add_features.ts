/** x is the buffer before, the result the buffer afterwards. */
export function add_features(
  features: Float32Array,
  index: Int32Array,
  x: Float32Array,
  d: { cells: number; cols: number; f_stride: number; x_stride: number; rows: number },
): Float64Array {
  const out = Float64Array.from(x);
  for (let cell = 0; cell < d.cells; cell++) {
    const row = index[cell] as number;
    if (row < 0 || row >= d.rows) continue;
    for (let c = 0; c < d.cols; c++) {
      out[row * d.x_stride + c] = (out[row * d.x_stride + c] as number) + (features[cell * d.f_stride + c] as number);
    }
  }
  return out;
}
