import type { DeviceOptions } from '../../engine/gpu/device.ts';
import { golden_sets, golden_tests } from '../support/golden_sets.ts';
import { test_executor } from '../support/gpu.ts';

/** What other machines lack, one at a time; the last holds one crop at a time. Slices of weights: slices.test.ts. */
const MACHINES: readonly [string, Partial<DeviceOptions>][] = [
  ["WebGPU's default limits", { limits: 'default' }],
  ['no subgroups', { without: ['subgroups'] }],
  ['no f16, timestamps or immediates', { without: ['shader-f16', 'timestamp-query', 'immediates'] }],
  ['1.5 MiB a binding', { max_binding_bytes: 1536 * 1024 }],
];
const SHORT = ['text17', 'img2', 'mixed', 'topk_4', 'skip_0_2'];

for (const [title, options] of MACHINES) {
  const executor = await test_executor('auto', options);
  for (const { set, cases } of golden_sets) {
    if (set === 'tiny' || set === 'odd') {
      golden_tests(
        title,
        set,
        cases.filter((name) => SHORT.includes(name)),
        async () => executor,
      );
    }
  }
}
