import { percentile } from '../lab/stats.ts';
import { add_row, type Normal, nnls_normal } from './least_squares.ts';

/**
 * Coefficients of a stage's terms: how many times longer each takes than the ceilings allow. What is made small is the error
 * as a share of the measured time, a request of a second counting as much as one of a minute.
 */

/** Of the prior beside the samples, where both say as much of a term: 1 is half and half. */
const STRENGTHS = [1e-3, 1e-2, 0.1, 1, 10] as const;
/** Samples that are off by more than so many usual errors count less, as Huber has it. */
const FAR = 1.5;
/** A usual error is not taken for less than this. */
const LEAST_ERROR = 0.002;
const ROUNDS = 4;
/** A deviation that half of all normal errors stay below, as a standard deviation. */
const NORMAL = 1.4826;

export type Rows = readonly (readonly number[])[];

export const dot = (a: readonly number[], b: readonly number[]): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};

const median = (values: readonly number[]): number => percentile(values, 50);

/** The prior's proportions at the speed of these samples: how slow all of it is they say best themselves. */
function scaled_prior(rows: Rows, times: readonly number[], prior: readonly number[]): number[] {
  const ratios = rows.flatMap((row, i) => {
    const expected = dot(row, prior);
    return expected > 0 ? [(times[i] as number) / expected] : [];
  });
  const scale = ratios.length > 0 ? median(ratios) : 1;
  return prior.map((value) => value * scale);
}

/** Not negative, drawn towards the prior this strongly; a term that no row has keeps the prior's. */
export function fit_terms(rows: Rows, times: readonly number[], prior: readonly number[], strength: number): number[] {
  const towards = scaled_prior(rows, times, prior);
  const there = prior.flatMap((_, j) => (rows.some((row) => row[j] !== 0) ? [j] : []));
  const relative = rows.map((row, i) => there.map((j) => (row[j] as number) / (times[i] as number)));
  const pulls = there.map((_, k) => strength * relative.reduce((sum, row) => sum + (row[k] as number) ** 2, 0));
  let weights = rows.map(() => 1);
  let found = there.map((j) => towards[j] as number);
  const wanted = found;
  for (let round = 0; round < ROUNDS && there.length > 0; round++) {
    const normal: Normal = {
      gram: there.map(() => new Float64Array(there.length)),
      right: new Float64Array(there.length),
    };
    for (let i = 0; i < relative.length; i++) add_row(normal, relative[i] as number[], 1, weights[i] as number);
    pulls.forEach((pull, k) => {
      const line = normal.gram[k] as Float64Array;
      line[k] = (line[k] as number) + pull;
      normal.right[k] = (normal.right[k] as number) + pull * (wanted[k] as number);
    });
    found = nnls_normal(normal);
    const errors = relative.map((row) => Math.abs(dot(row, found) - 1));
    const usual = Math.max(LEAST_ERROR, NORMAL * median(errors));
    const next = errors.map((error) => Math.min(1, (FAR * usual) / error));
    const settled = next.every((weight, i) => Math.abs(weight - (weights[i] as number)) < 0.01);
    weights = next;
    if (settled) break;
  }
  return towards.map((value, j) => (there.includes(j) ? (found[there.indexOf(j)] as number) : value));
}

interface StageFit {
  readonly coefficients: number[];
  /** Of the fit without each fold. */
  readonly folds: number[][];
  readonly strength: number;
}

/** As strongly drawn towards the prior as predicts left-out folds best; with too few samples to leave some out, half and half. */
export function fit_stage(
  rows: Rows,
  times: readonly number[],
  fold_of: readonly number[],
  folds: number,
  prior: readonly number[],
): StageFit {
  const without = (fold: number, strength: number) => {
    const kept = fold_of.flatMap((of, i) => (of === fold ? [] : [i]));
    const pick = <T>(all: readonly T[]) => kept.map((i) => all[i] as T);
    return fit_terms(pick(rows), pick(times), prior, strength);
  };
  const tried = (rows.length < 3 ? [1] : STRENGTHS).map((strength) => {
    const models = Array.from({ length: folds }, (_, fold) => without(fold, strength));
    const errors = rows.map((row, i) =>
      Math.abs(Math.log(Math.max(1e-9, dot(row, models[fold_of[i] as number] as number[])) / (times[i] as number))),
    );
    return { strength, models, error: errors.reduce((sum, error) => sum + error, 0) };
  });
  const best = tried.reduce((a, b) => (b.error <= a.error ? b : a));
  return {
    coefficients: fit_terms(rows, times, prior, best.strength),
    folds: best.models,
    strength: best.strength,
  };
}
