export interface AttentionShape {
  readonly groups: number;
  readonly rows: number;
  readonly keys: number;
  readonly heads: number;
  readonly head_dim: number;
  readonly q_stride: number;
  readonly kv_stride: number;
  readonly q_col0: number;
  readonly k_col0: number;
  readonly v_col0: number;
  readonly q_row0: number;
  readonly k_row0: number;
  readonly scale: number;
  /** Undefined where every query sees every key of its group. */
  readonly first_position?: number;
}

/** One query against keys 0 .. count-1: softmax(q x k^T * scale) x v, in double precision. */
export function attend(
  head_dim: number,
  count: number,
  scale: number,
  q: (d: number) => number,
  k: (key: number, d: number) => number,
  v: (key: number, d: number) => number,
): number[] {
  const scores = Array.from({ length: count }, (_, key) => {
    let sum = 0;
    for (let d = 0; d < head_dim; d++) sum += q(d) * k(key, d);
    return sum * scale;
  });
  const largest = Math.max(...scores);
  const weights = scores.map((s) => Math.exp(s - largest));
  const total = weights.reduce((a, b) => a + b, 0);
  return Array.from({ length: head_dim }, (_, d) => weights.reduce((a, w, key) => a + w * v(key, d), 0) / total);
}

/** Rows of all groups x (heads * head_dim) values, without the rows before q_row0. */
export function attention(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  s: AttentionShape,
): Float64Array {
  const width = s.heads * s.head_dim;
  const out = new Float64Array(s.groups * s.rows * width);
  for (let group = 0; group < s.groups; group++) {
    for (let row = 0; row < s.rows; row++) {
      const count = s.first_position === undefined ? s.keys : s.first_position + row + 1;
      const q_row = group * s.rows + row;
      for (let head = 0; head < s.heads; head++) {
        const column = head * s.head_dim;
        const of = (x: ArrayLike<number>, at_row: number, stride: number, at_column: number): number =>
          x[at_row * stride + at_column] as number;
        const kv_row = (key: number) => s.k_row0 + group * s.keys + key;
        const values = attend(
          s.head_dim,
          count,
          s.scale,
          (d) => of(q, s.q_row0 + q_row, s.q_stride, s.q_col0 + column + d),
          (key, d) => of(k, kv_row(key), s.kv_stride, s.k_col0 + column + d),
          (key, d) => of(v, kv_row(key), s.kv_stride, s.v_col0 + column + d),
        );
        out.set(values, q_row * width + column);
      }
    }
  }
  return out;
}
