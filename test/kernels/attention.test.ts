import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { attention } from '../../kernels/attention/attention.ts';
import { type AttentionShape, attention as reference } from '../reference/attention.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const CANARY = 12345;

interface Case {
  readonly groups?: number;
  readonly rows: number;
  readonly keys: number;
  readonly heads: number;
  readonly head_dim: number;
  /** Given for causal cases. */
  readonly first_position?: number;
  /** Half the range of the scores, about. */
  readonly logits?: number;
}

const FULL: Case[] = [
  { rows: 1, keys: 1, heads: 1, head_dim: 64 },
  { groups: 3, rows: 23, keys: 23, heads: 2, head_dim: 64 },
  { groups: 2, rows: 65, keys: 130, heads: 3, head_dim: 64 },
  { rows: 577, keys: 577, heads: 1, head_dim: 64 },
  { rows: 65, keys: 131, heads: 2, head_dim: 64, logits: 80 },
  { groups: 3, rows: 34, keys: 5, heads: 3, head_dim: 16 },
];

const CAUSAL: Case[] = [
  { rows: 1, keys: 0, heads: 2, head_dim: 128, first_position: 0 },
  { rows: 1, keys: 0, heads: 1, head_dim: 128, first_position: 41 },
  { rows: 130, keys: 0, heads: 2, head_dim: 128, first_position: 0 },
  { rows: 23, keys: 0, heads: 3, head_dim: 128, first_position: 65 },
  { rows: 65, keys: 0, heads: 2, head_dim: 128, first_position: 3, logits: 80 },
  { rows: 67, keys: 0, heads: 3, head_dim: 24, first_position: 5 },
];

/** q, k and v as three column ranges of one matrix with more columns and rows than are used. */
function fused(c: Case) {
  const width = c.heads * c.head_dim;
  const groups = c.groups ?? 1;
  const keys = c.first_position === undefined ? c.keys : c.first_position + c.rows;
  const stride = 3 * width + 8;
  const shape: AttentionShape = {
    groups,
    rows: c.rows,
    keys: c.keys,
    heads: c.heads,
    head_dim: c.head_dim,
    q_stride: stride,
    kv_stride: stride,
    q_col0: 4,
    k_col0: 4 + width,
    v_col0: 4 + 2 * width,
    q_row0: 2,
    k_row0: 1,
    scale: 1 / Math.sqrt(c.head_dim),
    first_position: c.first_position,
  };
  const data = noise(stride * (2 + Math.max(groups * c.rows, groups * keys)), 7);
  if (c.logits !== undefined) {
    // Scores of noise spread by about scale * sqrt(head_dim) / 3; their tails reach three times that.
    const gain = Math.sqrt(c.logits);
    for (let i = 0; i < data.length; i++) if (i % stride < 4 + 2 * width) data[i] = (data[i] as number) * gain;
  }
  return { data, shape };
}

async function run(e: Executor, c: Case) {
  const { data, shape } = fused(c);
  const { head_dim, ...numbers } = shape;
  const width = shape.heads * head_dim;
  const o_stride = width + 4;
  const o_rows = shape.q_row0 + shape.groups * shape.rows + 1;
  const qkv = upload(e, data);
  const o = upload(e, new Float32Array(o_rows * o_stride).fill(CANARY));
  const params = { ...numbers, o_stride, first_position: c.first_position ?? 0 };
  const options = { HEAD_DIM: head_dim, CAUSAL: c.first_position !== undefined };
  e.dispatch(attention, { q: qkv, k: qkv, v: qkv, o }, params, options, TAG);
  const all = await download_f32(e, o, o_rows * o_stride);
  const inside = (i: number) => {
    const row = Math.floor(i / o_stride) - shape.q_row0;
    return row >= 0 && row < shape.groups * shape.rows && i % o_stride < width;
  };
  return {
    got: all.filter((_, i) => inside(i)),
    touched: all.filter((x, i) => !inside(i) && x !== CANARY).length,
    want: reference(data, data, data, shape),
  };
}

