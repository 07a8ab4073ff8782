import { fuzz_tests } from '../support/fuzz.ts';
import { ATTENTION_OPS } from '../support/fuzz_attention.ts';
import { MOE_OPS } from '../support/fuzz_moe.ts';
import { PRODUCT_OPS } from '../support/fuzz_products.ts';
import { emulating_executor, MATRIX_KERNELS, on_emulated_units } from '../support/matrix.ts';

const ops = [...PRODUCT_OPS, ...MOE_OPS, ...ATTENTION_OPS].filter(({ name }) => name in MATRIX_KERNELS);

for (const [m, n, k, subgroup] of [
  [16, 16, 16, 32],
  [8, 16, 16, 16],
  [8, 8, 8, 8],
  [32, 8, 16, 64],
] as const) {
  fuzz_tests(
    `kernels for matrix units, emulated ${m}x${n}x${k} held by ${subgroup}`,
    ops.map((op) => on_emulated_units(op, op.name === 'attention' ? 0.02 : undefined)),
    (variant) => emulating_executor(variant, { m, n, k, subgroup }),
    24,
  );
}
