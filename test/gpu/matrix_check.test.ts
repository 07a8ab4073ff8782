import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { matrix_units } from '../../engine/gpu/device.ts';
import { matrix_check, require_matrix_units } from '../../engine/gpu/matrix_check.ts';
import { open_executor } from '../../engine/node/load.ts';
import { test_executor } from '../support/gpu.ts';
import { emulated, emulating_executor, FAULTY_UNITS, MATRIX_KERNELS } from '../support/matrix.ts';

const on_units = (emulation?: string) => ({
  matmul: emulated(MATRIX_KERNELS.matmul, emulation),
  expert_matmul: emulated(MATRIX_KERNELS.expert_matmul, emulation),
  attention: emulated(MATRIX_KERNELS.attention, emulation),
});

describe('the check of matrix units', async () => {
  const { device } = await emulating_executor('matrix', { m: 16, n: 16, k: 16, subgroup: 32 });

  for (const matrix of [
    { m: 16, n: 16, k: 16, subgroup: 32 },
    { m: 8, n: 16, k: 16, subgroup: 16 },
    { m: 8, n: 8, k: 8, subgroup: 8 },
    { m: 16, n: 8, k: 8, subgroup: 64 },
  ]) {
    it(`passes where they are right: ${Object.values(matrix)}`, async () => {
      const { device: believing } = await emulating_executor('matrix', matrix);
      expect(await matrix_check(believing, on_units())).toBeUndefined();
    }, 600_000); // emulated units compile for minutes where other work is on the machine
  }
  for (const [fault, emulation] of Object.entries(FAULTY_UNITS)) {
    it(`sees ${fault}`, async () => {
      expect(await matrix_check(device, on_units(emulation))).toMatch(
        /^\w+ matrix\w*( \w+ \w+)+ with 16x16x16 held by 32: row \d+ column \d+ expected .*, found .* of \d+ values are off\)$/,
      );
    });
  }
  it('says in a line where there are none', async () => {
    const without = ['chromium-experimental-subgroup-matrix'] as const;
    const { device: plain } = await test_executor('auto', { without });
    expect(await matrix_check(plain)).toMatch(/^no matrix units: expected /);
    await expect(require_matrix_units(plain)).rejects.toThrow(InputError);
    await expect(open_executor({ variant: 'matrix', without })).rejects.toThrow(
      /^variant: matrix units of [^\n]*: no matrix units[^\n]*$/,
    );
  });
});

describe("an adapter's matrices", () => {
  const FEATURES = new Set(['subgroups', 'chromium-experimental-subgroup-matrix', 'shader-f16']);
  const CONTROLLED = new Set([...FEATURES, 'subgroup-size-control']);
  const config = (M: number, N: number, K: number, from = 'f16', to = 'f32') => {
    return { M, N, K, componentType: from, resultComponentType: to };
  };
  const info = (configs: object[], subgroupMinSize = 32, subgroupMaxSize = subgroupMinSize) => {
    return { subgroupMatrixConfigs: configs, subgroupMinSize, subgroupMaxSize };
  };
  it('are the largest that sum f16 up in f32 and that tiles take', () => {
    const several = [config(16, 8, 16), config(16, 16, 16), config(16, 16, 64), config(8, 8, 8)];
    expect(matrix_units(info(several), FEATURES)).toEqual({ m: 16, n: 16, k: 16, subgroup: 32 });
    expect(matrix_units(info([config(32, 32, 16), config(8, 16, 16)], 16), FEATURES)).toEqual({
      ...{ m: 8, n: 16, k: 16, subgroup: 16 },
    });
    expect(matrix_units(info([config(8, 8, 8)], 8), FEATURES)).toEqual({ m: 8, n: 8, k: 8, subgroup: 8 });
    expect(matrix_units(info([config(16, 16, 16)], 64), FEATURES)).toEqual({ m: 16, n: 16, k: 16, subgroup: 64 });
  });
  it('are held by subgroups of a size that pipelines ask for where there are several', () => {
    const asked = { m: 16, n: 16, k: 16, subgroup: 32, asked: true };
    expect(matrix_units(info([config(16, 16, 16)], 32, 64), CONTROLLED)).toEqual(asked);
    expect(matrix_units(info([config(8, 16, 16)], 8, 16), CONTROLLED)).toEqual({
      ...{ m: 8, n: 16, k: 16, subgroup: 16, asked: true },
    });
  });
  it.each([
    [
      'a feature lacks',
      info([config(8, 8, 8)]),
      new Set(['subgroups']),
      /^expected the feature shader-f16, found none$/,
    ],
    [
      'sizes vary',
      info([config(8, 8, 8)], 8, 32),
      FEATURES,
      /^expected subgroups of one size or .*, found 8 to 32 without it$/,
    ],
    [
      'sizes are all small',
      info([config(8, 8, 8)], 2, 4),
      CONTROLLED,
      /^expected subgroups of 32,64,16,8, found 2 to 4$/,
    ],
    ['subgroups are odd', info([config(8, 8, 8)], 128), FEATURES, /^expected subgroups of 8, .*held by 128$/],
    ['sides are odd', info([config(16, 24, 16)]), FEATURES, /^expected sides of 8, 16, 32, found 16x24x16 held by 32$/],
    ['rows are many', info([config(16, 8, 8)], 8), FEATURES, /^expected no more rows than a subgroup .* 16x8x8 /],
    ['sums are halves', info([config(8, 8, 8, 'f16', 'f16')]), FEATURES, /found 8x8x8 f16 to f16$/],
    ['there are none', info([]), FEATURES, /^expected matrices of f16 .*, found none$/],
  ])('are refused in a line where %s', (_, adapter, features, line) => {
    expect(matrix_units(adapter, features)).toMatch(line);
  });
});
