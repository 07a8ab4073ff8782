import { z } from 'zod';
import { count, finite, ms, plain } from './schema_values.ts';

/** What results say of a request that was to keep to a budget: what was promised, and what the stopwatch said. */

const share = finite.min(0).max(1);

export const try_schema = z.strictObject({
  /** Who chose the knobs: "several knobs", "crops only", or what else is tried. */
  policy: z.string(),
  /** Of the full model's time for this very request; null where none was set. */
  fraction: finite.positive().nullable(),
  budget_ms: ms.nullable(),
  knobs: z.record(z.string(), plain),
  /** Of the table that was chosen by. */
  quality: share,
  predicted_ms: ms,
  /** The most that was reckoned with. */
  limit_ms: ms,
  /** Whether that keeps to the budget; null where none was set. */
  fits: z.boolean().nullable(),
  /** Each time of choosing, and whether requests of these lengths were chosen for before the first of them. */
  choose_ms: z.array(ms),
  known_lengths: z.boolean().nullable(),
  /** Each run alone, in order. */
  runs_ms: z.array(ms).min(1),
  /** Of the first run. */
  answer: z.string(),
  score: finite.nullable(),
});
export type Try = z.infer<typeof try_schema>;

export const budget_schema = z.strictObject({
  /** What chose: "96 settings, 200 samples of shapes test, em, 2026-11-27", and the estimator of times. */
  table: z.string(),
  estimator: z.string(),
  /** Everything on. */
  full: try_schema,
  /** Median of measured over predicted of the runs before this request, and how many those were. */
  pace: finite.positive(),
  pace_runs: count,
  /** Of the upper end at that pace, what 98 of 100 earlier runs kept to; 1 where too few ran to say. */
  reach: finite.positive(),
  tries: z.array(try_schema),
});
export type BudgetRecord = z.infer<typeof budget_schema>;
