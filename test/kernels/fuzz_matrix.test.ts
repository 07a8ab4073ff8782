import { describe, it } from 'vitest';
import { type FuzzOp, fuzz_tests } from '../support/fuzz.ts';
import { ATTENTION_OPS } from '../support/fuzz_attention.ts';
import { MOE_OPS } from '../support/fuzz_moe.ts';
import { PRODUCT_OPS } from '../support/fuzz_products.ts';
import { test_executor } from '../support/gpu.ts';
import { emulated, emulating_executor, MATRIX_KERNELS, on_units } from '../support/matrix.ts';

const ops = [...PRODUCT_OPS, ...MOE_OPS, ...ATTENTION_OPS].filter(({ name }) => name in MATRIX_KERNELS);

/** Scores and weights of attention are rounded to f16. */
const tolerance = ({ name }: FuzzOp) => (name === 'attention' ? 0.02 : undefined);

for (const [m, n, k, subgroup] of [
  [16, 16, 16, 32],
  [8, 16, 16, 16],
  [8, 8, 8, 8],
  [32, 8, 16, 64],
] as const) {
  fuzz_tests(
    `kernels for matrix units, emulated ${m}x${n}x${k} held by ${subgroup}`,
    ops.map((op) => on_units(op, emulated, tolerance(op))),
    (variant) => emulating_executor(variant, { m, n, k, subgroup }),
    24,
  );
}

const { device } = await test_executor();
if (device.traits.matrix === undefined) {
  describe("kernels on this adapter's own matrix units", () => {
    it.skip(`skipped: ${device.matrix_misfit}`, () => {});
  });
} else {
  fuzz_tests(
    "kernels on this adapter's own matrix units",
    ops.map((op) => on_units(op, (kernel) => kernel, tolerance(op))),
    (variant) => test_executor(variant),
    40,
  );
}
