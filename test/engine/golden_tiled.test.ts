import { golden_sets, golden_tests } from '../support/golden_sets.ts';
import { test_executor } from '../support/gpu.ts';

// Sets with the real widths need gigabytes: golden_real.test.ts.
const executor = await test_executor('tiled', { mode: 'release' });
for (const { set, cases, d_model } of golden_sets) {
  if (d_model < 1024) golden_tests('tiled', set, cases, async () => executor);
}
