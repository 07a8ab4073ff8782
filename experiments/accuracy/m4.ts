import { budget_instrument } from '../budget/instrument.ts';
import { m4_trials } from '../budget/policies.ts';
import { define } from '../lab/define.ts';
import {
  BUDGET_REPEATS,
  BUDGET_SWEEPS,
  fresh_requests,
  QUICK_SKIP,
  request_cells,
  skip_option,
} from './budget_cells.ts';
import { m4_figures, m4_tables } from './m4_figures.ts';
import { m4_body, m4_files } from './m4_files.ts';

/** Settings drawn for each request. */
const DRAWS = 6;

/** How often a guard lets a request through that takes too long, or keeps one back that would not. */
export const m4 = define({
  name: 'm4',
  aliases: ['m4_guardrail', 'm4-guardrail'],
  group: 'accuracy',
  title: 'M4: how often the guard of a budget is wrong',
  question: 'Of settings predicted to keep to a budget, how many do not; and of those kept back, how many would have?',
  options: skip_option,
  sweeps: BUDGET_SWEEPS,
  instrument: budget_instrument(() => m4_trials(DRAWS), DRAWS),
  dataset: fresh_requests(50),
  repeats: BUDGET_REPEATS,
  quick: { options: QUICK_SKIP, repeats: BUDGET_REPEATS },
  basis: 'measured',
  cells: request_cells,
  files: m4_files,
  derive: ({ configurations }) => m4_body(configurations),
  figures: ({ m4_guardrail_analysis: file }) => m4_figures(file),
  tables: ({ m4_guardrail_analysis: file }) => m4_tables(file),
  findings: ({ m4_guardrail_analysis: { findings } }) => findings,
});
