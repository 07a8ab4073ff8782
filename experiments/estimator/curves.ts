import { z } from 'zod';
import { random_numbers, shuffled } from '../lab/random.ts';
import { count, STAGES } from '../lab/schema.ts';
import { type Candidate, d_optimal } from './design.ts';
import { type Coefficients, fit_estimator, predict } from './estimator.ts';
import { type Pair, scores_of, scores_schema } from './evaluate.ts';
import { type Example, passes_of } from './example.ts';
import { dot } from './fit.ts';
import { least_squares } from './least_squares.ts';
import { guess_of, type Method, methods_on, study_network, with_estimator } from './methods.ts';
import { ASSUMED, type Roof, terms_of } from './work.ts';

/** How errors fall with the samples that a fit has seen. */
export const COUNTS = [10, 25, 50, 100] as const;
/** Fewer left out say nothing. */
const LEAST_TEST = 8;
const MOST_TEST = 40;
const REPEATS = 3;

export const curve_schema = z.strictObject({
  N: count,
  method: z.string(),
  /** How the N were chosen. */
  choice: z.enum(['D-optimal', 'random', 'none']),
  /** Draws of what is left out; errors of all of them are counted together. */
  repeats: count,
  scores: scores_schema,
});
export type CurvePoint = z.infer<typeof curve_schema>;

export const untested_schema = z.strictObject({ N: count, because: z.string() });

/** Rows for the choice of samples: shares of each term in the time that is assumed beforehand. */
export const candidate_of =
  (roof: Roof, prior: Coefficients) =>
  (sample: Example): Candidate =>
    STAGES.map((stage) => {
      const work = sample.work[stage];
      if (work === undefined) return null;
      const terms = terms_of(work, passes_of(stage, sample), roof);
      const expected = terms.map((ms, j) => ms * ((prior[stage] ?? ASSUMED)[j] as number));
      const all = expected.reduce((sum, ms) => sum + ms, 0);
      return expected.map((ms) => ms / (all || 1));
    });

/** Draws of samples to predict, and of the rest those that a fit gets. */
function draws(samples: readonly Example[], N: number, roof: Roof, prior: Coefficients) {
  return Array.from({ length: REPEATS }, (_, seed) => {
    const order = shuffled(samples, random_numbers(seed + 1));
    const tests = Math.min(MOST_TEST, order.length - N);
    const [test, pool] = [order.slice(0, tests), order.slice(tests)];
    const best = d_optimal(pool.map(candidate_of(roof, prior)), N).map((i) => pool[i] as Example);
    return { test, best, random: pool.slice(0, N) };
  });
}

const too_few = (N: number, n: number): string | null =>
  n < N + LEAST_TEST ? `${N} to fit and ${LEAST_TEST} to predict are ${N + LEAST_TEST} samples, here are ${n}` : null;

/** On one adapter: every method on the same N, and ours also on N drawn by chance. */
export function learning_curve(samples: readonly Example[], roof: Roof, prior: Coefficients) {
  const curves: CurvePoint[] = [];
  const not_tested: z.infer<typeof untested_schema>[] = [];
  for (const N of COUNTS) {
    const because = too_few(N, samples.length);
    if (because !== null) {
      not_tested.push({ N, because });
      continue;
    }
    const all = draws(samples, N, roof, prior);
    const point = (method: string, choice: CurvePoint['choice'], pairs: Pair[]) =>
      curves.push({ N, method, choice, repeats: REPEATS, scores: scores_of(pairs) });
    const { network_total: _, ...methods } = methods_on(roof, prior);
    for (const [name, method] of Object.entries(methods)) {
      point(
        name,
        'D-optimal',
        all.flatMap(({ best, test }) => guesses(method(best), test)),
      );
    }
    const ours = with_estimator(roof, prior);
    point(
      'estimator',
      'random',
      all.flatMap(({ random, test }) => guesses(ours(random), test)),
    );
  }
  return { curves, not_tested };
}

const guesses = (guess: ReturnType<Method>, test: readonly Example[]): Pair[] =>
  test.map((sample) => ({ sample, guess: guess(sample) }));

/** What was learnt on other adapters, brought to this one with N of its own samples; 0: as it is, under this one's ceilings. */
export function transfer_curve(
  samples: readonly Example[],
  roof: Roof,
  others: { readonly samples: readonly Example[]; readonly prior: Coefficients },
) {
  const network = study_network(others.samples);
  const curves: CurvePoint[] = [];
  const not_tested: z.infer<typeof untested_schema>[] = [];
  for (const N of [0, ...COUNTS]) {
    const because = too_few(N, samples.length);
    if (because !== null) {
      not_tested.push({ N, because });
      continue;
    }
    const all = N === 0 ? [{ test: samples, best: [] }] : draws(samples, N, roof, others.prior);
    const methods: Readonly<Record<string, Method>> =
      N === 0
        ? { estimator: from_others(roof, others.prior), network: () => (sample) => guess_of(network, sample) }
        : {
            estimator: with_estimator(roof, others.prior),
            'estimator alone': with_estimator(roof, {}),
            'network A': (train) => affine_by_phase(network, train),
            'network B': (train) => affine_of_total(network, train),
            'network C': (train) => {
              const tuned = study_network(train, network);
              return (sample) => guess_of(tuned, sample);
            },
          };
    for (const [method, learn] of Object.entries(methods)) {
      const pairs = all.flatMap(({ best, test }) => guesses(learn(best), test));
      const choice = N === 0 ? 'none' : 'D-optimal';
      curves.push({ N, method, choice, repeats: all.length, scores: scores_of(pairs) });
    }
  }
  return { curves, not_tested };
}

const from_others =
  (roof: Roof, prior: Coefficients): Method =>
  () => {
    const { full } = fit_estimator([], roof, prior);
    return (sample) => predict(full, roof, sample);
  };

type Network = ReturnType<typeof study_network>;

/** A line from what the network says to what is measured, errors as shares. */
function line(points: readonly { readonly said: number; readonly ms: number }[]): (said: number) => number {
  if (points.length < 2) return (said) => said;
  const [slope = 1, start = 0] = least_squares(
    points.map(({ said, ms }) => [said / ms, 1 / ms]),
    points.map(() => 1),
  );
  return (said) => slope * said + start;
}

/** The study's A: a line for each phase. */
function affine_by_phase(network: Network, train: readonly Example[]): ReturnType<Method> {
  const lines = Object.fromEntries(
    STAGES.map((stage) => {
      const by = (sample: Example) => (stage === 'decode' ? sample.steps : 1);
      const points = train.flatMap((sample) => {
        const [said, ms] = [guess_of(network, sample)[stage], sample.ms.stages[stage]];
        return said === undefined || ms === undefined ? [] : [{ said: said / by(sample), ms: ms / by(sample) }];
      });
      return [stage, line(points)];
    }),
  );
  return (sample) => {
    const guess = guess_of(network, sample);
    const phases = STAGES.flatMap((stage) => {
      const said = guess[stage];
      const by = stage === 'decode' ? sample.steps : 1;
      return said === undefined ? [] : [[stage, by * (lines[stage]?.(said / by) ?? 0)] as const];
    });
    return {
      ...Object.fromEntries(phases),
      total: dot(
        phases.map(([, ms]) => ms),
        phases.map(() => 1),
      ),
    };
  };
}

/** The study's B: one line, of the total. */
function affine_of_total(network: Network, train: readonly Example[]): ReturnType<Method> {
  const total = line(train.map((sample) => ({ said: guess_of(network, sample).total ?? 0, ms: sample.ms.total })));
  return (sample) => ({ total: total(guess_of(network, sample).total ?? 0) });
}
