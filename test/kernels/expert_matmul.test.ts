import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { expert_matmul, expert_tile_rows } from '../../kernels/expert_matmul/expert_matmul.ts';
import { max_tiles, moe_sort, moe_tiles } from '../../kernels/moe_sort/moe_sort.ts';
import { FORMATS, round_up, type Variant, type WeightFormat } from '../../kernels/spec.ts';
import { expert_matmul as reference } from '../reference/expert_matmul.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';
import { expert_slices, random_choices, side_by_side } from '../support/routing.ts';
import { ALL_FORMATS, k_for, packed_words, stored } from '../support/weights.ts';

interface Case {
  readonly choices: Uint32Array;
  readonly top_k: number;
  readonly experts: number;
  readonly k: number;
  readonly cols: number;
  /** top_k: `a` holds tokens, 1: it holds slots. */
  readonly a_div: number;
  readonly slice: number;
  readonly format: WeightFormat;
}

/** One slice's experts in one buffer, with numbers behind them that would show if they were used. */
const pack_experts = (w: readonly Float32Array[], k: number, cols: number, format: WeightFormat): Uint32Array => {
  const parts = w.map((matrix) => packed_words(matrix, k, cols, format));
  const size = parts[0]?.length ?? 0;
  const out = new Uint32Array((parts.length + 1) * size).fill(0x44004400);
  parts.forEach((part, i) => {
    out.set(part, i * size);
  });
  return out;
};

async function check(e: Executor, variant: Variant['name'], c: Case) {
  const { choices, top_k, experts, cols, a_div, format } = c;
  const k = k_for(format, c.k);
  const slots = choices.length;
  const rows = slots / top_k;
  const [a_row0, a_stride, c_stride] = [1, round_up(k, 8) + 8, round_up(cols, 8) + 8];
  const a_rows = slots / a_div;
  const a = noise((a_row0 + a_rows) * a_stride, 1);
  const w = Array.from({ length: experts }, (_, x) => stored(noise(k * cols, 100 + x), k, cols, format));
  const before = noise((slots + 1) * c_stride, 3);
  const out = upload(e, before);
  const counts = upload(e, new Uint32Array(experts));
  const lists = upload(e, new Uint32Array(experts * rows).fill(0xffffffff));
  const tile_rows = expert_tile_rows({ name: variant });
  const most = max_tiles(slots, experts, tile_rows);
  const tiles = upload(e, new Uint32Array(2 * most));
  e.dispatch(
    moe_sort,
    { experts: upload(e, choices), counts, lists },
    { rows, k: top_k, experts, slot0: 0, pairs: slots },
    {},
    TAG,
  );
  e.dispatch(moe_tiles, { counts, tiles }, { experts, tile_rows, max_tiles: most }, {}, TAG);

  const x = Float32Array.from({ length: a_rows * k }, (_, i) => {
    return a[(a_row0 + Math.floor(i / k)) * a_stride + (i % k)] as number;
  });
  const product = reference(x, w, choices, { k, cols, a_div });
  const want = Float64Array.from(before);
  for (const { expert0, expert_count } of expert_slices(experts, c.slice)) {
    const words = pack_experts(w.slice(expert0, expert0 + expert_count), k, cols, format);
    e.dispatch(
      expert_matmul,
      { a: upload(e, a), weights: upload(e, words), tiles, counts, lists, c: out },
      {
        ...{ k, cols, a_stride, c_stride, expert0, expert_count, list_stride: rows, a_div, a_row0, max_tiles: most },
        ...{
          pairs_counted: expert0 === 0 ? slots : 0,
          a_rows_counted: expert0 === 0 ? a_rows : 0,
          most_pairs: slots,
          expert_count_total: experts,
          flop_k: k,
          flop_cols: cols,
        },
      },
      { WEIGHT_FORMAT: FORMATS[format] },
      TAG,
    );
    // After every slice: its slots are there, those of later slices are not touched yet.
    const got = await download_f32(e, out, before.length);
    choices.forEach((expert, slot) => {
      if (expert < expert0 || expert >= expert0 + expert_count) return;
      want.set(product.subarray(slot * cols, (slot + 1) * cols), slot * c_stride);
      for (let j = cols; j < round_up(cols, 8); j++) want[slot * c_stride + j] = 0; // padded weights are zeros
    });
    expect(largest_difference(got, want)).toBeLessThan(2e-5);
  }
}

