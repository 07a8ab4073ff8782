import { describe, expect, it } from 'vitest';
import type { Buffer } from '../../engine/gpu/buffers.ts';
import { qk_rope } from '../../kernels/qk_rope/qk_rope.ts';
import { qk_rope as reference } from '../reference/qk_rope.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const SHAPES = [
  // rows, heads, head_dim, slots, capacity
  [1, 3, 24, 1, 1],
  [7, 3, 24, 3, 5],
  [13, 1, 24, 2, 17],
  [1, 16, 128, 2, 3],
  [3, 16, 128, 1, 11],
] as const;

/** (cos, sin) of position * 10000^(-2j / head_dim). */
function rope_table(positions: number, head_dim: number): Float32Array {
  const half = head_dim / 2;
  return Float32Array.from({ length: positions * head_dim }, (_, i) => {
    const pair = i >> 1;
    const angle = Math.floor(pair / half) * 10000 ** ((-2 * (pair % half)) / head_dim);
    return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
}

for (const [variant, mode] of [
  ['tiled', 'validated'],
  ['lanes', 'validated'],
  ['lanes', 'release'],
] as const) {
  describe(`qk_rope ${variant} ${mode}`, async () => {
    const e = await test_executor(variant, { mode });
    for (const [rows, heads, head_dim, slots, capacity] of SHAPES) {
      it(`${rows} rows, ${heads}x${head_dim}, ${slots} slots of ${capacity}`, async () => {
        const width = heads * head_dim;
        const d = {
          rows,
          heads,
          qkv_stride: 3 * width + 24,
          k_col0: width + 8,
          v_col0: 2 * width + 16,
          q_stride: width + 8,
          kv_stride: width + 8,
          capacity,
          table_row0: 2,
          row0: 0,
          eps: 1e-5,
        };
        const cache = (slots * capacity + 1) * d.kv_stride;
        // Rows scattered over slots and positions, no place twice.
        const row_table = new Uint32Array(2 * (rows + 2)).fill(0xffffffff);
        for (let r = 0; r < rows; r++) {
          row_table.set([r % slots, capacity - 1 - Math.floor(r / slots)], 2 * (r + 2));
        }
        const b = {
          qkv: noise(rows * d.qkv_stride, 1).map((v) => 3 * v),
          q_weight: noise(width, 2).map((v) => 1 + v),
          k_weight: noise(width, 3).map((v) => 1 + v),
          rope: rope_table(capacity, head_dim),
          row_table,
          q: new Float32Array((rows + 1) * d.q_stride).fill(1000),
          k_cache: new Float32Array(cache).fill(1000),
          v_cache: new Float32Array(cache).fill(1000),
        };
        const bound = Object.fromEntries(Object.entries(b).map(([name, data]) => [name, upload(e, data, name)]));
        e.dispatch(qk_rope, bound, d, { HEAD_DIM: head_dim }, TAG);
        const want = reference(b, { ...d, head_dim });
        for (const name of ['q', 'k_cache', 'v_cache'] as const) {
          const got = await download_f32(e, bound[name] as Buffer, b[name].length);
          expect(largest_difference(got, want[name]), name).toBeLessThan(1e-5);
        }
      });
    }
  });
}
