import { UsageError } from '../../engine/errors.ts';
import type { OnDataset, Values } from '../lab/define.ts';
import type { Subject } from '../lab/inputs.ts';
import { described, whole } from '../lab/options.ts';
import { type Cell, cell_of_sample } from '../lab/plan.ts';
import type { Configuration, Skipped } from '../lab/schema.ts';
import type { BudgetRecord } from '../lab/schema_budget.ts';
import { new_tokens_of } from './cell.ts';

/** What experiments share whose requests are to keep to a budget. */

/** Requests that no table of answers was made from: those of exp5 come before them. */
export const skip_option = {
  skip: described(
    whole(0, 1_000_000).default(500),
    'samples left out at the beginning of the set: those that the table of answers was made from',
  ),
};
export const BUDGET_SWEEPS = ['image', 'prompt', 'answer', 'maxCrops', 'topK', 'topKVision', 'blocks'] as const;
export const BUDGET_REPEATS = { runs: 3, warmup: 1, instrumented: 0 } as const;
export const QUICK_SKIP = { skip: 10 } as const;
/** So many requests, after those that are left out. */
export const fresh_requests = (requests: number): OnDataset => ({
  ...{ samples: 500 + requests, built_in: 500 + requests },
  quick: QUICK_SKIP.skip + 6,
});

/** A cell a request, with everything on; what is tried with it, its instrument knows. */
export function request_cells(on: Subject, { skip }: Values<typeof skip_option>): (Cell | Skipped)[] {
  const { length = 0 } = on.samples?.list ?? [];
  if (length <= skip) {
    throw new UsageError(
      `skip: expected fewer than the ${length} samples that are taken, found ${skip}; raise --num-samples`,
    );
  }
  const ask = { new_tokens: new_tokens_of(on), ends_at_eos: true };
  return Array.from({ length: length - skip }, (_, i) => cell_of_sample(on, { request: skip + i }, skip + i, ask));
}

/** What was found out of each request. */
export const budgets_of = (configurations: readonly Configuration[]): BudgetRecord[] =>
  configurations.flatMap(({ budget }) => budget ?? []);

/** What chose, in a line; of results that several tables or estimators chose for, all of them. */
export const chosen_by = (budgets: readonly BudgetRecord[]): string =>
  [...new Set(budgets.map(({ table, estimator }) => `answers: ${table}; times: ${estimator}`))].join(' | ');
