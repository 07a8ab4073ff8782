import { describe, expect, it } from 'vitest';
import { type Kernel, matrix_misfit, type Traits } from '../../kernels/spec.ts';
import { MATRIX_KERNELS } from '../support/matrix.ts';

/** Every size that is taken. */
const SIDES = [8, 16, 32];
const UNITS = [8, 16, 32, 64]
  .flatMap((subgroup) => SIDES.flatMap((m) => SIDES.flatMap((n) => SIDES.map((k) => ({ m, n, k, subgroup })))))
  .filter((units) => matrix_misfit(units) === undefined);
const VARIANTS = Object.values(MATRIX_KERNELS).flatMap((kernel) =>
  (kernel as Kernel).variants
    .filter((v) => v.matrix)
    .map((variant) => ({ title: `${kernel.name} ${variant.name}`, variant })),
);

/** What kernels/common/matrix_tile.wgsl divides by, and the bytes of its workgroup memory. */
function tile(consts: Record<string, number>) {
  const { TILE_ROWS = 0, TILE_COLS = 0, DOWN = 0, ACROSS = 0, MATRIX_M = 0, MATRIX_N = 0, MATRIX_K = 0 } = consts;
  const threads = DOWN * ACROSS * (consts.SUBGROUP ?? 0);
  return {
    threads,
    bytes: 8 * (TILE_ROWS * 10 + 32 * (TILE_COLS / 4 + 2)) + DOWN * ACROSS * MATRIX_M * MATRIX_N * 4,
    counts: [
      ...[(TILE_ROWS * 8) / threads, (4 * TILE_COLS) / threads, threads / (TILE_COLS / 8), threads / 8],
      ...[TILE_ROWS / DOWN / MATRIX_M, TILE_COLS / ACROSS / MATRIX_N, 32 / MATRIX_K],
    ],
  };
}

/** The same of kernels/attention/attention_matrix.wgsl. */
function attention_tile(consts: Record<string, number>, head_dim: number) {
  const { SHARERS = 0, SUBGROUPS = 0, SUBGROUP = 0, MATRIX_M = 0, MATRIX_N = 0, MATRIX_K = 0 } = consts;
  const rows = (SUBGROUPS * SUBGROUP) / SHARERS;
  return {
    threads: SUBGROUPS * SUBGROUP,
    bytes: 8 * (32 * (head_dim / 4 + 2) + rows * 10) + rows * 9 * 16,
    counts: [SUBGROUP / SHARERS / MATRIX_M, 32 / MATRIX_N, 32 / MATRIX_K, head_dim / MATRIX_K, 8 / SHARERS],
  };
}

describe('matrices that are taken', () => {
  it('are of many vendors', () => {
    const taken = UNITS.map(({ m, n, k, subgroup }) => `${m}x${n}x${k}/${subgroup}`);
    const vendors = ['16x16x16/32', '16x8x16/32', '8x16x16/16', '8x16x16/32', '16x16x16/64', '8x8x8/32', '8x8x8/8'];
    expect(taken).toEqual(expect.arrayContaining(vendors));
  });
  for (const { title, variant } of VARIANTS) {
    it(`divide the tiles of ${title}, in 256 invocations and the memory that it states`, () => {
      for (const matrix of UNITS) {
        const traits: Traits = { subgroup_size: 0, software: false, matrix };
        for (const HEAD_DIM of [64, 128]) {
          const consts = (variant.consts?.({ HEAD_DIM }, traits) ?? {}) as Record<string, number>;
          const { threads, bytes, counts } =
            consts.SHARERS === undefined ? tile(consts) : attention_tile(consts, HEAD_DIM);
          const units = `${matrix.m}x${matrix.n}x${matrix.k} held by ${matrix.subgroup}`;
          expect(threads, units).toBeLessThanOrEqual(256);
          expect(bytes, units).toBeLessThanOrEqual(variant.workgroup_bytes ?? 0);
          for (const count of counts) expect([units, count >= 1 && Number.isInteger(count)]).toEqual([units, true]);
        }
      }
    });
  }
});