for (const variant of ['tiled', 'lanes', 'simple'] as const) {
  describe(`attention ${variant}`, async () => {
    const e = await test_executor(variant);
    for (const c of [...FULL, ...CAUSAL]) {
      const kind = c.first_position === undefined ? `keys ${c.keys}` : `causal from ${c.first_position}`;
      const name = `${c.groups ?? 1} x ${c.rows} rows, ${kind}, ${c.heads} heads of ${c.head_dim}, logits ${c.logits ?? 1}`;
      it(name, async () => {
        const { got, touched, want } = await run(e, c);
        expect(largest_difference(got, want)).toBeLessThan(c.logits === undefined ? 2e-6 : 3e-5);
        expect(touched).toBe(0);
      });
    }

    it('a maximum that keeps rising from key to key', async () => {
      // Key i scores 3 i: the running maximum is raised again and again and the first weights vanish.
      const [rows, head_dim] = [150, 64];
      const q = new Float32Array(rows * head_dim).fill(1);
      const k = Float32Array.from({ length: rows * head_dim }, (_, i) => (3 * Math.floor(i / head_dim)) / head_dim);
      const v = noise(rows * head_dim, 3);
      const o = upload(e, new Float32Array(rows * head_dim));
      const strides = { q_stride: head_dim, kv_stride: head_dim };
      const origin = { q_col0: 0, k_col0: 0, v_col0: 0, q_row0: 0, k_row0: 0 };
      const shape = { groups: 1, rows, keys: rows, heads: 1, ...strides, ...origin, scale: 1 };
      e.dispatch(
        attention,
        { q: upload(e, q), k: upload(e, k), v: upload(e, v), o },
        { ...shape, o_stride: head_dim, first_position: 0 },
        { HEAD_DIM: head_dim, CAUSAL: false },
        TAG,
      );
      const got = await download_f32(e, o, rows * head_dim);
      expect(largest_difference(got, reference(q, k, v, { ...shape, head_dim }))).toBeLessThan(1e-5);
    });

    it('gives the same bits twice and under release toggles', async () => {
      const release = await test_executor(variant, { mode: 'release' });
      const first = await run(e, FULL[2] as Case);
      const second = await run(e, FULL[2] as Case);
      const fast = await run(release, FULL[2] as Case);
      expect(second.got).toEqual(first.got);
      expect(largest_difference(fast.got, fast.want)).toBeLessThan(2e-6);
      expect(fast.touched).toBe(0);
    });
  });
}

describe('attention cost', () => {
  const shape = {
    ...{ groups: 1, rows: 4, keys: 0, heads: 2, q_stride: 48, kv_stride: 48, o_stride: 48, q_col0: 0, k_col0: 0 },
    ...{ v_col0: 0, q_row0: 0, k_row0: 0, first_position: 3, scale: 1 },
  };

  it('counts the causal triangle', () => {
    const { useful } = attention.flops(shape, { HEAD_DIM: 24, CAUSAL: true });
    expect(useful).toBe(4 * 2 * 24 * (4 + 5 + 6 + 7));
  });

  it('counts the full square of every group', () => {
    const { useful } = attention.flops({ ...shape, groups: 3, keys: 9 }, { HEAD_DIM: 24, CAUSAL: false });
    expect(useful).toBe(4 * 3 * 2 * 24 * 4 * 9);
  });

  it('never executes less than is useful', () => {
    for (const variant of attention.variants) {
      for (const CAUSAL of [true, false]) {
        const options = { HEAD_DIM: 24, CAUSAL };
        const executed = variant.executed?.({ ...shape, keys: 7 }, options, { subgroup_size: 8, software: true });
        expect(executed).toBeGreaterThanOrEqual(attention.flops({ ...shape, keys: 7 }, options).useful);
      }
    }
  });
});
