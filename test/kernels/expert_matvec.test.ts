import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { expert_down, expert_gate_up } from '../../kernels/expert_matvec/expert_matvec.ts';
import { FORMATS, round_up, type WeightFormat } from '../../kernels/spec.ts';
import { expert_down as reference_down, expert_gate_up as reference_gate_up } from '../reference/expert_matvec.ts';
import { download_f32, largest_difference, noise, TAG, test_executor, upload } from '../support/gpu.ts';
import { expert_slices, random_choices, side_by_side } from '../support/routing.ts';
import { ALL_FORMATS, k_for, packed_words, stored } from '../support/weights.ts';

interface Case {
  readonly rows: number;
  readonly top_k: number;
  readonly experts: number;
  readonly d: number;
  readonly hidden: number;
  readonly slice: number;
  readonly format: WeightFormat;
}

const matrices = (c: Case, k: number, cols: number, seed: number) =>
  Array.from({ length: c.experts }, (_, x) => stored(noise(k * cols, seed + x), k, cols, c.format));

/** One slice's experts in one buffer, with numbers behind them that would show if they were used. */
const slice_words = (parts: Uint32Array[]) =>
  Uint32Array.from([...parts, new Uint32Array(parts[0]?.length ?? 0).fill(0x44004400)].flatMap((part) => [...part]));

async function check_gate_up(e: Executor, c: Case) {
  const { rows, top_k, experts, hidden, format } = c;
  const d = k_for(format, c.d);
  const padded = round_up(hidden, 8);
  const [a_row0, a_stride, h_stride] = [1, d + 4, padded + 8];
  const choices = random_choices(rows, top_k, experts, rows + experts);
  const [gate, up] = [matrices(c, d, hidden, 100), matrices(c, d, hidden, 300)];
  const a = noise((a_row0 + rows) * a_stride, 1).map((x) => x / 4);
  const before = noise((rows * top_k + 1) * h_stride, 2);
  const h = upload(e, before);
  const ids = upload(e, choices);
  const x = Float32Array.from({ length: rows * d }, (_, i) => {
    return a[(a_row0 + Math.floor(i / d)) * a_stride + (i % d)] as number;
  });
  const product = reference_gate_up(x, gate, up, choices, { k: d, hidden, top_k });
  const want = Float64Array.from(before);
  for (const { expert0, expert_count } of expert_slices(experts, c.slice)) {
    const words = slice_words(
      Array.from({ length: expert_count }, (_, i) => {
        const expert = expert0 + i;
        const both = side_by_side(gate[expert] as Float32Array, up[expert] as Float32Array, d, hidden);
        return packed_words(both, d, 2 * padded, format);
      }),
    );
    e.dispatch(
      expert_gate_up,
      { a: upload(e, a), weights: upload(e, words), experts: ids, h },
      {
        ...{ rows, top_k, k: d, hidden, a_stride, h_stride, expert0, expert_count, a_row0 },
        ...{ pairs_counted: 0, expert_count_total: experts },
      },
      { WEIGHT_FORMAT: FORMATS[format] },
      TAG,
    );
    // After every slice: slots of later slices are not touched yet.
    choices.forEach((expert, slot) => {
      if (expert < expert0 || expert >= expert0 + expert_count) return;
      want.set(product.subarray(slot * hidden, (slot + 1) * hidden), slot * h_stride);
      want.fill(0, slot * h_stride + hidden, slot * h_stride + padded); // padded weights are zeros
    });
    expect(largest_difference(await download_f32(e, h, before.length), want)).toBeLessThan(2e-5);
  }
}

