import { describe, expect, it } from 'vitest';
import { learning_curve, transfer_curve } from '../../experiments/estimator/curves.ts';
import { fit_estimator, prior_of } from '../../experiments/estimator/estimator.ts';
import { cross_validated, knob_groups, scores_of } from '../../experiments/estimator/evaluate.ts';
import { type Example, examples_of } from '../../experiments/estimator/example.ts';
import { type Method, methods_on } from '../../experiments/estimator/methods.ts';
import { TERMS } from '../../experiments/estimator/work.ts';
import type { Run } from '../../experiments/lab/schema.ts';
import {
  e3_configurations,
  e3_run,
  fresh_settings,
  LLVMPIPE,
  SWIFTSHADER,
  settings_of,
} from '../support/e3_records.ts';

const roof = e3_run().ceilings as NonNullable<Run['ceilings']>;
const samples_on = (truth: typeof LLVMPIPE, count: number, seed: number): Example[] =>
  examples_of(e3_configurations(settings_of(count, seed), truth, seed)).samples;

const [first] = samples_on(LLVMPIPE, 10, 1) as [Example];
const timed = (total: number, decode: number, steps: number): Example => ({
  ...first,
  steps,
  ms: { stages: { decode }, total },
});

describe('scores', () => {
  it('are what they are by hand: shares of the measured time, decode by the token', () => {
    const pairs = [
      { sample: timed(100, 40, 4), guess: { total: 110, decode: 40 } },
      { sample: timed(200, 60, 6), guess: { total: 180, decode: 90 } },
      { sample: timed(400, 80, 2), guess: { total: 400 } },
    ];
    const { total, decode_per_token, prefill } = scores_of(pairs);
    expect(total).toMatchObject({ n: 3, MAE_ms: 10, spearman: 1 });
    expect(total?.MAPE).toBeCloseTo(0.2 / 3, 12);
    expect(total?.P90).toBeCloseTo(0.1, 12);
    expect(decode_per_token).toMatchObject({ n: 2, MAE_ms: 2.5, MAPE: 0.25 });
    expect(prefill).toBeUndefined();
  });

  it('bear guesses that are no time at all', () => {
    const wild = [Number.NaN, Number.POSITIVE_INFINITY, -50, 1e300].map((total) => ({
      sample: timed(1, 1, 1),
      guess: { total },
    }));
    const { total } = scores_of(wild);
    expect(total?.n).toBe(2);
    expect(Number.isFinite(total?.MAPE)).toBe(true);
  });
});

describe('what is left out', () => {
  const samples = samples_on(LLVMPIPE, 24, 2);

  it('no method has seen', () => {
    const seen: [string[], string][] = [];
    const spy: Method = (train) => (sample) => {
      seen.push([train.map(({ key }) => key), sample.key]);
      return { total: 1 };
    };
    const groups = samples.map((_, i) => i % 5);
    const { spy: pairs } = cross_validated(samples, groups, { spy });
    expect(pairs.map(({ sample }) => sample.key).sort()).toEqual(samples.map(({ key }) => key).sort());
    for (const [train, test] of seen) expect(train).not.toContain(test);
  });

  it('may be all of a level of a knob, of knobs that have three', () => {
    const some = samples_on(LLVMPIPE, 80, 2);
    const groups = knob_groups(some);
    expect(groups.map(({ knob }) => knob).sort()).toEqual([
      'answer',
      'blocks',
      'image',
      'max_crops',
      'prompt',
      'top_k',
    ]);
    for (const { knob, levels } of groups) {
      expect(levels).toEqual(some.map(({ settings }) => String(settings[knob])));
    }
  });
});

