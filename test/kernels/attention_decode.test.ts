import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import {
  attention_decode,
  attention_decode_combine,
  decode_partial_values,
  decode_splits,
} from '../../kernels/attention_decode/attention_decode.ts';
import { attention_decode as reference } from '../reference/attention_decode.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const CANARY = 12345;

interface Case {
  readonly head_dim: number;
  readonly heads: number;
  readonly capacity: number;
  /** (slot, position) a row. */
  readonly table: readonly (readonly [number, number])[];
  readonly splits: number;
  readonly split_keys: number;
  readonly logits?: number;
}

const ONE = { splits: 1, split_keys: 1000 };
const CASES: Case[] = [
  { head_dim: 128, heads: 2, capacity: 3, table: [[0, 0]], ...ONE },
  {
    head_dim: 128,
    heads: 3,
    capacity: 140,
    table: [
      [1, 130],
      [0, 64],
      [3, 0],
      [1, 6],
    ],
    ...ONE,
  },
  { head_dim: 128, heads: 1, capacity: 577, table: [[0, 576]], ...ONE },
  {
    head_dim: 128,
    heads: 2,
    capacity: 300,
    table: [
      [0, 299],
      [1, 23],
    ],
    ...ONE,
    logits: 80,
  },
  {
    head_dim: 24,
    heads: 3,
    capacity: 70,
    table: [
      [2, 64],
      [0, 22],
    ],
    ...ONE,
  },
  // The second row fills only the first split; the first row's last split has one key.
  {
    head_dim: 24,
    heads: 3,
    capacity: 70,
    table: [
      [2, 64],
      [0, 0],
    ],
    splits: 5,
    split_keys: 16,
  },
  {
    head_dim: 128,
    heads: 2,
    capacity: 577,
    table: [
      [0, 576],
      [1, 129],
    ],
    splits: 5,
    split_keys: 128,
    logits: 80,
  },
  { head_dim: 64, heads: 2, capacity: 40, table: [[1, 38]], splits: 2, split_keys: 23 },
  {
    head_dim: 16,
    heads: 5,
    capacity: 40,
    table: [
      [0, 7],
      [0, 38],
    ],
    splits: 3,
    split_keys: 13,
  },
];

async function run(e: Executor, c: Case) {
  const width = c.heads * c.head_dim;
  const strides = { q_stride: width + 8, kv_stride: width + 4, o_stride: width + 12 };
  const [rows, table_row0] = [c.table.length, 2];
  const slots = 1 + Math.max(...c.table.map(([slot]) => slot));
  const gain = Math.sqrt(c.logits ?? 1);
  const q = noise(rows * strides.q_stride, 1).map((x) => x * gain);
  const k_cache = noise(slots * c.capacity * strides.kv_stride, 2).map((x) => x * gain);
  const v_cache = noise(slots * c.capacity * strides.kv_stride, 3);
  const partial_size = c.splits === 1 ? 0 : decode_partial_values(rows, c.heads, c.splits, c.head_dim);
  const table = upload(e, new Uint32Array([9, 9, 9, 9, ...c.table.flat()]));
  const o = upload(e, new Float32Array((rows + 1) * strides.o_stride).fill(CANARY));
  const partial = c.splits === 1 ? undefined : upload(e, new Float32Array(partial_size + 8).fill(CANARY));
  const scale = 1 / Math.sqrt(c.head_dim);
  const { heads, capacity, splits, split_keys } = c;
  const keys = c.table.reduce((sum, [, position]) => sum + position + 1, 0);
  const options = { HEAD_DIM: c.head_dim };
  e.dispatch(
    attention_decode,
    { q: upload(e, q), k_cache: upload(e, k_cache), v_cache: upload(e, v_cache), row_table: table, o, partial },
    { rows, heads, ...strides, capacity, table_row0, row0: 0, splits, split_keys, scale, keys },
    options,
    TAG,
  );
  let spilled = 0;
  if (partial !== undefined) {
    e.dispatch(
      attention_decode_combine,
      { partial, o },
      { rows, heads, splits, o_stride: strides.o_stride },
      options,
      TAG,
    );
    const all = await download_f32(e, partial, partial_size + 8);
    spilled = all.subarray(partial_size).filter((x) => x !== CANARY).length;
  }
  const all = await download_f32(e, o, (rows + 1) * strides.o_stride);
  const inside = (i: number) => i < rows * strides.o_stride && i % strides.o_stride < width;
  return {
    got: all.filter((_, i) => inside(i)),
    touched: spilled + all.filter((x, i) => !inside(i) && x !== CANARY).length,
    want: reference(q, k_cache, v_cache, c.table, { heads, head_dim: c.head_dim, ...strides, capacity, scale }),
  };
}

for (const variant of ['tiled', 'lanes', 'lanes_touch'] as const) {
  describe(`attention_decode ${variant}`, async () => {
    const e = await test_executor(variant);
    for (const c of CASES) {
      const places = c.table.map(([slot, position]) => `${slot}:${position}`).join(' ');
      it(`${c.heads} heads of ${c.head_dim}, rows at ${places}, ${c.splits} splits, logits ${c.logits ?? 1}`, async () => {
        const { got, touched, want } = await run(e, c);
        expect(largest_difference(got, want)).toBeLessThan(c.logits === undefined ? 2e-6 : 3e-5);
        expect(touched).toBe(0);
      });
    }

    it('gives the same bits twice and under release toggles', async () => {
      const release = await test_executor(variant, { mode: 'release' });
      const c = CASES[6] as Case;
      const first = await run(e, c);
      const second = await run(e, c);
      const fast = await run(release, c);
      expect(second.got).toEqual(first.got);
      expect(largest_difference(fast.got, fast.want)).toBeLessThan(3e-5);
      expect(fast.touched).toBe(0);
    });
  });
}

describe('decode_splits', () => {
  const gpu = { subgroup_size: 32, software: false };
  const software = { subgroup_size: 8, software: true };

  it('covers every key, and no split starts behind the last one', () => {
    for (const traits of [gpu, software]) {
      for (const keys of [1, 2, 63, 64, 65, 127, 129, 577, 1300, 4096]) {
        for (const row_heads of [1, 2, 16, 64, 4096]) {
          const { splits, split_keys } = decode_splits(keys, row_heads, 1, traits);
          expect(splits * split_keys).toBeGreaterThanOrEqual(keys);
          expect((splits - 1) * split_keys).toBeLessThan(keys);
        }
      }
    }
  });

  it('splits long sequences on a GPU and leaves sixteen heads whole on a CPU', () => {
    expect(decode_splits(1300, 16, 1, gpu).splits).toBeGreaterThan(4);
    expect(decode_splits(1300, 16, 1, software).splits).toBe(1);
    expect(decode_splits(1300, 2, 1, software).splits).toBeGreaterThan(1);
  });
});

describe('attention_decode cost', () => {
  it('counts attended keys', () => {
    const strides = { q_stride: 48, kv_stride: 48, o_stride: 48 };
    const numbers = {
      rows: 2,
      heads: 2,
      ...strides,
      capacity: 9,
      table_row0: 0,
      row0: 0,
      splits: 1,
      split_keys: 9,
      scale: 1,
    };
    const options = { HEAD_DIM: 24 };
    expect(attention_decode.flops({ ...numbers, keys: 7 + 3 }, options).useful).toBe(4 * 24 * 2 * 10);
    expect(attention_decode.bytes({ ...numbers, keys: 7 + 3 }, options).kv).toBe(8 * 24 * 2 * 10);
  });
});
