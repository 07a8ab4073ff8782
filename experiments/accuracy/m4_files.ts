import { z } from 'zod';
import { M4_FRACTIONS } from '../budget/policies.ts';
import { MARGIN } from '../estimator/held_out.ts';
import { not_tested } from '../lab/findings.ts';
import { type Configuration, count, type Finding, finding_schema, finite } from '../lab/schema.ts';
import { type BudgetRecord, type Try, try_schema } from '../lab/schema_budget.ts';
import { percentile } from '../lab/stats.ts';
import { budgets_of, chosen_by } from './budget_cells.ts';
import { proportion } from './proportion.ts';

/** M4: a guard says before a request runs whether a setting keeps to the budget. How often is it wrong, either way? */

/** What a guard holds against the budget. */
export const GUARDS = {
  'prediction x 1.1': ({ predicted_ms }: Try) => MARGIN * predicted_ms,
  prediction: ({ predicted_ms }: Try) => predicted_ms,
  'upper end': ({ limit_ms }: Try) => limit_ms,
} as const;
export const GUARD_NAMES = Object.keys(GUARDS) as [Guard, ...Guard[]];
export type Guard = keyof typeof GUARDS;

const share_schema = z.strictObject({ of: count, wrong: count, share: finite, low: finite, high: finite });

const row_schema = z.strictObject({
  fraction: finite,
  guard: z.enum(GUARD_NAMES),
  n: count,
  /** Of those let through, those that took longer than the budget. */
  false_accepts: share_schema,
  /** Of those kept back, those that would have kept to it. */
  false_rejects: share_schema,
});
export type GuardRow = z.infer<typeof row_schema>;

export const m4_files = {
  m4_guardrail_analysis: {
    chosen_by: z.string(),
    requests: count,
    rows: z.array(row_schema),
    /** Each setting that was drawn, with the full time of its request. */
    tries: z.array(z.strictObject({ request: count, full_ms: finite, ...try_schema.shape })),
    findings: z.array(finding_schema),
  },
};

interface Drawn {
  readonly full_ms: number;
  readonly one: Try;
}

export const drawn_of = (budgets: readonly BudgetRecord[]): Drawn[] =>
  budgets.flatMap(({ full, tries }) => tries.map((one) => ({ full_ms: percentile(full.runs_ms, 50), one })));

function wrong_share(some: readonly Drawn[], is_wrong: (one: Drawn) => boolean) {
  const { n: of, right: wrong, share, low, high } = proportion(some.map(is_wrong));
  return { of, wrong, share, low, high };
}

export function guard_row(drawn: readonly Drawn[], fraction: number, guard: Guard): GuardRow {
  const lets = ({ full_ms, one }: Drawn) => GUARDS[guard](one) <= fraction * full_ms;
  const keeps = ({ full_ms, one }: Drawn) => (one.runs_ms[0] as number) <= fraction * full_ms;
  return {
    ...{ fraction, guard, n: drawn.length },
    false_accepts: wrong_share(drawn.filter(lets), (one) => !keeps(one)),
    false_rejects: wrong_share(
      drawn.filter((one) => !lets(one)),
      keeps,
    ),
  };
}

export function m4_body(configurations: readonly Configuration[]) {
  const budgets = budgets_of(configurations);
  const drawn = drawn_of(budgets);
  const rows = M4_FRACTIONS.flatMap((fraction) => GUARD_NAMES.map((guard) => guard_row(drawn, fraction, guard)));
  const tries = configurations.flatMap(({ settings, budget }) =>
    (budget?.tries ?? []).map((one) => {
      const full_ms = percentile(budget?.full.runs_ms ?? [], 50);
      return { request: Number(settings.request), full_ms, ...one };
    }),
  );
  const findings = [margin_finding(rows), ends_finding(rows)];
  return { m4_guardrail_analysis: { chosen_by: chosen_by(budgets), requests: budgets.length, rows, tries, findings } };
}

const LEAST_ACCEPTED = 20;
/** What the level of the interval allows, and a little for another hour. */
const ALLOWED = 0.05;

const all_of = (rows: readonly GuardRow[], guard: Guard) => {
  const own = rows.filter((row) => row.guard === guard).map(({ false_accepts }) => false_accepts);
  return {
    of: own.reduce((sum, { of }) => sum + of, 0),
    wrong: own.reduce((sum, { wrong }) => sum + wrong, 0),
  };
};

const in_words = (rows: readonly GuardRow[], guard: Guard): string =>
  rows
    .filter((row) => row.guard === guard)
    .map(({ fraction, false_accepts, false_rejects }) => {
      const accepts = `${false_accepts.wrong} of ${false_accepts.of} let through took longer`;
      return `${(100 * fraction).toFixed(0)} %: ${accepts}, ${false_rejects.wrong} of ${false_rejects.of} kept back would have kept to it`;
    })
    .join('; ');

function margin_finding(rows: readonly GuardRow[]): Finding {
  const expectation = 'What is predicted with a margin of a tenth to keep to a budget keeps to it';
  const { of, wrong } = all_of(rows, 'prediction x 1.1');
  if (of < LEAST_ACCEPTED)
    return not_tested(expectation, `${LEAST_ACCEPTED} settings let through say something, here are ${of}`);
  return { expectation, outcome: wrong === 0 ? 'confirmed' : 'refuted', because: in_words(rows, 'prediction x 1.1') };
}

function ends_finding(rows: readonly GuardRow[]): Finding {
  const expectation = 'Of what the upper end of the interval lets through at most one in twenty takes longer';
  const { of, wrong } = all_of(rows, 'upper end');
  const { low, high } = proportion(Array.from({ length: of }, (_, i) => i < wrong));
  if (of < LEAST_ACCEPTED)
    return not_tested(expectation, `${LEAST_ACCEPTED} settings let through say something, here are ${of}`);
  return {
    expectation,
    outcome: wrong <= ALLOWED * of ? 'confirmed' : low > ALLOWED ? 'refuted' : 'not tested',
    because: `${wrong} of ${of} (95 % interval ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %; refuted where all of it lies above one in twenty); ${in_words(rows, 'upper end')}`,
  };
}
