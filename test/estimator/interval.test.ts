import { describe, expect, it } from 'vitest';
import { fit_estimator } from '../../experiments/estimator/estimator.ts';
import { examples_of } from '../../experiments/estimator/example.ts';
import { coverage_of, guardrail, held_out } from '../../experiments/estimator/held_out.ts';
import { conformal, interval_for } from '../../experiments/estimator/interval.ts';
import { random_numbers } from '../../experiments/lab/random.ts';
import type { Run } from '../../experiments/lab/schema.ts';
import { e3_configurations, e3_run, fresh_settings, LLVMPIPE, settings_of } from '../support/e3_records.ts';

const roof = e3_run().ceilings as NonNullable<Run['ceilings']>;

describe('ends that one more is to lie between', () => {
  it('are the second from either side of nineteen, the outermost of nine, none of eight', () => {
    const ends = (n: number) => Array.from({ length: n }, (_, i) => [i, 100 + i] as const);
    expect(conformal(ends(9), 0.9)).toEqual([0, 108]);
    expect(conformal(ends(19), 0.9)).toEqual([1, 117]);
    expect(conformal(ends(8), 0.9)).toBeNull();
    expect(conformal([], 0.9)).toBeNull();
    expect(conformal(ends(3), 0.5)).toEqual([1, 101]);
  });

  it('hold as often as they say, however values are spread', () => {
    const random = random_numbers(3);
    const value = () => random() ** 4 * (random() < 0.05 ? 50 : 1);
    for (const n of [9, 30]) {
      let inside = 0;
      for (let i = 0; i < 2000; i++) {
        const errors = Array.from({ length: n }, value);
        const [low, high] = conformal(
          errors.map((error) => [-error, error]),
          0.9,
        ) as [number, number];
        const next = value();
        inside += low <= next && next <= high ? 1 : 0;
      }
      expect(inside / 2000).toBeGreaterThan(0.88);
    }
  });
});

describe('intervals of requests', () => {
  it('hold nine of ten of an adapter that is made up, also of levels it has not seen', () => {
    let [inside, all] = [0, 0];
    for (const seed of [1, 2, 3]) {
      const { samples } = examples_of(e3_configurations(settings_of(40, seed), LLVMPIPE, seed));
      const estimator = fit_estimator(samples, roof);
      const fresh = examples_of(e3_configurations(fresh_settings(30), LLVMPIPE, 50 + seed)).samples;
      for (const sample of fresh) {
        const [low, high] = interval_for(estimator, sample, 'total') as [number, number];
        expect(low).toBeLessThan(high);
        inside += low <= sample.ms.total && sample.ms.total <= high ? 1 : 0;
        all += 1;
      }
    }
    expect(inside / all).toBeGreaterThan(0.83);
  });

  it('are wider where runs vary more', () => {
    const width = (noise: number) => {
      const { samples } = examples_of(e3_configurations(settings_of(30, 1), { ...LLVMPIPE, noise }));
      const [one] = samples as [(typeof samples)[number]];
      const [low, high] = interval_for(fit_estimator(samples, roof), one, 'total') as [number, number];
      return Math.log(high / low);
    };
    expect(width(0.15)).toBeGreaterThan(3 * width(0.02));
  });

  it('there are none on too few samples', () => {
    const { samples } = examples_of(e3_configurations(settings_of(8, 1), LLVMPIPE));
    expect(interval_for(fit_estimator(samples, roof), samples[0] as never, 'total')).toBeNull();
    expect(interval_for(fit_estimator([], roof), samples[0] as never, 'total')).toBeNull();
  });
});

describe('what was held out', () => {
  const { samples } = examples_of(e3_configurations(settings_of(40, 4), LLVMPIPE));
  const held = held_out(samples, roof, {});

  it('is every sample, once', () => {
    expect(held.map(({ sample }) => sample.key).sort()).toEqual(samples.map(({ key }) => key).sort());
    expect(held_out(samples.slice(0, 1), roof, {})).toEqual([]);
  });

  it('is covered as counted by hand', () => {
    const total = coverage_of(held).find(({ phase }) => phase === 'total');
    const inside = held.filter(({ sample: { ms }, intervals: { total: interval } }) => {
      return interval !== undefined && interval[0] <= ms.total && ms.total <= interval[1];
    });
    expect([total?.inside, total?.n]).toEqual([inside.length, 40]);
  });

  it('a guard keeps what it says keeps to the budget; the one with a margin keeps less', () => {
    const { rows, references } = guardrail(held);
    expect(references.reduce((sum, { n }) => sum + n, 0)).toBe(40);
    for (const fraction of [0.5, 0.7, 0.85, 1]) {
      const of = (rule: string) => rows.find((row) => row.fraction === fraction && row.rule === rule);
      const [plain, margin] = [of('prediction'), of('prediction x 1.1')];
      expect(margin?.kept).toBeLessThanOrEqual(plain?.kept ?? 0);
      expect(margin?.false_accepts).toBeLessThanOrEqual(plain?.false_accepts ?? 0);
      expect(margin?.false_rejects).toBeGreaterThanOrEqual(plain?.false_rejects ?? 0);
    }
    // Within the whole of what the slowest takes lies everything: who is left out is left out wrongly.
    for (const row of rows.filter(({ fraction }) => fraction === 1)) expect(row.kept + row.false_rejects).toBe(40);
    expect(guardrail([])).toEqual({ references: [], rows: [] });
  });
});
