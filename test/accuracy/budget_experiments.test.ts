import { describe, expect, it } from 'vitest';
import { request_cells } from '../../experiments/accuracy/budget_cells.ts';
import { contest_at, e4_body, e4_row } from '../../experiments/accuracy/e4_files.ts';
import { m3_body } from '../../experiments/accuracy/m3_files.ts';
import { drawn_of, guard_row, m4_body } from '../../experiments/accuracy/m4_files.ts';
import type { Subject } from '../../experiments/lab/inputs.ts';
import type { BudgetRecord, Try } from '../../experiments/lab/schema_budget.ts';
import { budget_schema } from '../../experiments/lab/schema_budget.ts';
import { fake_configuration } from '../support/records.ts';

const tried = (over: Partial<Try>): Try => ({
  ...{ policy: 'several knobs', fraction: 0.5, budget_ms: 50, knobs: {}, quality: 0.9 },
  ...{ predicted_ms: 40, limit_ms: 48, fits: true, choose_ms: [3], known_lengths: null },
  ...{ runs_ms: [45], answer: 'red', score: 1, ...over },
});
const budget_of = (...tries: Try[]): BudgetRecord =>
  budget_schema.parse({
    ...{ table: 'a table', estimator: 'an estimator', pace: 1, pace_runs: 20, reach: 1, tries },
    full: tried({ policy: 'full', fraction: null, budget_ms: null, fits: null, runs_ms: [90, 100, 400] }),
  });
const cells_of = (budgets: readonly BudgetRecord[]) =>
  budgets.map((budget, request) => ({
    ...fake_configuration('low', 'short', 'short', 1),
    settings: { request },
    budget,
  }));

describe('E4', () => {
  const single = (over: Partial<Try>) => tried({ policy: 'depth only', quality: 0.6, ...over });
  const budgets = [
    budget_of(tried({}), single({ score: 0 })),
    budget_of(tried({ runs_ms: [60] }), single({})), // late
    budget_of(tried({ fits: false, limit_ms: 70 }), single({ fits: false })), // in time, and not promised
    budget_of(tried({ score: 0 }), single({ runs_ms: [50] })), // exactly the budget is in time
  ];

  it('counts what was promised and kept apart from what happened to be in time', () => {
    const [row] = e4_row(budgets, 0.5, 'several knobs');
    expect(row).toMatchObject({ requests: 4, promised: { of: 3, held: 2 }, all: { of: 4, held: 3 } });
    expect(row).toMatchObject({ expected_quality: 0.9, quality: 0.75, in_time_quality: 0.25, budget_ms: 50 });
    expect(e4_row(budgets, 0.5, 'depth only')[0]).toMatchObject({ promised: { of: 3, held: 3 }, in_time_quality: 0.5 });
    expect(e4_row(budgets, 0.7, 'several knobs')).toEqual([]);
  });

  it('holds several knobs against the best single one, request by request', () => {
    const rows = ['several knobs', 'depth only'].flatMap((policy) => e4_row(budgets, 0.5, policy as 'depth only'));
    const [contest] = contest_at(budgets, 0.5, rows);
    expect(contest).toMatchObject({ against: 'depth only', comparison: { samples: 4, mean_a: 0.5, mean_b: 0.25 } });
    const none = [budget_of(tried({ fits: false }), single({ fits: false }))];
    expect(contest_at(none, 0.5, e4_row(none, 0.5, 'depth only'))).toEqual([]);
  });

  it('says what was found only of enough promises', () => {
    const kept = e4_body(
      cells_of(Array.from({ length: 20 }, (_, i) => budget_of(tried({ runs_ms: [i === 0 ? 51 : 50] })))),
    );
    expect(kept.e4_budget_results.findings.map(({ outcome }) => outcome)).toEqual(['confirmed', 'not tested']);
    expect(kept.e4_budget_results.findings[0]?.because).toBe('50 %: 19 of 20 (0 of 20 not promised)');
    expect(e4_body(cells_of(budgets)).e4_budget_results.findings[0]?.outcome).toBe('not tested');
    expect(kept.e4_requests.full_ms[0]).toBe(100);
  });
});

describe('M4', () => {
  const drawn = [
    tried({ policy: 'drawn', predicted_ms: 40, limit_ms: 60, runs_ms: [45] }),
    tried({ policy: 'drawn', predicted_ms: 48, limit_ms: 49, runs_ms: [55] }),
    tried({ policy: 'drawn', predicted_ms: 70, limit_ms: 90, runs_ms: [50] }),
  ];
  const budgets = [budget_of(...drawn)];

  it('counts who is let through and too long, and who is kept back for nothing', () => {
    const row = (guard: 'prediction' | 'prediction x 1.1' | 'upper end') => guard_row(drawn_of(budgets), 0.5, guard);
    expect(row('prediction')).toMatchObject({ false_accepts: { of: 2, wrong: 1 }, false_rejects: { of: 1, wrong: 1 } });
    expect(row('prediction x 1.1')).toMatchObject({
      false_accepts: { of: 1, wrong: 0 },
      false_rejects: { of: 2, wrong: 1 },
    });
    expect(row('upper end')).toMatchObject({ false_accepts: { of: 1, wrong: 1 }, false_rejects: { of: 2, wrong: 2 } });
    expect(m4_body(cells_of(budgets)).m4_guardrail_analysis).toMatchObject({
      requests: 1,
      tries: [{ full_ms: 100 }, {}, {}],
    });
  });
});

describe('M3', () => {
  it('tells choosing for new lengths from known ones, and the first run from the next', () => {
    const budgets = Array.from({ length: 6 }, (_, i) =>
      budget_of(
        tried({ policy: 'chosen', choose_ms: [i < 3 ? 20 : 2, 1], known_lengths: i >= 3, runs_ms: [46, 44, 45] }),
        tried({ policy: 'full again', fraction: null, budget_ms: null, fits: null, runs_ms: [99, 100, 102] }),
      ),
    );
    const { choosing, turning, findings } = m3_body(cells_of(budgets)).m3_overhead_measurements;
    expect(choosing.map(({ what, summary }) => [what, summary.n, summary.P50])).toEqual([
      ['choose, new lengths', 3, 20],
      ['choose, known lengths', 3, 2],
      ['choose again', 6, 1],
    ]);
    expect(turning.map(({ what, mean_ms }) => [what, mean_ms])).toEqual([
      ['knobs turned', 1.5],
      ['turned back', -2],
    ]);
    expect(findings.map(({ outcome }) => outcome)).toEqual(['confirmed', 'confirmed']);
  });
});

it('requests that the table was made from are left out, and a set of nothing else is refused', () => {
  const samples = { list: [{}, {}] } as unknown as Subject['samples'];
  const on = { samples, asked: {} } as unknown as Subject;
  expect(() => request_cells(on, { skip: 2 })).toThrow(
    'skip: expected fewer than the 2 samples that are taken, found 2; raise --num-samples',
  );
});
