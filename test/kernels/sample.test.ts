import { describe, expect, it } from 'vitest';
import { NO_TOKEN } from '../../kernels/argmax/argmax.ts';
import { sample } from '../../kernels/sample/sample.ts';
import { round_up } from '../../kernels/spec.ts';
import { sample as reference, type SampleDims } from '../reference/sample.ts';
import { download_u32, noise, TAG, test_executor, upload } from '../support/gpu.ts';

const CANARY = 77;
const ROUNDING = 2e-5;

for (const [variant, mode] of [
  ['tiled', 'validated'],
  ['lanes', 'validated'],
  ['lanes', 'release'],
] as const) {
  describe(`sample ${variant} ${mode}`, async () => {
    const e = await test_executor(variant, { mode });

    /** One draw for each of the settings, all from row 1 of a buffer whose other rows and pads would spoil them. */
    const draw = async (logits: Float32Array, settings: readonly SampleDims[]): Promise<number[]> => {
      const cols = logits.length;
      const stride = round_up(cols, 8);
      const padded = new Float32Array(3 * stride).fill(Number.NaN);
      padded.set(logits, stride);
      const buffer = upload(e, padded);
      const count = settings.length + 2;
      const tokens = upload(e, new Uint32Array(count).fill(CANARY));
      settings.forEach((s, i) => {
        e.dispatch(sample, { logits: buffer, tokens }, { ...s, cols, stride, row: 1, token_at: i + 1 }, {}, TAG);
      });
      const got = [...(await download_u32(e, tokens, count))];
      expect([got[0], got[count - 1]]).toEqual([CANARY, CANARY]);
      e.buffers.destroy(buffer, tokens);
      return got.slice(1, -1);
    };

    const steps = (count: number, base: Omit<SampleDims, 'step'>): SampleDims[] =>
      Array.from({ length: count }, (_, step) => ({ ...base, step }));

    const agrees = async (logits: Float32Array, settings: readonly SampleDims[]) => {
      const got = await draw(logits, settings);
      let near = 0;
      const drawn = new Set<number>();
      settings.forEach((s, i) => {
        const want = reference(logits, s);
        drawn.add(got[i] as number);
        if (want.margin < ROUNDING) near++;
        else expect(got[i], JSON.stringify({ ...s, kept: want.kept.length })).toBe(want.token);
      });
      expect(near).toBeLessThanOrEqual(settings.length / 20);
      return drawn;
    };

    it('agrees with the reference for every setting', async () => {
      const logits = noise(331, 3).map((v) => 4 * v);
      const settings = [0.3, 1, 2.5].flatMap((temperature) =>
        [1, 0.9, 0.37, 0.01].flatMap((top_p) =>
          [0, 1, 7, 100, 331, 1000].flatMap((top_k) =>
            [0, 1].map((step) => ({ temperature, top_p, top_k, seed: 5, step })),
          ),
        ),
      );
      await agrees(logits, settings);
    });

    for (const cols of [1, 2, 5, 50304]) {
      it(`agrees at ${cols} columns`, async () => {
        const logits = noise(cols, 8).map((v) => 8 * v);
        const count = cols > 1000 ? 2 : 10;
        await agrees(logits, steps(count, { temperature: 1, top_p: 1, top_k: 0, seed: 1 }));
        await agrees(logits, steps(count, { temperature: 0.7, top_p: 0.6, top_k: 50, seed: 2 }));
      });
    }

    it('keeps the first of equals at the edge of top-k', async () => {
      const logits = noise(300, 4);
      const equals = [3, 64, 65, 130, 257, 299];
      for (const c of equals) logits[c] = 2;
      logits[200] = 2.5;
      for (const top_k of [2, 4, 7]) {
        const drawn = await agrees(logits, steps(80, { temperature: 1, top_p: 1, top_k, seed: 3 }));
        expect([...drawn].sort((a, b) => a - b)).toEqual([200, ...equals.slice(0, top_k - 1)].sort((a, b) => a - b));
      }
    });

    it('keeps the first of equals at the edge of the nucleus, within top-k too', async () => {
      const logits = new Float32Array(40); // all the same, -0 and 0 mixed
      for (let i = 0; i < 40; i += 3) logits[i] = -0;
      const base = { temperature: 1, seed: 6 };
      expect(Math.max(...(await agrees(logits, steps(120, { ...base, top_p: 0.26, top_k: 0 }))))).toBe(10);
      expect(Math.max(...(await agrees(logits, steps(120, { ...base, top_p: 0.49, top_k: 10 }))))).toBe(4);
    });

    it('never draws what cannot come, and takes hot and cold temperatures', async () => {
      const logits = noise(64, 7).map((v, i) => (i % 2 ? v : Number.NEGATIVE_INFINITY));
      const drawn = await agrees(logits, steps(40, { temperature: 1e4, top_p: 1, top_k: 60, seed: 9 }));
      expect([...drawn].every((c) => c % 2 === 1)).toBe(true);
      const cold = await agrees(logits, steps(5, { temperature: 1e-30, top_p: 0, top_k: 0, seed: 9 }));
      expect(cold.size).toBe(1);
    });

    it('writes NO_TOKEN where no answer is possible', async () => {
      const base = [{ temperature: 1, top_p: 0.5, top_k: 5, seed: 0, step: 0 }];
      const bad = (change: (x: Float32Array) => void) => {
        const x = noise(331, 5);
        change(x);
        return x;
      };
      for (const logits of [
        bad((x) => x.fill(Number.NEGATIVE_INFINITY)),
        bad((x) => x.fill(Number.NaN, 330)),
        bad((x) => x.fill(Number.POSITIVE_INFINITY, 9, 10)),
      ]) {
        expect(await draw(logits, base)).toEqual([NO_TOKEN]);
      }
    });

    it('draws with the right frequencies', async () => {
      const logits = noise(12, 11).map((v) => 2 * v);
      const settings = steps(2000, { temperature: 0.8, top_p: 0.97, top_k: 10, seed: 42 });
      const got = await draw(logits, settings);
      const { kept, shares } = reference(logits, settings[0] as SampleDims);
      const counts = kept.map((c) => got.filter((t) => t === c).length);
      expect(counts.reduce((a, b) => a + b)).toBe(2000);
      const chi_square = counts.reduce((sum, n, i) => {
        const expected = 2000 * (shares[i] as number);
        return sum + (n - expected) ** 2 / expected;
      }, 0);
      expect(chi_square).toBeLessThan(27.9); // 0.1 % for 9 degrees of freedom
      expect(await draw(logits, settings.slice(0, 50))).toEqual(got.slice(0, 50));
    });
  });
}
