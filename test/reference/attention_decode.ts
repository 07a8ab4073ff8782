import { attend } from './attention.ts';

/** Each row's query against keys 0 .. position of its slot, in double precision: [rows, heads * head_dim]. */
export function attention_decode(
  q: ArrayLike<number>,
  k_cache: ArrayLike<number>,
  v_cache: ArrayLike<number>,
  row_table: readonly (readonly [slot: number, position: number])[],
  s: { heads: number; head_dim: number; q_stride: number; kv_stride: number; capacity: number; scale: number },
): Float64Array {
  const width = s.heads * s.head_dim;
  const out = new Float64Array(row_table.length * width);
  row_table.forEach(([slot, position], row) => {
    for (let head = 0; head < s.heads; head++) {
      const cached = (x: ArrayLike<number>, key: number, d: number): number =>
        x[(slot * s.capacity + key) * s.kv_stride + head * s.head_dim + d] as number;
      const values = attend(
        s.head_dim,
        position + 1,
        s.scale,
        (d) => q[row * s.q_stride + head * s.head_dim + d] as number,
        (key, d) => cached(k_cache, key, d),
        (key, d) => cached(v_cache, key, d),
      );
      out.set(values, row * width + head * s.head_dim);
    }
  });
  return out;
}
