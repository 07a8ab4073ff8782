import { describe, expect, it } from 'vitest';
import { choose_variant, tune_key } from '../../engine/gpu/pipelines.ts';
import { attention } from '../../kernels/attention/attention.ts';
import { expert_matmul, expert_tile_rows } from '../../kernels/expert_matmul/expert_matmul.ts';
import { matmul } from '../../kernels/matmul/matmul.ts';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { FORMATS, type Kernel, next_power } from '../../kernels/spec.ts';

const F16 = { WEIGHT_FORMAT: FORMATS.f16 };
const linear = (rows: number) => ({ rows, k: 1024, cols: 4096 });
const key = (kernel: unknown, p: Record<string, number>, options: Record<string, number | boolean>) =>
  tune_key(kernel as Kernel, p, options);

describe('shape classes', () => {
  it('name what decides', () => {
    expect(key(matmul, linear(577), F16)).toBe('matmul rows<=1024 k1024 n4096 f16');
    expect(key(matvec, linear(1), { WEIGHT_FORMAT: FORMATS.bf16 })).toBe('matvec rows<=1 k1024 n4096 bf16');
    expect(key(expert_matmul, { most_pairs: 9600, expert_count_total: 64 }, F16)).toBe(
      'expert_matmul pairs<=16384 experts64 f16',
    );
    const shape = { groups: 13, rows: 577, keys: 577, heads: 16, first_position: 100 };
    expect(key(attention, shape, { HEAD_DIM: 64, CAUSAL: false })).toBe(
      'attention rows<=1024 keys<=1024 groups<=16 heads16 d64 full',
    );
    expect(key(attention, { ...shape, groups: 1, keys: 0 }, { HEAD_DIM: 128, CAUSAL: true })).toBe(
      'attention rows<=1024 keys<=1024 groups<=1 heads16 d128 causal',
    );
  });
  it('hold all counts between two powers', () => {
    expect([1, 2, 4, 5, 16, 17].map((count) => next_power(count, 4))).toEqual([1, 4, 4, 16, 16, 64]);
  });
});

describe('variants for matrix units', () => {
  const units = {
    subgroup_size: 32,
    software: false,
    matrix: { m: 16, n: 16, k: 16, subgroup: 32 },
    workgroup_bytes: 49152,
  };
  const chosen = (traits: typeof units | Omit<typeof units, 'matrix'>, wanted: 'auto' | 'matrix', tuning = {}) =>
    choose_variant(matmul as Kernel, traits, wanted, linear(577), F16, tuning).name;
  it('run only where they are asked for and can run', () => {
    const { matrix: _, ...without } = units;
    const tuning = { [key(matmul, linear(600), F16)]: 'matrix_64' };
    expect(chosen(units, 'auto')).toBe('tiled');
    expect(chosen(units, 'matrix')).toBe('matrix');
    expect(chosen(units, 'auto', tuning)).toBe('matrix_64');
    expect([chosen(without, 'matrix'), chosen(without, 'auto', tuning)]).toEqual(['tiled', 'tiled']);
    expect(chosen({ ...units, workgroup_bytes: 16384 }, 'matrix')).toBe('matrix_64');
  });
  it('share their tiles of slots with the sort', () => {
    const rows = expert_matmul.variants.map((v) => [v.name, expert_tile_rows(v)]);
    expect(Object.fromEntries(rows)).toEqual({
      ...{ tiled: 64, tiled_16: 16, tiled_32: 32, tiled_64x128: 64, lanes: 32, lanes_8: 8 },
      ...{ matrix: 64, matrix_32: 32, matrix_64x128: 64 },
    });
  });
});
