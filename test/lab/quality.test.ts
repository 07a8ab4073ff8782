import { describe, expect, it } from 'vitest';
import type { View } from '../../engine/model/context.ts';
import type { Engine } from '../../engine/molmoe.ts';
import { compare_quality, kl_divergence, record_reference } from '../../experiments/lab/quality.ts';

describe('the divergence of two rows of logits', () => {
  it('is sum p log(p / q), whatever constant is added to either', () => {
    const p = Float32Array.of(Math.log(0.5), Math.log(0.25), Math.log(0.25));
    const q = Float32Array.of(Math.log(0.25), Math.log(0.5), Math.log(0.25));
    const want = 0.5 * Math.log(2) + 0.25 * Math.log(0.5);
    expect(kl_divergence(p, q)).toBeCloseTo(want, 6);
    expect(
      kl_divergence(
        p.map((x) => x + 300),
        q.map((x) => x - 300),
      ),
    ).toBeCloseTo(want, 4);
    expect(kl_divergence(p, p)).toBe(0);
  });
});

/** An engine that shows the given rows, padded, at the points of the model. */
function fake(logits: readonly number[][], hidden: readonly number[][], experts: readonly number[][]): Engine {
  const padded = (rows: readonly number[][], integers = false) => {
    const stride = (rows[0]?.length ?? 0) + 3;
    const flat = rows.flatMap((row) => [...row, 9, 9, 9]);
    const words = integers ? Uint32Array.from(flat) : new Uint32Array(Float32Array.from(flat).buffer);
    return { rows: rows.length, cols: stride - 3, stride, buffer: words } as unknown as View;
  };
  return {
    executor: { read: async (words: Uint32Array) => words.slice().buffer },
    generate: ({ probe }: { probe: (point: string, layer: number, view: View) => Promise<void> }) => ({
      get result() {
        return (async () => {
          await probe('llm.embeds', 0, padded([[1]]));
          await probe('router.experts', 0, padded(experts, true));
          await probe('llm.hidden', 2, padded(hidden));
          for (const row of logits) await probe('logits', 0, padded([row]));
        })();
      },
    }),
  } as unknown as Engine;
}

describe('the comparison', () => {
  it('counts positions, likeliest tokens and experts, and errors relative to the reference', async () => {
    const requests = [{ prompt: 'a' }, { prompt: 'b' }];
    const reference = await record_reference(
      fake(
        [
          [0, 1],
          [5, 0],
        ],
        [[3, 4]],
        [
          [1, 2],
          [3, 4],
        ],
      ),
      requests,
    );
    const same = await compare_quality(
      fake(
        [
          [0, 1],
          [5, 0],
        ],
        [[3, 4]],
        [
          [1, 2],
          [3, 4],
        ],
      ),
      requests,
      reference,
    );
    expect(same).toMatchObject({ positions: 4, kl_mean: 0, kl_max: 0, top1_agreement: 1, expert_agreement: 1 });
    const other = await compare_quality(
      fake(
        [
          [0, 1],
          [0, 5],
        ],
        [[3, 4.5]],
        [
          [2, 1],
          [3, 7],
        ],
      ),
      requests,
      reference,
    );
    expect(other).toMatchObject({ positions: 4, top1_agreement: 0.5, expert_agreement: 0.75 });
    const [p, q] = [Float32Array.of(5, 0), Float32Array.of(0, 5)];
    expect(other.kl_max).toBeCloseTo(kl_divergence(p, q), 9);
    expect(other.kl_mean).toBeCloseTo(other.kl_max / 2, 9);
    expect(other.stages.map(({ name }) => name)).toEqual(['hidden states after block 2', 'logits']);
    expect(other.stages[0]?.relative_rms).toBeCloseTo(0.1, 9);
  });

  it('refuses a run that showed something else', async () => {
    const requests = [{ prompt: 'a' }];
    const reference = await record_reference(fake([[0, 1]], [[3, 4]], [[1]]), requests);
    await expect(compare_quality(fake([[0, 1, 2]], [[3, 4]], [[1]]), requests, reference)).rejects.toThrow(
      /logits: the reference has 2 values, this run 3/,
    );
  });
});