for (const variant of ['tiled', 'tiled_16', 'tiled_32', 'tiled_64x128', 'lanes', 'lanes_8'] as const) {
  describe(`expert_matmul ${variant}`, async () => {
    const e = await test_executor(variant);
    const of = (rows: number, top_k: number, experts: number) => ({
      choices: random_choices(rows, top_k, experts, rows + top_k),
      top_k,
      experts,
      slice: experts,
    });
    for (const format of ALL_FORMATS) {
      it(`gate and up of tokens, ${format}`, () =>
        check(e, variant, { ...of(130, 3, 5), k: 36, cols: 48, a_div: 3, format }));
      it(`down of slots in slices, ${format}`, () =>
        check(e, variant, { ...of(17, 8, 8), slice: 3, k: 20, cols: 76, a_div: 1, format }));
    }
    const small = { k: 20, cols: 24, format: 'bf16' } as const;
    for (const rows of [1, 17, 130]) {
      for (const [experts, top_k] of [
        [5, 1],
        [8, 8],
        [64, 3],
        [64, 8],
      ] as const) {
        it(`${rows} rows, ${top_k} of ${experts}`, () =>
          check(e, variant, { ...of(rows, top_k, experts), slice: 25, a_div: top_k, ...small }));
      }
    }
    it('all rows on one expert of a later slice', () =>
      check(e, variant, { ...of(130, 1, 5), choices: new Uint32Array(130).fill(4), slice: 2, a_div: 1, ...small }));
    it('experts that nobody chose', () =>
      check(e, variant, {
        ...of(1, 1, 64),
        choices: random_choices(90, 2, 64, 3, [7, 8, 63]),
        top_k: 2,
        a_div: 2,
        ...small,
      }));
    it('more columns than a workgroup has', () =>
      check(e, variant, { ...of(33, 2, 3), slice: 2, k: 64, cols: 331, a_div: 2, format: 'bf16' }));
    const release = await test_executor(variant, { mode: 'release' });
    it('is right without bounds checks', () =>
      check(release, variant, { ...of(67, 3, 13), slice: 5, k: 36, cols: 92, a_div: 3, format: 'bf16' }));
  });
}

describe('expert_matmul layout and cost', () => {
  it('counts useful work without padding, once for all slices', () => {
    const p = {
      ...{ k: 20, cols: 48, a_stride: 24, c_stride: 48, expert0: 0, expert_count: 4, list_stride: 10, a_div: 2 },
      ...{
        a_row0: 0,
        max_tiles: 9,
        pairs_counted: 20,
        a_rows_counted: 10,
        most_pairs: 20,
        expert_count_total: 8,
        flop_k: 20,
        flop_cols: 40,
      },
    };
    expect(expert_matmul.flops(p, {}).useful).toBe(2 * 20 * 20 * 40);
    expect(expert_matmul.bytes(p, { WEIGHT_FORMAT: FORMATS.f16 })).toEqual({
      ...{ weights: 8 * 20 * 40 * 2, read: 4 * 10 * 20, written: 4 * 20 * 40, kv: 0 },
    });
    const later = { ...p, pairs_counted: 0, a_rows_counted: 0 };
    expect(expert_matmul.flops(later, {}).useful).toBe(0);
    expect(expert_matmul.bytes(later, { WEIGHT_FORMAT: FORMATS.f16 })).toEqual({
      ...{ weights: 0, read: 0, written: 0, kv: 0 },
    });
  });

  it('finds gate and up of an odd hidden size side by side', () => {
    const both = side_by_side(Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8), 2, 2);
    expect([both[0], both[1], both[8], both[9], both[16], both[24]]).toEqual([1, 2, 5, 6, 3, 7]);
  });
});
