interface VitEmbedDims {
  crops: number;
  patches_per_crop: number;
  emb: number;
  stride: number;
  pos_stride: number;
}

/** x is the buffer before, the result the buffer afterwards. */
export function vit_embed(
  patches: Float32Array,
  class_embedding: Float32Array,
  positions: Float32Array,
  x: Float32Array,
  d: VitEmbedDims,
): Float64Array {
  const out = Float64Array.from(x);
  for (let crop = 0; crop < d.crops; crop++) {
    for (let row = 0; row <= d.patches_per_crop; row++) {
      for (let c = 0; c < d.emb; c++) {
        const patch = patches[(crop * d.patches_per_crop + row - 1) * d.stride + c] as number;
        const value = row === 0 ? (class_embedding[c] as number) : patch;
        const to = (crop * (d.patches_per_crop + 1) + row) * d.stride + c;
        out[to] = value + (positions[row * d.pos_stride + c] as number);
      }
    }
  }
  return out;
}
