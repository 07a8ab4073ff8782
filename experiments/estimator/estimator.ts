import { random_numbers, shuffled } from '../lab/random.ts';
import { STAGES, type StageName } from '../lab/schema.ts';
import { percentile } from '../lab/stats.ts';
import { type Example, passes_of } from './example.ts';
import { dot, fit_stage } from './fit.ts';
import { ASSUMED, type Roof, TERMS, terms_of, type Work } from './work.ts';

/** Coefficients of every stage's terms. */
export type Coefficients = Readonly<Partial<Record<StageName, readonly number[]>>>;

export interface Fitted {
  readonly stages: Coefficients;
  /** Between the stages and before them, of a whole request. */
  readonly rest_ms: number;
}

/** What was asked: enough to predict. */
export interface Asked {
  readonly work: Work;
  readonly steps: number;
}

export type Phase = StageName | 'total';
export type Prediction = Readonly<Partial<Record<StageName, number>>> & { readonly total: number };

/** How far off a prediction from other folds was, as the logarithm of a ratio; null where a sample had no such stage. */
interface LeftOut {
  readonly fold: number;
  readonly off: Readonly<Partial<Record<Phase, number>>>;
}

export interface Estimator {
  readonly roof: Roof;
  readonly full: Fitted;
  /** Each fitted without one fold of the samples. */
  readonly folds: readonly Fitted[];
  readonly left_out: readonly LeftOut[];
  /** How strongly each stage is drawn towards the prior. */
  readonly strength: Readonly<Partial<Record<StageName, number>>>;
}

const MOST_FOLDS = 10;
const SEED = 42;
/** No stage is predicted to take nothing. */
const LEAST_MS = 1e-6;

/** Every sample's fold, drawn; as many in one as in another. */
export function folds_of(count: number, most = MOST_FOLDS): { fold_of: number[]; folds: number } {
  const folds = Math.min(count, most);
  const order = shuffled(
    Array.from({ length: count }, (_, i) => i),
    random_numbers(SEED),
  );
  const fold_of = new Array<number>(count);
  order.forEach((sample, place) => {
    fold_of[sample] = place % folds;
  });
  return { fold_of, folds };
}

/** From samples of one adapter; stages that none of them ran keep the prior. */
export function fit_estimator(
  samples: readonly Example[],
  roof: Roof,
  prior: Coefficients = {},
  most_folds = MOST_FOLDS,
): Estimator {
  const { fold_of, folds } = folds_of(samples.length, most_folds);
  const rest_of = (some: readonly Example[]) => (some.length > 0 ? percentile(some.map(rest), 50) : 0);
  const stages: Partial<Record<StageName, number[]>> = {};
  const strength: Partial<Record<StageName, number>> = {};
  const by_fold = Array.from({ length: folds }, () => ({}) as Partial<Record<StageName, number[]>>);
  for (const stage of STAGES) {
    const of_stage = prior[stage] ?? ASSUMED;
    const ran = samples.flatMap((sample, i) => {
      const work = sample.work[stage];
      const ms = sample.ms.stages[stage];
      if (work === undefined || ms === undefined) return [];
      return [{ row: terms_of(work, passes_of(stage, sample), roof), ms, fold: fold_of[i] as number }];
    });
    const fit = fit_stage(
      ran.map(({ row }) => row),
      ran.map(({ ms }) => ms),
      ran.map(({ fold }) => fold),
      folds,
      of_stage,
    );
    stages[stage] = fit.coefficients;
    strength[stage] = fit.strength;
    by_fold.forEach((one, fold) => {
      one[stage] = fit.folds[fold] as number[];
    });
  }
  const fitted = by_fold.map((one, fold) => ({
    stages: one,
    rest_ms: rest_of(samples.filter((_, i) => fold_of[i] !== fold)),
  }));
  return {
    roof,
    full: { stages, rest_ms: rest_of(samples) },
    folds: fitted,
    left_out: samples.map((sample, i) => {
      const fold = fold_of[i] as number;
      return { fold, off: errors_of(predict(fitted[fold] as Fitted, roof, sample), sample) };
    }),
    strength,
  };
}

const rest = ({ ms: { total, stages } }: Example): number =>
  total - STAGES.reduce((sum, stage) => sum + (stages[stage] ?? 0), 0);

export function predict({ stages, rest_ms }: Fitted, roof: Roof, asked: Asked): Prediction {
  const times = STAGES.flatMap((stage): [StageName, number][] => {
    const work = asked.work[stage];
    if (work === undefined) return [];
    const coefficients = stages[stage] ?? ASSUMED;
    return [[stage, Math.max(LEAST_MS, dot(terms_of(work, passes_of(stage, asked), roof), coefficients))]];
  });
  const sum = times.reduce((total, [, ms]) => total + ms, 0);
  return { ...(Object.fromEntries(times) as Prediction), total: Math.max(LEAST_MS, sum + rest_ms) };
}

/** Logarithm of measured over predicted, of every phase that both have. */
export function errors_of(prediction: Prediction, { ms }: Pick<Example, 'ms'>): LeftOut['off'] {
  const phases: readonly Phase[] = [...STAGES, 'total'];
  return Object.fromEntries(
    phases.flatMap((phase) => {
      const measured = phase === 'total' ? ms.total : ms.stages[phase];
      const predicted = prediction[phase];
      return measured === undefined || predicted === undefined ? [] : [[phase, Math.log(measured / predicted)]];
    }),
  );
}

/** Coefficients of several adapters as one prior: the mean of their proportions, at the mean of their speeds. */
export function prior_of(others: readonly Coefficients[]): Coefficients {
  return Object.fromEntries(
    STAGES.flatMap((stage) => {
      const some =
        others.flatMap((one) => one[stage] ?? []).length > 0
          ? others.flatMap((one) => (one[stage] ? [one[stage]] : []))
          : [];
      if (some.length === 0) return [];
      const speeds = some.map((one) => speed_of(one));
      const mean_speed = Math.exp(speeds.reduce((sum, speed) => sum + Math.log(speed), 0) / some.length);
      const mean = TERMS.map(
        (_, j) =>
          (mean_speed * some.reduce((sum, one, i) => sum + (one[j] as number) / (speeds[i] as number), 0)) /
          some.length,
      );
      return [[stage, mean]];
    }),
  );
}

/** Geometric mean of those that are not zero. */
function speed_of(coefficients: readonly number[]): number {
  const some = coefficients.filter((value) => value > 0);
  return some.length === 0 ? 1 : Math.exp(some.reduce((sum, value) => sum + Math.log(value), 0) / some.length);
}
