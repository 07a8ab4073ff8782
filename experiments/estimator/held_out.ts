import { z } from 'zod';
import { count, finite, STAGES } from '../lab/schema.ts';
import { type Coefficients, fit_estimator, folds_of, type Phase, type Prediction, predict } from './estimator.ts';
import type { Example } from './example.ts';
import { type Interval, interval_for, LEVEL } from './interval.ts';
import type { Roof } from './work.ts';

/** Samples as somebody else's request: predicted, with intervals, by an estimator that has not seen them. */
export interface HeldOut {
  readonly sample: Example;
  readonly guess: Prediction;
  readonly intervals: Readonly<Partial<Record<Phase, Interval>>>;
}

const ALL: readonly Phase[] = [...STAGES, 'total'];

export function held_out(samples: readonly Example[], roof: Roof, prior: Coefficients): HeldOut[] {
  const { fold_of, folds } = folds_of(samples.length);
  const found: HeldOut[] = [];
  for (let fold = 0; fold < folds && folds > 1; fold++) {
    const estimator = fit_estimator(
      samples.filter((_, i) => fold_of[i] !== fold),
      roof,
      prior,
    );
    for (const sample of samples.filter((_, i) => fold_of[i] === fold)) {
      const intervals = ALL.flatMap((phase) => {
        const interval = interval_for(estimator, sample, phase);
        return interval === null ? [] : [[phase, interval] as const];
      });
      const guess = predict(estimator.full, roof, sample);
      found.push({ sample, guess, intervals: Object.fromEntries(intervals) });
    }
  }
  return found;
}

const measured_of = ({ ms }: Example, phase: Phase): number | undefined =>
  phase === 'total' ? ms.total : ms.stages[phase];

export const coverage_schema = z.strictObject({
  phase: z.enum(['vision_encoder', 'projector', 'prefill', 'decode', 'total']),
  level: finite,
  n: count,
  inside: count,
  /** Of the interval, as a share of the prediction. */
  mean_width: finite,
});

/** How many measured times lie in the interval that was said beforehand. */
export function coverage_of(all: readonly HeldOut[]): z.infer<typeof coverage_schema>[] {
  return ALL.flatMap((phase) => {
    const some = all.flatMap(({ sample, guess, intervals }) => {
      const [measured, predicted, interval] = [measured_of(sample, phase), guess[phase], intervals[phase]];
      return measured === undefined || predicted === undefined || interval === undefined
        ? []
        : [{ measured, predicted, interval }];
    });
    if (some.length === 0) return [];
    const inside = some.filter(({ measured, interval: [low, high] }) => low <= measured && measured <= high).length;
    const widths = some.map(({ predicted, interval: [low, high] }) => (high - low) / predicted);
    return [
      { phase, level: LEVEL, n: some.length, inside, mean_width: widths.reduce((a, b) => a + b, 0) / some.length },
    ];
  });
}

/** Shares of what the slowest configuration takes that a request may take: with the same picture, as a user would compare. */
const FRACTIONS = [0.5, 0.7, 0.85, 1] as const;
/** What the study adds to a prediction before it believes that it keeps to a budget. */
export const MARGIN = 1.1;

/** The prediction with a margin of a tenth, as it is, or the upper end of its interval. */
const RULES = {
  'prediction x 1.1': ({ guess }: HeldOut) => MARGIN * guess.total,
  prediction: ({ guess }: HeldOut) => guess.total,
  'upper end': ({ intervals }: HeldOut) => intervals.total?.[1] ?? Number.POSITIVE_INFINITY,
} as const;
type Rule = keyof typeof RULES;
const RULE_NAMES = Object.keys(RULES) as [Rule, ...Rule[]];

export const guardrail_shape = {
  /** The slowest configuration of each picture. */
  references: z.array(z.strictObject({ image: z.string(), n: count, slowest_ms: finite })),
  rows: z.array(
    z.strictObject({
      fraction: finite,
      rule: z.enum(RULE_NAMES),
      n: count,
      kept: count,
      /** Kept, and longer than the budget; left out, and it would have kept to it. */
      false_accepts: count,
      false_rejects: count,
    }),
  ),
};
export type Guardrail = z.infer<z.ZodObject<typeof guardrail_shape>>;

/** Which configurations a guard keeps under each budget, and which of them wrongly. */
export function guardrail(all: readonly HeldOut[]): Guardrail {
  const image_of = ({ sample }: HeldOut) => String(sample.settings.image ?? 'all');
  const slowest = new Map<string, { n: number; slowest_ms: number }>();
  for (const one of all) {
    const { n, slowest_ms } = slowest.get(image_of(one)) ?? { n: 0, slowest_ms: 0 };
    slowest.set(image_of(one), { n: n + 1, slowest_ms: Math.max(slowest_ms, one.sample.ms.total) });
  }
  const rows = (all.length > 0 ? FRACTIONS : []).flatMap((fraction) =>
    RULE_NAMES.map((rule) => {
      const budget = (one: HeldOut) => fraction * (slowest.get(image_of(one))?.slowest_ms ?? 0);
      const keeps = (one: HeldOut) => RULES[rule](one) <= budget(one);
      const fits = (one: HeldOut) => one.sample.ms.total <= budget(one);
      const of = (test: (one: HeldOut) => boolean) => all.filter(test).length;
      return {
        ...{ fraction, rule, n: all.length, kept: of(keeps) },
        false_accepts: of((one) => keeps(one) && !fits(one)),
        false_rejects: of((one) => !keeps(one) && fits(one)),
      };
    }),
  );
  return { references: [...slowest].map(([image, found]) => ({ image, ...found })), rows };
}
