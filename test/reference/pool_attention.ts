interface PoolAttentionDims {
  cells: number;
  heads: number;
  head_dim: number;
  q_stride: number;
  kv_stride: number;
  v_col0: number;
  o_stride: number;
  scale: number;
}

/** o is the buffer before, the result the buffer afterwards. */
export function pool_attention(q: Float32Array, kv: Float32Array, o: Float32Array, d: PoolAttentionDims): Float64Array {
  const out = Float64Array.from(o);
  for (let cell = 0; cell < d.cells; cell++) {
    for (let head = 0; head < d.heads; head++) {
      const col0 = head * d.head_dim;
      const powers = [0, 1, 2, 3].map((place) => {
        let score = 0;
        for (let j = 0; j < d.head_dim; j++) {
          const key = kv[(4 * cell + place) * d.kv_stride + col0 + j] as number;
          score += (q[cell * d.q_stride + col0 + j] as number) * key;
        }
        return score * d.scale;
      });
      const peak = Math.max(...powers);
      const weights = powers.map((s) => Math.exp(s - peak));
      const total = weights.reduce((a, b) => a + b);
      for (let j = 0; j < d.head_dim; j++) {
        let sum = 0;
        weights.forEach((w, place) => {
          sum += (w / total) * (kv[(4 * cell + place) * d.kv_stride + d.v_col0 + col0 + j] as number);
        });
        out[cell * d.o_stride + col0 + j] = sum;
      }
    }
  }
  return out;
}
