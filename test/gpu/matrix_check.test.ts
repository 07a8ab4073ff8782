import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { matrix_sizes } from '../../engine/gpu/device.ts';
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
  const { device } = await emulating_executor('matrix', { m: 16, n: 16, k: 16 });

  it('passes where they are right', async () => {
    expect(await matrix_check(device, on_units())).toBeUndefined();
  });
  for (const [fault, emulation] of Object.entries(FAULTY_UNITS)) {
    it(`sees ${fault}`, async () => {
      expect(await matrix_check(device, on_units(emulation))).toMatch(/^\w+ matrix\w*: value \d+ expected .*, found /);
    });
  }
  it('says in a line where there are none', async () => {
    const { device: plain } = await test_executor();
    expect(await matrix_check(plain)).toMatch(/^no matrix units: expected /);
    await expect(require_matrix_units(plain)).rejects.toThrow(InputError);
    await expect(open_executor({ variant: 'matrix' })).rejects.toThrow(
      /^variant: matrix units of [^\n]*: no matrix units[^\n]*$/,
    );
  });
});

describe("an adapter's matrices", () => {
  const features = new Set(['chromium-experimental-subgroup-matrix', 'shader-f16']);
  const config = (M: number, N: number, K: number, from = 'f16', to = 'f32') => {
    return { M, N, K, componentType: from, resultComponentType: to };
  };
  it('are the largest that sum f16 up in f32 and divide the tiles', () => {
    const info = {
      subgroupMatrixConfigs: [config(16, 8, 16), config(16, 16, 16), config(16, 16, 64), config(8, 8, 8)],
    };
    expect(matrix_sizes(info, features)).toEqual({ m: 16, n: 16, k: 16 });
    expect(matrix_sizes(info, new Set())).toBeUndefined();
    const others = [config(16, 16, 16, 'f16', 'f16'), config(16, 16, 16, 'u8', 'u32')];
    expect(matrix_sizes({ subgroupMatrixConfigs: others }, features)).toBeUndefined();
    expect(matrix_sizes({}, features)).toBeUndefined();
  });
});
