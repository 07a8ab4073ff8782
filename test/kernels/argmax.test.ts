import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argmax, NO_TOKEN } from '../../kernels/argmax/argmax.ts';
import { round_up } from '../../kernels/spec.ts';
import { argmax as reference } from '../reference/argmax.ts';
import { download_u32, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const CANARY = 77;

for (const [variant, mode] of [
  ['tiled', 'validated'],
  ['lanes', 'validated'],
  ['tiled', 'release'],
  ['lanes', 'release'],
] as const) {
  describe(`argmax ${variant} ${mode}`, async () => {
    const e = await test_executor(variant, { mode });

    /** Pads hold what would win if they were read. */
    const run = async (rows: Float32Array[]): Promise<number[]> => {
      const cols = (rows[0] as Float32Array).length;
      const stride = round_up(cols, 8);
      const padded = new Float32Array(rows.length * stride).fill(Number.NaN);
      rows.forEach((row, r) => {
        padded.set(row, r * stride);
      });
      const tokens = upload(e, new Uint32Array(rows.length + 3).fill(CANARY));
      const logits = upload(e, padded);
      e.dispatch(argmax, { logits, tokens }, { rows: rows.length, cols, stride, token_row0: 1 }, {}, TAG);
      const got = [...(await download_u32(e, tokens, rows.length + 3))];
      expect([got[0], ...got.slice(-2)]).toEqual([CANARY, CANARY, CANARY]);
      e.buffers.destroy(logits, tokens);
      return got.slice(1, -2);
    };

    for (const cols of [1, 3, 20, 331, 1025, 50304]) {
      it(`${cols} columns`, async () => {
        const rows = [1, 2, 3].map((seed) => noise(cols, seed));
        (rows[1] as Float32Array)[cols - 1] = 2;
        expect(await run(rows)).toEqual(rows.map(reference));
      });
    }

    it('takes the first of equals wherever they lie', async () => {
      const rows = [
        [5, 6],
        [0, 330],
        [7, 8, 300],
        [64, 63, 62],
        [3, 259],
        [255, 256],
      ].map((places) => {
        const row = noise(331, 9);
        for (const place of places) row[place] = 4;
        return row;
      });
      expect(await run(rows)).toEqual([5, 0, 7, 62, 3, 255]);
      expect(await run([new Float32Array(331)])).toEqual([0]);
    });

    it('reports a NaN of either sign and payload anywhere', async () => {
      const bits = [0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff];
      const rows = bits.map((pattern, i) => {
        const row = noise(331, 4);
        row[1] = Number.POSITIVE_INFINITY;
        new Uint32Array(row.buffer)[[0, 330, 257, 8][i] as number] = pattern;
        return row;
      });
      expect(await run(rows)).toEqual(bits.map(() => NO_TOKEN));
    });

    it('agrees on any floats', async () => {
      const special = fc.constantFrom(0, -0, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1, 3.4028234e38);
      const value = fc.oneof({ arbitrary: special, weight: 2 }, { arbitrary: fc.float(), weight: 1 });
      await fc.assert(
        fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 40 }), async (values) => {
          const row = Float32Array.from(values);
          expect(await run([row])).toEqual([reference(row)]);
        }),
        { numRuns: 60 },
      );
    });
  });
}