describe('on an adapter that is made up', () => {
  const train = samples_on(LLVMPIPE, 60, 3);
  const fresh = examples_of(e3_configurations(fresh_settings(30), { ...LLVMPIPE, noise: 0 }, 5)).samples;
  const errors = Object.fromEntries(
    Object.entries(methods_on(roof)).map(([name, method]) => {
      const guess = method(train);
      return [name, scores_of(fresh.map((sample) => ({ sample, guess: guess(sample) })))];
    }),
  );

  it('the estimator is within 3 % of levels that it has not seen, in every phase', () => {
    for (const score of Object.values(errors.estimator ?? {})) expect(score.MAPE).toBeLessThan(0.03);
  });

  it('and nearer than a roofline, lines, polynomials and the network of the study, which are no straw men', () => {
    const total = (name: string) => errors[name]?.total?.MAPE as number;
    for (const name of ['roofline', 'linear', 'polynomial', 'network', 'network_total']) {
      expect(total(name), name).toBeGreaterThan(2 * total('estimator'));
    }
    expect(total('network')).toBeLessThan(0.25);
    expect(total('roofline')).toBeLessThan(0.15);
    expect(total('polynomial')).toBeLessThan(0.5);
    // It is not told how long an answer is.
    expect(total('network_total')).toBeGreaterThan(total('network'));
  });
});

describe('how few samples are enough', () => {
  it('more are better, and ten that say most are better than ten by chance', () => {
    const { curves, not_tested } = learning_curve(samples_on(LLVMPIPE, 36, 4), roof, {});
    const total = (N: number, method: string, choice = 'D-optimal') =>
      curves.find((one) => one.N === N && one.method === method && one.choice === choice)?.scores.total?.MAPE as number;
    expect(total(10, 'estimator')).toBeLessThan(0.05);
    expect(total(25, 'network')).toBeLessThan(total(10, 'network'));
    expect(total(10, 'estimator')).toBeLessThan(1.2 * total(10, 'estimator', 'random'));
    expect(not_tested.map(({ N }) => N)).toEqual([50, 100]);
    expect(not_tested[0]?.because).toMatch(/58 samples, here are 36/);
  });
});

describe('another adapter', () => {
  const theirs = samples_on(LLVMPIPE, 40, 5);
  const prior = prior_of([fit_estimator(theirs, roof).full.stages]);
  const { curves, not_tested } = transfer_curve(samples_on(SWIFTSHADER, 24, 6), roof, { samples: theirs, prior });
  const total = (N: number, method: string) =>
    curves.find((one) => one.N === N && one.method === method)?.scores.total?.MAPE as number;

  it('whose kernels have other proportions is known after ten samples, not after none', () => {
    expect(total(0, 'estimator')).toBeGreaterThan(0.5);
    expect(total(10, 'estimator')).toBeLessThan(0.07);
    for (const name of ['network A', 'network B', 'network C']) {
      expect(total(10, name), name).toBeGreaterThan(total(10, 'estimator'));
    }
    expect(not_tested.map(({ N }) => N)).toEqual([25, 50, 100]);
  });

  it('of the same proportions, but slower, is known under its own ceilings before it is measured', () => {
    const slow = { ...roof, fma_f32_flops: roof.fma_f32_flops / 5, stream_read_bytes: roof.stream_read_bytes / 5 };
    const samples = samples_on(LLVMPIPE, 20, 7).map((sample) => {
      const { stages, total: ms } = sample.ms;
      const times = Object.fromEntries(Object.entries(stages).map(([stage, one]) => [stage, 5 * one]));
      return { ...sample, ms: { stages: times, total: 5 * ms } };
    });
    const there = transfer_curve(
      samples,
      { ...slow, dispatch_ms: 5 * roof.dispatch_ms, readback_ms: 5 * roof.readback_ms },
      { samples: theirs, prior },
    );
    const none = there.curves.find(({ N, method }) => N === 0 && method === 'estimator')?.scores.total?.MAPE;
    expect(none).toBeLessThan(0.05);
  });

  it('several of them make one prior: the mean of their proportions at the mean of their speeds', () => {
    const row = (factor: number) => TERMS.map((_, j) => factor * (1 + j));
    const mean = prior_of([{ prefill: row(1) }, { prefill: row(100) }]).prefill as number[];
    row(10).forEach((value, j) => {
      expect(mean[j]).toBeCloseTo(value, 8);
    });
    expect(prior_of([])).toEqual({});
  });
});