async function check_down(e: Executor, c: Case) {
  const { rows, top_k, experts, d, format } = c;
  const hidden = k_for(format, c.hidden);
  const padded = round_up(d, 8);
  const [x_row0, h_stride, x_stride] = [1, round_up(hidden, 8) + 8, padded + 8];
  const choices = random_choices(rows, top_k, experts, rows + experts);
  const down = matrices(c, hidden, d, 500);
  const h = noise(rows * top_k * h_stride, 1);
  const route_weights = noise(rows * top_k, 2).map(Math.abs);
  const before = noise((x_row0 + rows + 1) * x_stride, 3);
  const x = upload(e, before);
  for (const { expert0, expert_count } of expert_slices(experts, c.slice)) {
    const part = down.slice(expert0, expert0 + expert_count);
    e.dispatch(
      expert_down,
      {
        h: upload(e, h),
        weights: upload(e, slice_words(part.map((matrix) => packed_words(matrix, hidden, d, format)))),
        experts: upload(e, choices),
        route_weights: upload(e, route_weights),
        x,
      },
      {
        ...{ rows, top_k, hidden, cols: d, h_stride, x_stride, expert0, expert_count, x_row0 },
        ...{ pairs_counted: 0, expert_count_total: experts },
      },
      { WEIGHT_FORMAT: FORMATS[format] },
      TAG,
    );
  }
  const tight = Float32Array.from({ length: rows * top_k * hidden }, (_, i) => {
    return h[Math.floor(i / hidden) * h_stride + (i % hidden)] as number;
  });
  const sum = reference_down(tight, down, choices, route_weights, { hidden, cols: d, top_k });
  const want = Float64Array.from(before);
  sum.forEach((y, i) => {
    const at = (x_row0 + Math.floor(i / d)) * x_stride + (i % d);
    want[at] = (want[at] as number) + y;
  });
  expect(largest_difference(await download_f32(e, x, before.length), want)).toBeLessThan(2e-5);
}

for (const variant of ['tiled', 'lanes', 'lanes_touch'] as const) {
  describe(`expert_matvec ${variant}`, async () => {
    const e = await test_executor(variant);
    for (const format of ALL_FORMATS) {
      for (const [rows, top_k, experts, d, hidden, slice] of [
        [1, 1, 5, 20, 20, 5],
        [1, 8, 8, 64, 32, 3],
        [1, 8, 64, 20, 20, 25],
        [3, 3, 5, 100, 20, 2],
        [2, 5, 5, 12, 148, 4],
      ] as const) {
        const c = { rows, top_k, experts, d, hidden, slice, format };
        const name = `${rows} rows, ${top_k} of ${experts}, ${d} -> ${hidden}, ${format}`;
        it(`gate and up: ${name}`, () => check_gate_up(e, c));
        it(`down: ${name}`, () => check_down(e, c));
      }
    }
    const release = await test_executor(variant, { mode: 'release' });
    it('is right without bounds checks', async () => {
      const c = { rows: 3, top_k: 3, experts: 7, d: 100, hidden: 148, slice: 5, format: 'bf16' } as const;
      await check_gate_up(release, c);
      await check_down(release, c);
    });
  });
}

describe('expert_matvec cost', () => {
  const rest = { a_stride: 24, h_stride: 24, x_stride: 32, expert0: 0, expert_count: 4, a_row0: 0, x_row0: 0 };
  const size = { rows: 1, top_k: 3, k: 28, hidden: 20, cols: 28, expert_count_total: 5, ...rest };
  const f16 = { WEIGHT_FORMAT: FORMATS.f16 };
  it('is exact for one row', () => {
    const p = { ...size, pairs_counted: 3 };
    expect(expert_gate_up.flops(p, f16).useful).toBe(2 * 3 * 28 * 40);
    expect(expert_down.flops(p, f16).useful).toBe(2 * 3 * 20 * 28);
    expect(expert_gate_up.bytes(p, f16)).toEqual({
      ...{ weights: 3 * 28 * 40 * 2, read: 4 * (28 + 3), written: 4 * 60, kv: 0 },
    });
    expect(expert_down.bytes(p, f16)).toEqual({
      ...{ weights: 3 * 20 * 28 * 2, read: 4 * (3 * 20 + 2 * 3 + 28), written: 4 * 28, kv: 0 },
    });
  });
  it('is counted on one slice only', () => {
    const p = { ...size, pairs_counted: 0 };
    for (const op of [expert_gate_up, expert_down]) {
      expect(op.flops(p, f16).useful).toBe(0);
      expect(op.bytes(p, f16)).toEqual({ weights: 0, read: 0, written: 0, kv: 0 });
    }
  });
});
