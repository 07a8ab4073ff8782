import { golden_sets, golden_tests } from '../support/golden_sets.ts';
import { test_executor } from '../support/gpu.ts';

// Sets with the real widths need gigabytes: golden_real.test.ts.
const executor = await test_executor('tiled', { mode: 'release' });
for (const { set, cases, d_model } of golden_sets) {
  // Thirteen views take this family half a minute on a software adapter: once, in the set of odd sizes.
  const wanted = cases.filter((name) => set === 'odd' || name !== 'img13');
  if (d_model < 1024) golden_tests('tiled', set, wanted, async () => executor);
}
