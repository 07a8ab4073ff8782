import { z } from 'zod';
import { not_tested } from '../lab/findings.ts';
import { type Configuration, count, type Finding, finding_schema, finite, summary_schema } from '../lab/schema.ts';
import { type BudgetRecord, try_schema } from '../lab/schema_budget.ts';
import { percentile, summarise } from '../lab/stats.ts';
import { mean } from '../lab/typical.ts';
import { budgets_of, chosen_by } from './budget_cells.ts';
import { bootstrap } from './metrics/bootstrap.ts';

/** M3: what choosing the knobs and turning them takes, beside the request. */

const WHATS = ['choose, new lengths', 'choose, known lengths', 'choose again'] as const;

export const m3_files = {
  m3_overhead_measurements: {
    chosen_by: z.string(),
    requests: count,
    /** Of the request with everything on: the median of its runs. */
    full_ms: summary_schema,
    choosing: z.array(z.strictObject({ what: z.enum(WHATS), values_ms: z.array(finite), summary: summary_schema })),
    /** First run after the knobs were turned, less the median of the next two; and the same after they were turned back. */
    turning: z.array(
      z.strictObject({
        what: z.string(),
        differences_ms: z.array(finite),
        mean_ms: finite,
        ci95: z.tuple([finite, finite]).nullable(),
      }),
    ),
    tries: z.array(z.strictObject({ request: count, ...try_schema.shape })),
    findings: z.array(finding_schema),
  },
};

const choosing_of = (budgets: readonly BudgetRecord[], what: (typeof WHATS)[number]): number[] =>
  budgets
    .flatMap(({ tries }) => tries)
    .filter(({ policy }) => policy === 'chosen')
    .flatMap(({ choose_ms, known_lengths }) => {
      const [first, again] = choose_ms;
      if (what === 'choose again') return again ?? [];
      return known_lengths === (what === 'choose, known lengths') ? (first ?? []) : [];
    });

function turning_of(budgets: readonly BudgetRecord[], what: string, policy: string) {
  const differences_ms = budgets
    .flatMap(({ tries }) => tries)
    .filter((one) => one.policy === policy && one.runs_ms.length > 1)
    .map(({ runs_ms: [first = 0, ...rest] }) => first - percentile(rest, 50));
  if (differences_ms.length === 0) return [];
  const { value, ci95 } = bootstrap(differences_ms, mean);
  return [{ what, differences_ms, mean_ms: value, ci95: ci95 && ([...ci95] as [number, number]) }];
}

export function m3_body(configurations: readonly Configuration[]) {
  const budgets = budgets_of(configurations);
  const summary_of = (values: readonly number[]) => {
    const found = summarise(values);
    if (found === null) throw new Error('m3: a request without a time');
    return found;
  };
  const choosing = WHATS.flatMap((what) => {
    const values_ms = choosing_of(budgets, what);
    return values_ms.length === 0 ? [] : [{ what, values_ms, summary: summary_of(values_ms) }];
  });
  const turning = [
    ...turning_of(budgets, 'knobs turned', 'chosen'),
    ...turning_of(budgets, 'turned back', 'full again'),
  ];
  const full_ms = summary_of(budgets.map(({ full }) => percentile(full.runs_ms, 50)));
  const tries = configurations.flatMap(({ settings, budget }) =>
    (budget?.tries ?? []).map((one) => ({ request: Number(settings.request), ...one })),
  );
  const findings = [choosing_finding(choosing, full_ms.P50), turning_finding(turning, full_ms.P50)];
  return {
    m3_overhead_measurements: {
      ...{ chosen_by: chosen_by(budgets), requests: budgets.length },
      ...{ full_ms, choosing, turning, tries, findings },
    },
  };
}

/** What the study expects of choosing and turning together. */
const EXPECTED_MS = 5;
const LEAST = 6;

function choosing_finding(
  choosing: readonly { what: string; summary: { P50: number; P95: number; n: number } }[],
  full: number,
): Finding {
  const expectation = `Choosing for a request takes under ${EXPECTED_MS} ms, its lengths new or not`;
  const told = choosing.filter(({ summary }) => summary.n >= LEAST);
  if (told.length === 0) return not_tested(expectation, `${LEAST} requests or more say something, fewer are here`);
  return {
    expectation,
    outcome: told.every(({ summary }) => summary.P50 < EXPECTED_MS) ? 'confirmed' : 'refuted',
    because: `medians: ${told.map(({ what, summary }) => `${what} ${summary.P50.toFixed(2)} ms (n = ${summary.n}, P95 ${summary.P95.toFixed(1)})`).join(', ')}; a full request takes ${full.toFixed(0)} ms`,
  };
}

function turning_finding(
  turning: readonly {
    what: string;
    differences_ms: readonly number[];
    mean_ms: number;
    ci95: readonly [number, number] | null;
  }[],
  full: number,
): Finding {
  const expectation = `Turning the knobs costs the next request under ${EXPECTED_MS} ms`;
  const told = turning.filter(({ differences_ms, ci95 }) => differences_ms.length >= LEAST && ci95 !== null);
  if (told.length === 0) return not_tested(expectation, `${LEAST} requests or more say something, fewer are here`);
  const ends = told.map(({ ci95 }) => ci95 as readonly [number, number]);
  const outcome = ends.every(([, high]) => high < EXPECTED_MS)
    ? 'confirmed'
    : ends.some(([low]) => low >= EXPECTED_MS)
      ? 'refuted'
      : 'not tested';
  return {
    expectation,
    outcome,
    because: `mean of the first run less the next two: ${told.map(({ what, mean_ms, ci95, differences_ms: { length } }) => `${what} ${mean_ms.toFixed(2)} ms (${ci95?.map((end) => end.toFixed(2)).join(' to ')}, n = ${length})`).join(', ')}; a full request takes ${full.toFixed(0)} ms`,
  };
}
