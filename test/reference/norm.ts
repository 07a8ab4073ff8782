/** Rows are found by strides; y is the buffer before, the result the buffer afterwards. */
export interface NormDims {
  rows: number;
  cols: number;
  x_stride: number;
  y_stride: number;
  x_row0: number;
  y_row0: number;
  eps: number;
}

export function rms_norm(x: Float32Array, weight: Float32Array, y: Float32Array, d: NormDims): Float64Array {
  const out = Float64Array.from(y);
  for (let r = 0; r < d.rows; r++) {
    const row = x.subarray((d.x_row0 + r) * d.x_stride).subarray(0, d.cols);
    let squares = 0;
    for (const v of row) squares += v * v;
    const scale = 1 / Math.sqrt(squares / d.cols + d.eps);
    row.forEach((v, c) => {
      out[(d.y_row0 + r) * d.y_stride + c] = v * scale * (weight[c] as number);
    });
  }
  return out;
}

export function layer_norm(
  x: Float32Array,
  weight: Float32Array,
  bias: Float32Array,
  y: Float32Array,
  d: NormDims,
): Float64Array {
  const out = Float64Array.from(y);
  for (let r = 0; r < d.rows; r++) {
    const row = x.subarray((d.x_row0 + r) * d.x_stride).subarray(0, d.cols);
    let sum = 0;
    for (const v of row) sum += v;
    const mean = sum / d.cols;
    let squares = 0;
    for (const v of row) squares += (v - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / d.cols + d.eps);
    row.forEach((v, c) => {
      out[(d.y_row0 + r) * d.y_stride + c] = (v - mean) * scale * (weight[c] as number) + (bias[c] as number);
    });
  }
  return out;
}
