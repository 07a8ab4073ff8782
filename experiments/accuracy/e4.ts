import { budget_instrument } from '../budget/instrument.ts';
import { e4_trials } from '../budget/policies.ts';
import { define } from '../lab/define.ts';
import {
  BUDGET_REPEATS,
  BUDGET_SWEEPS,
  fresh_requests,
  QUICK_SKIP,
  request_cells,
  skip_option,
} from './budget_cells.ts';
import { e4_figures, e4_tables } from './e4_figures.ts';
import { e4_body, e4_files } from './e4_files.ts';

/** Five policies at five fractions, of which most choose the same setting: about so many runs a request. */
const RUNS = 15;

/** A latency budget kept by turning several knobs for each request, against one knob, or one setting for all. */
export const e4 = define({
  name: 'e4',
  aliases: ['e4_budget', 'e4-budget'],
  group: 'accuracy',
  title: 'E4: a latency budget, kept by several knobs or one',
  question:
    'How often is a latency budget kept, and how good are the answers, where knobs are chosen for each request?',
  options: skip_option,
  sweeps: BUDGET_SWEEPS,
  instrument: budget_instrument((config) => e4_trials(config), RUNS),
  dataset: fresh_requests(100),
  repeats: BUDGET_REPEATS,
  quick: { options: QUICK_SKIP, repeats: BUDGET_REPEATS },
  basis: 'measured',
  cells: request_cells,
  files: e4_files,
  derive: ({ configurations }) => e4_body(configurations),
  figures: ({ e4_budget_results, e4_requests }) => e4_figures(e4_budget_results, e4_requests.tries),
  tables: ({ e4_budget_results: { rows } }) => e4_tables(rows),
  findings: ({ e4_budget_results: { findings } }) => findings,
});
