import { z } from 'zod';
import { POLICIES, type Policy, SINGLE_KNOBS } from '../budget/policies.ts';
import { not_tested } from '../lab/findings.ts';
import { type Configuration, count, type Finding, finding_schema, finite } from '../lab/schema.ts';
import { type BudgetRecord, type Try, try_schema } from '../lab/schema_budget.ts';
import { percentile } from '../lab/stats.ts';
import { mean } from '../lab/typical.ts';
import { budgets_of, chosen_by } from './budget_cells.ts';
import { mean_score } from './metrics/bootstrap.ts';
import { compare_paired } from './metrics/paired.ts';
import { proportion } from './proportion.ts';
import { comparison_schema, record_of } from './quality.ts';

/** E4: budgets as shares of the full model's time, kept by several knobs or by one. */

const interval = z.tuple([finite, finite]).nullable();
const share_shape = { of: count, held: count, share: finite, low: finite, high: finite };

export const e4_row_schema = z.strictObject({
  fraction: finite,
  policy: z.enum(POLICIES),
  requests: count,
  /** Of the requests for which a setting was promised to keep to the budget. */
  promised: z.strictObject(share_shape),
  /** Of all: where nothing was promised the fastest setting ran. */
  all: z.strictObject(share_shape),
  /** By the table; then what these answers scored, and what they scored where one that was not promised, or is late, is worth nothing. */
  expected_quality: finite,
  quality: finite,
  in_time_quality: finite,
  in_time_ci95: interval,
  budget_ms: finite,
  predicted_ms: finite,
  measured_ms: finite,
  /** Of measured time over budget: the one of a hundred requests that took most is beyond the second. */
  median_use: finite,
  P95_use: finite,
});
export type E4Row = z.infer<typeof e4_row_schema>;

const contest_schema = z.strictObject({
  fraction: finite,
  /** The single knob whose answers in time were best. */
  against: z.enum(POLICIES),
  comparison: comparison_schema,
});

export const e4_files = {
  e4_budget_results: {
    chosen_by: z.string(),
    rows: z.array(e4_row_schema),
    contests: z.array(contest_schema),
    findings: z.array(finding_schema),
  },
  e4_requests: { full_ms: z.array(finite), tries: z.array(z.strictObject({ request: count, ...try_schema.shape })) },
};

interface Case {
  readonly id: string;
  readonly one: Try;
}

const held = ({ one }: Case): boolean => (one.runs_ms[0] as number) <= (one.budget_ms as number);
const in_time = (some: readonly Case[]) =>
  some.map((each) => ({
    id: each.id,
    picture: each.id,
    score: each.one.fits && held(each) ? (each.one.score ?? 0) : 0,
  }));

/** Of each request what this policy chose at this fraction. */
export const cases_of = (budgets: readonly BudgetRecord[], fraction: number, policy: Policy): Case[] =>
  budgets.flatMap(({ tries }, i) =>
    tries.filter((one) => one.fraction === fraction && one.policy === policy).map((one) => ({ id: String(i), one })),
  );

function shares(cases: readonly Case[]) {
  const { n: of, right, share, low, high } = proportion(cases.map(held));
  return { of, held: right, share, low, high };
}

export function e4_row(budgets: readonly BudgetRecord[], fraction: number, policy: Policy): E4Row[] {
  const cases = cases_of(budgets, fraction, policy);
  if (cases.length === 0) return [];
  const { value, ci95 } = mean_score(in_time(cases));
  const of = (value_of: (one: Try) => number) => mean(cases.map(({ one }) => value_of(one)));
  const use = cases.map(({ one }) => (one.runs_ms[0] as number) / (one.budget_ms as number));
  return [
    {
      ...{ fraction, policy, requests: cases.length },
      promised: shares(cases.filter(({ one }) => one.fits)),
      all: shares(cases),
      expected_quality: of(({ quality }) => quality),
      quality: of(({ score }) => score ?? 0),
      in_time_quality: value,
      in_time_ci95: ci95 && [...ci95],
      budget_ms: of(({ budget_ms }) => budget_ms ?? 0),
      predicted_ms: of(({ predicted_ms }) => predicted_ms),
      measured_ms: of(({ runs_ms }) => runs_ms[0] as number),
      median_use: percentile(use, 50),
      P95_use: percentile(use, 95),
    },
  ];
}

