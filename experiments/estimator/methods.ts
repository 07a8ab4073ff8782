import { STAGES, type StageName } from '../lab/schema.ts';
import { percentile } from '../lab/stats.ts';
import { type Coefficients, fit_estimator, type Phase, predict } from './estimator.ts';
import { type Example, passes_of } from './example.ts';
import { dot } from './fit.ts';
import { least_squares } from './least_squares.ts';
import { type Network, run_network, train_network } from './network.ts';
import { type Roof, TERMS, terms_of } from './work.ts';

/** Ways to predict a time, all fitted on the same samples. */
export const METHODS = ['estimator', 'roofline', 'linear', 'polynomial', 'network', 'network_total'] as const;
export type MethodName = (typeof METHODS)[number];

/** What a method says of a request: of a stage that it knows nothing of, nothing. */
export type Guess = Readonly<Partial<Record<Phase, number>>>;
export type Method = (train: readonly Example[]) => (sample: Example) => Guess;

/** Enough to choose how strongly a prior draws; intervals want more. */
const FOLDS = 5;

export const with_estimator =
  (roof: Roof, prior?: Coefficients): Method =>
  (train) => {
    const { full } = fit_estimator(train, roof, prior, FOLDS);
    return (sample) => predict(full, roof, sample);
  };

/** Floors of the terms, the work of experts once; what is read back between two passes no roof knows. */
const FLOOR = TERMS.map((term) => (term === 'experts_met' || term === 'passes' ? 0 : 1));

/** The least time that the ceilings allow, times one number for all stages. */
const roofline =
  (roof: Roof): Method =>
  (train) => {
    const floors = (sample: Example) =>
      STAGES.flatMap((stage): [StageName, number][] => {
        const work = sample.work[stage];
        return work === undefined ? [] : [[stage, dot(terms_of(work, passes_of(stage, sample), roof), FLOOR)]];
      });
    const whole = (sample: Example) => floors(sample).reduce((sum, [, ms]) => sum + ms, 0);
    const scale = percentile(
      train.map((sample) => sample.ms.total / whole(sample)),
      50,
    );
    return (sample) => ({
      ...Object.fromEntries(floors(sample).map(([stage, ms]) => [stage, scale * ms])),
      total: scale * whole(sample),
    });
  };

const time_of = ({ ms }: Example, phase: Phase): number | undefined =>
  phase === 'total' ? ms.total : ms.stages[phase];

const runs = ({ work }: Example, phase: Phase): boolean => phase === 'total' || work[phase] !== undefined;

/** Each phase by itself, a line over these numbers, errors as shares of the time. */
const regression =
  (inputs: (sample: Example) => readonly number[], ridge?: number): Method =>
  (train) => {
    const lines = ([...STAGES, 'total'] as const).flatMap((phase) => {
      const ran = train.flatMap((sample) => {
        const ms = time_of(sample, phase);
        return ms === undefined ? [] : [inputs(sample).map((value) => value / ms)];
      });
      if (ran.length === 0) return [];
      return [
        [
          phase,
          least_squares(
            ran,
            ran.map(() => 1),
            ridge,
          ),
        ] as const,
      ];
    });
    return (sample) => {
      const row = inputs(sample);
      return Object.fromEntries(
        lines.flatMap(([phase, line]) => (runs(sample, phase) ? [[phase, dot(row, line)]] : [])),
      );
    };
  };

const linear = regression(({ vision_tokens, text_tokens, new_tokens }) => [1, vision_tokens, text_tokens, new_tokens]);

/** All products of two of the five numbers that the study turns. */
const polynomial = regression(({ vision_tokens, text_tokens, new_tokens, top_k, blocks }) => {
  const all = [1, vision_tokens / 1000, text_tokens / 1000, new_tokens / 100, top_k / 10, blocks / 10];
  return all.flatMap((a, i) => all.slice(i).map((b) => a * b));
}, 1e-4);

/** An answer of more tokens is a caption. */
const SHORT_ANSWER = 16;
const NETWORK = { rounds: 300, rate: 0.03, seed: 42 };
const TUNING = { rounds: 200, rate: 0.005, seed: 42 };

/** The study's five features: an answer's length is not among them, but for its kind. */
const features = ({ vision_tokens, text_tokens, top_k, blocks, new_tokens }: Example): number[] => [
  vision_tokens,
  text_tokens,
  top_k,
  blocks,
  new_tokens > SHORT_ANSWER ? 1 : 0,
];

const per_token = ({ steps, ms }: Example): number | undefined =>
  steps > 0 && ms.stages.decode !== undefined ? ms.stages.decode / steps : undefined;

/** The study's five outputs. Logarithms: errors are judged as shares. */
const outputs = (sample: Example): (number | null)[] => {
  const { vision_encoder, projector, prefill } = sample.ms.stages;
  return [vision_encoder, projector, prefill, per_token(sample), sample.ms.total].map((ms) =>
    ms === undefined ? null : Math.log(ms),
  );
};

export const study_network = (train: readonly Example[], from?: Network): Network =>
  train_network(train.map(features), train.map(outputs), from ? { ...TUNING, from } : NETWORK);

/** Its phases, and their sum with as many steps as are asked for: more than its own total knows. */
export function guess_of(network: Network, sample: Example): Guess & { readonly own_total: number } {
  const [encoder, projector, prefill, step, own_total] = run_network(network, features(sample)).map(Math.exp) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const { vision_encoder: has_picture, decode: has_steps } = sample.work;
  const vision = has_picture ? { vision_encoder: encoder, projector } : {};
  const decode = has_steps ? { decode: step * sample.steps } : {};
  const total = prefill + (has_picture ? encoder + projector : 0) + (decode.decode ?? 0);
  return { ...vision, prefill, ...decode, total, own_total };
}

/** All of them on one adapter. Both of the network's come from one training. */
export function methods_on(roof: Roof, prior?: Coefficients): Readonly<Record<MethodName, Method>> {
  let last: { readonly train: readonly Example[]; readonly network: Network } | undefined;
  const trained = (train: readonly Example[]): Network => {
    if (last?.train !== train) last = { train, network: study_network(train) };
    return last.network;
  };
  const network: Method = (train) => (sample) => {
    const { own_total: _, ...guess } = guess_of(trained(train), sample);
    return guess;
  };
  const network_total: Method = (train) => (sample) => ({ total: guess_of(trained(train), sample).own_total });
  return {
    estimator: with_estimator(roof, prior),
    roofline: roofline(roof),
    linear,
    polynomial,
    network,
    network_total,
  } satisfies Record<MethodName, Method>;
}
