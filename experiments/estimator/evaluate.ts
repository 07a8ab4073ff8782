import { z } from 'zod';
import { count, finite } from '../lab/schema.ts';
import { percentile, spearman } from '../lab/stats.ts';
import { mean } from '../lab/typical.ts';
import type { Example } from './example.ts';
import type { Guess, Method } from './methods.ts';

/** Predictions held against times that no fit has seen. */

/** As the study has them: decode by the token. */
export const PHASES = ['vision_encoder', 'projector', 'prefill', 'decode_per_token', 'total'] as const;
type EvaluatedPhase = (typeof PHASES)[number];

const score_schema = z.strictObject({
  n: count,
  /** Errors as shares of the measured time: mean, and percentiles. */
  MAPE: finite,
  P90: finite,
  P95: finite,
  MAE_ms: finite,
  /** Rank correlation; null where a side does not vary. */
  spearman: finite.nullable(),
});
export const scores_schema = z.partialRecord(z.enum(PHASES), score_schema);
export type Scores = z.infer<typeof scores_schema>;

export interface Pair {
  readonly sample: Example;
  readonly guess: Guess;
}

/** Measured and predicted of a phase; null where either lacks it. */
export function both_of(
  { sample, guess }: Pair,
  phase: EvaluatedPhase,
): { measured: number; predicted: number } | null {
  const name = phase === 'decode_per_token' ? 'decode' : phase;
  const measured = name === 'total' ? sample.ms.total : sample.ms.stages[name];
  const predicted = guess[name];
  if (measured === undefined || predicted === undefined || !Number.isFinite(predicted)) return null;
  const by = phase === 'decode_per_token' ? sample.steps : 1;
  return { measured: measured / by, predicted: predicted / by };
}

/** A guess may be any number: shares of a time that was missed a thousandfold say no more than that. */
const WORST = 1e3;

export function scores_of(pairs: readonly Pair[]): Scores {
  return Object.fromEntries(
    PHASES.flatMap((phase) => {
      const both = pairs.flatMap((pair) => both_of(pair, phase) ?? []);
      if (both.length === 0) return [];
      const measured = both.map((pair) => pair.measured);
      const predicted = both.map((pair, i) => Math.min(pair.predicted, WORST * (measured[i] as number)));
      const off = predicted.map((ms, i) => Math.abs(ms - (measured[i] as number)));
      const errors = off.map((ms, i) => ms / (measured[i] as number));
      const score: z.infer<typeof score_schema> = {
        n: both.length,
        MAPE: mean(errors),
        P90: percentile(errors, 90),
        P95: percentile(errors, 95),
        MAE_ms: mean(off),
        spearman: spearman(measured, predicted),
      };
      return [[phase, score]];
    }),
  );
}

/** Each sample predicted by every method, fitted on those that are in another group. */
export function cross_validated<M extends string>(
  samples: readonly Example[],
  group_of: readonly (string | number)[],
  methods: Readonly<Record<M, Method>>,
): Record<M, Pair[]> {
  const names = Object.keys(methods) as M[];
  const pairs = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<M, Pair[]>;
  for (const group of new Set(group_of)) {
    const test = samples.filter((_, i) => group_of[i] === group);
    const train = samples.filter((_, i) => group_of[i] !== group);
    if (train.length === 0) continue;
    for (const name of names) {
      const guess = methods[name](train);
      pairs[name].push(...test.map((sample) => ({ sample, guess: guess(sample) })));
    }
  }
  return pairs;
}

/** Axes of the plan that have at least three levels here, and of each sample its level. */
export function knob_groups(samples: readonly Example[]): { readonly knob: string; readonly levels: string[] }[] {
  const axes = [...new Set(samples.flatMap(({ settings }) => Object.keys(settings)))];
  return axes.flatMap((knob) => {
    const levels = samples.map(({ settings }) => String(settings[knob] ?? 'none'));
    return new Set(levels).size < 3 ? [] : [{ knob, levels }];
  });
}
