export interface QkRopeDims {
  rows: number;
  heads: number;
  head_dim: number;
  qkv_stride: number;
  k_col0: number;
  v_col0: number;
  q_stride: number;
  kv_stride: number;
  capacity: number;
  table_row0: number;
  eps: number;
}

export interface QkRopeBuffers {
  qkv: Float32Array;
  q_weight: Float32Array;
  k_weight: Float32Array;
  rope: Float32Array;
  row_table: Uint32Array;
  q: Float32Array;
  k_cache: Float32Array;
  v_cache: Float32Array;
}

/** q, k_cache and v_cache are the buffers before; the results the buffers afterwards. */
export function qk_rope(b: QkRopeBuffers, d: QkRopeDims) {
  const q = Float64Array.from(b.q);
  const k_cache = Float64Array.from(b.k_cache);
  const v_cache = Float64Array.from(b.v_cache);
  const width = d.heads * d.head_dim;
  const half = d.head_dim / 2;

  const turned = (from: number, weight: Float32Array, position: number): Float64Array => {
    const x = Float64Array.from(b.qkv.subarray(from, from + width));
    const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / width + d.eps);
    const y = x.map((v, c) => v * scale * (weight[c] as number));
    return y.map((v, c) => {
      const j = c % d.head_dim;
      const cosine = b.rope[(position * half + (j % half)) * 2] as number;
      const sine = b.rope[(position * half + (j % half)) * 2 + 1] as number;
      return j < half ? v * cosine - (y[c + half] as number) * sine : v * cosine + (y[c - half] as number) * sine;
    });
  };

  for (let r = 0; r < d.rows; r++) {
    const slot = b.row_table[2 * (d.table_row0 + r)] as number;
    const position = b.row_table[2 * (d.table_row0 + r) + 1] as number;
    const from = r * d.qkv_stride;
    const to = (slot * d.capacity + position) * d.kv_stride;
    q.set(turned(from, b.q_weight, position), r * d.q_stride);
    k_cache.set(turned(from + d.k_col0, b.k_weight, position), to);
    v_cache.set(b.qkv.subarray(from + d.v_col0, from + d.v_col0 + width), to);
  }
  return { q, k_cache, v_cache };
}
