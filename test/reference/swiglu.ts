import { silu } from './matmul.ts';

/** h is the buffer before, the result the buffer afterwards; columns are filled up to a multiple of 4. */
export function swiglu(
  gate_up: Float32Array,
  h: Float32Array,
  d: { rows: number; hidden: number; in_stride: number; out_stride: number; up_col0: number },
): Float64Array {
  const out = Float64Array.from(h);
  for (let r = 0; r < d.rows; r++) {
    for (let c = 0; c < Math.ceil(d.hidden / 4) * 4; c++) {
      const gate = gate_up[r * d.in_stride + c] as number;
      const up = gate_up[r * d.in_stride + d.up_col0 + c] as number;
      out[r * d.out_stride + c] = silu(gate) * up;
    }
  }
  return out;
}
