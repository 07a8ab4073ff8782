interface EmbedDims {
  rows: number;
  d: number;
  x_stride: number;
  id_row0: number;
  x_row0: number;
}

/** table: [ids][d], all of it; x is the buffer before, the result the buffer afterwards, with zeros up to a multiple of 8. */
export function embed_tokens(ids: Uint32Array, table: Float32Array, x: Float32Array, p: EmbedDims): Float64Array {
  const out = Float64Array.from(x);
  const count = table.length / p.d;
  for (let r = 0; r < p.rows; r++) {
    const id = ids[p.id_row0 + r] as number;
    if (id >= count) continue;
    const to = (p.x_row0 + r) * p.x_stride;
    out.fill(0, to, to + Math.ceil(p.d / 8) * 8);
    for (let c = 0; c < p.d; c++) out[to + c] = table[id * p.d + c] as number;
  }
  return out;
}
