import { freemem } from 'node:os';
import { describe, it } from 'vitest';
import { golden_sets, golden_tests } from '../support/golden_sets.ts';
import { test_executor } from '../support/gpu.ts';

// The real widths: 4.2 GB of f32 weights and seconds a case, so a few cases and the fast variant here. All of them:
// molmoe verify FOLDER --set real2
const CASES = ['text17', 'img2_pre', 'topk_4'];
const NEEDED_BYTES = 8e9;

const real = golden_sets.filter(({ d_model }) => d_model >= 1024);
const reason =
  real.length === 0
    ? 'the golden folder has no set of real width'
    : freemem() < NEEDED_BYTES
      ? 'less than 8 GB of memory is free'
      : '';

if (reason !== '') {
  describe('real widths', () => {
    it.skip(`skipped: ${reason}`, () => {});
  });
} else {
  for (const { set, cases } of real) {
    const wanted = cases.filter((name) => CASES.includes(name));
    golden_tests('lanes', set, wanted, () => test_executor('lanes', { mode: 'release' }));
  }
}
