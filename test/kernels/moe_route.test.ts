import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { moe_route } from '../../kernels/moe_route/moe_route.ts';
import { round_up } from '../../kernels/spec.ts';
import { moe_route as reference } from '../reference/moe_route.ts';
import { download_f32, download_u32, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const CANARY = 0xabcdef01;

/** Routes rows row0 .. of `logits`; checks that nothing else was written. */
async function route(e: Executor, logits: Float32Array, experts: number, k: number, row0 = 0) {
  const stride = round_up(experts, 8);
  const rows = logits.length / experts - row0;
  const padded = new Float32Array((row0 + rows) * stride).fill(1e9); // a read of the padding would win
  for (let r = 0; r < row0 + rows; r++) padded.set(logits.subarray(r * experts, (r + 1) * experts), r * stride);
  const blank = new Uint32Array((row0 + rows) * k + 64).fill(CANARY);
  const ids = upload(e, blank);
  const weights = upload(e, blank);
  e.dispatch(
    moe_route,
    { logits: upload(e, padded), experts: ids, weights },
    { rows, experts, k, stride, row0 },
    {},
    TAG,
  );
  const got_ids = await download_u32(e, ids, blank.length);
  const got_weights = await download_f32(e, weights, blank.length);
  const weight_bits = new Uint32Array(got_weights.buffer);
  for (const got of [got_ids, weight_bits]) {
    expect([...got.subarray(0, row0 * k), ...got.subarray((row0 + rows) * k)].every((x) => x === CANARY)).toBe(true);
  }
  const slots = (r: number) => [(row0 + r) * k, (row0 + r + 1) * k] as const;
  return Array.from({ length: rows }, (_, r) => ({
    logits: logits.subarray((row0 + r) * experts, (row0 + r + 1) * experts),
    experts: [...got_ids.subarray(...slots(r))],
    weights: [...got_weights.subarray(...slots(r))],
  }));
}

function expect_right(row: Awaited<ReturnType<typeof route>>[number], k: number): void {
  const want = reference(row.logits, k);
  expect(row.experts).toEqual(want.experts);
  row.weights.forEach((w, j) => {
    expect(Math.abs(w - (want.weights[j] as number))).toBeLessThan(2e-6);
  });
}

for (const variant of ['tiled', 'lanes'] as const) {
  describe(`moe_route ${variant}`, async () => {
    const e = await test_executor(variant);
    for (const experts of [5, 8, 64, 256]) {
      for (const k of new Set([1, 3, Math.min(8, experts), experts])) {
        it(`${k} of ${experts}`, async () => {
          for (const rows of [1, 17, 130]) {
            const logits = noise((rows + 3) * experts, rows).map((x) => 4 * x);
            for (const row of await route(e, logits, experts, k, 3)) expect_right(row, k);
          }
        });
      }
    }

    it('gives ties to the lower id and -0 the place of 0', async () => {
      for (const row of await route(e, Float32Array.of(1, 1, 1, 1, 1, 0, -0, 2, -0, 2), 5, 5)) expect_right(row, 5);
    });

    it('survives logits far apart', async () => {
      const [row] = await route(e, Float32Array.of(-3e38, 3e38, 0, 1e4, -1e4), 5, 5);
      expect(row).toMatchObject({ experts: [1, 3, 2, 4, 0], weights: [1, 0, 0, 0, 0] });
    });

    it('always names k different experts, and hides no NaN', async () => {
      const hostile = fc.oneof(fc.float(), fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 1, 1));
      const rows_of = (experts: number) => fc.array(fc.array(hostile, { minLength: experts, maxLength: experts }));
      const input = fc
        .integer({ min: 1, max: 20 })
        .chain((experts) => fc.tuple(fc.constant(experts), fc.integer({ min: 1, max: experts }), rows_of(experts)))
        .filter(([, , rows]) => rows.length > 0);
      await fc.assert(
        fc.asyncProperty(input, async ([experts, k, rows]) => {
          for (const row of await route(e, Float32Array.from(rows.flat()), experts, k)) {
            expect(new Set(row.experts).size).toBe(k);
            expect(row.experts.every((x) => x < experts)).toBe(true);
            if (row.logits.every(Number.isFinite)) expect(row.experts).toEqual(reference(row.logits, k).experts);
            if (row.logits.some(Number.isNaN)) expect(row.weights.every(Number.isNaN)).toBe(true);
          }
        }),
        { numRuns: 40 },
      );
    });

    const release = await test_executor(variant, { mode: 'release' });
    it('is right without bounds checks', async () => {
      for (const row of await route(release, noise(17 * 13, 5), 13, 4, 2)) expect_right(row, 4);
    });
  });
}
