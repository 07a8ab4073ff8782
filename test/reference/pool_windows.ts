export interface TapDims {
  crops: number;
  emb: number;
  x_stride: number;
  w_stride: number;
  col0: number;
  pad_cols: number;
  grid_side: number;
  crop0: number;
}

/** `windows` is the buffer before, the result the buffer afterwards. */
export function tap_windows(
  x: Float32Array,
  masks: Float32Array,
  keep: Float32Array,
  pad_embed: Float32Array,
  windows: Float32Array,
  d: TapDims,
): Float64Array {
  const out = Float64Array.from(windows);
  const patches = d.grid_side * d.grid_side;
  for (let c = 0; c < d.crops; c++) {
    const crop = d.crop0 + c;
    let row = crop * patches;
    for (let cy = 0; cy < d.grid_side / 2; cy++) {
      for (let cx = 0; cx < d.grid_side / 2; cx++) {
        for (const [dy, dx] of [
          [0, 0],
          [0, 1],
          [1, 0],
          [1, 1],
        ] as const) {
          const patch = (2 * cy + dy) * d.grid_side + 2 * cx + dx;
          const mask = masks[crop * patches + patch] as number;
          for (let j = 0; j < d.emb; j++) {
            const feature = x[(c * (patches + 1) + 1 + patch) * d.x_stride + j] as number;
            let pad = 0;
            if (mask === 0) pad = pad_embed[d.col0 + j] as number;
            else if (mask < 1) pad = pad_embed[d.pad_cols + d.col0 + j] as number;
            out[row * d.w_stride + d.col0 + j] = (keep[crop] === 0 ? 0 : feature) + pad;
          }
          row++;
        }
      }
    }
  }
  return out;
}

export function window_mean(
  windows: Float32Array,
  mean: Float32Array,
  d: { cells: number; cols: number; w_stride: number; m_stride: number },
): Float64Array {
  const out = Float64Array.from(mean);
  for (let cell = 0; cell < d.cells; cell++) {
    for (let j = 0; j < d.cols; j++) {
      let sum = 0;
      for (let place = 0; place < 4; place++) sum += windows[(4 * cell + place) * d.w_stride + j] as number;
      out[cell * d.m_stride + j] = sum / 4;
    }
  }
  return out;
}