/** Several knobs against the single one whose answers in time were best, request by request. */
export function contest_at(budgets: readonly BudgetRecord[], fraction: number, rows: readonly E4Row[]) {
  const singles = rows.filter((row) => row.fraction === fraction && SINGLE_KNOBS.some((name) => name === row.policy));
  const best = singles.toSorted((a, b) => b.in_time_quality - a.in_time_quality)[0];
  const ours = cases_of(budgets, fraction, 'several knobs');
  if (best === undefined) return [];
  const theirs = cases_of(budgets, fraction, best.policy);
  // Where neither promised anything there is nothing to compare.
  if (![...ours, ...theirs].some(({ one }) => one.fits)) return [];
  const comparison = compare_paired(
    { name: best.policy, scored: in_time(theirs) },
    { name: 'several knobs', scored: in_time(ours) },
  );
  return [{ fraction, against: best.policy, comparison: record_of(comparison) }];
}

export function e4_body(configurations: readonly Configuration[]) {
  const budgets = budgets_of(configurations);
  const tries = configurations.flatMap(({ settings, budget }) =>
    (budget?.tries ?? []).map((one) => ({ request: Number(settings.request), ...one })),
  );
  const fractions = [...new Set(tries.map(({ fraction }) => fraction ?? 0))].sort((a, b) => a - b);
  const rows = fractions.flatMap((fraction) => POLICIES.flatMap((policy) => e4_row(budgets, fraction, policy)));
  const contests = fractions.flatMap((fraction) => contest_at(budgets, fraction, rows));
  return {
    e4_budget_results: { chosen_by: chosen_by(budgets), rows, contests, findings: findings_of(rows, contests) },
    e4_requests: { full_ms: budgets.map(({ full }) => percentile(full.runs_ms, 50)), tries },
  };
}

/** Of a hundred requests so many are to keep to their budget. */
export const KEPT = 0.95;
const LEAST_PROMISED = 20;

function findings_of(rows: readonly E4Row[], contests: z.infer<typeof contest_schema>[]): Finding[] {
  const ours = rows.filter(({ policy }) => policy === 'several knobs');
  const told = ours.filter(({ promised }) => promised.of >= LEAST_PROMISED);
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const kept = 'A budget that is promised is kept in at least 95 of 100 requests, at each fraction that has any';
  const better = 'Several knobs answer no worse in time than the best single one, at each fraction that has promises';
  const lost = contests.filter(({ comparison: { ci95 } }) => ci95 !== null && ci95[1] < 0);
  return [
    told.length === 0
      ? not_tested(
          kept,
          `${LEAST_PROMISED} promises at a fraction say something of their share, at most ${Math.max(0, ...ours.map(({ promised }) => promised.of))} are here`,
        )
      : {
          expectation: kept,
          outcome: told.every(({ promised }) => promised.share >= KEPT) ? 'confirmed' : 'refuted',
          because: ours
            .map(
              ({ fraction, promised, requests }) =>
                `${percent(fraction)}: ${promised.held} of ${promised.of} (${requests - promised.of} of ${requests} not promised)`,
            )
            .join('; '),
        },
    contests.length === 0
      ? not_tested(better, 'no request was promised its budget')
      : {
          expectation: better,
          outcome: lost.length === 0 ? 'confirmed' : 'refuted',
          because: contests
            .map(({ fraction, against, comparison: { text } }) => `${percent(fraction)} against ${against}: ${text}`)
            .join('; '),
        },
  ];
}
