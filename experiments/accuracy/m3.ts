import { budget_instrument } from '../budget/instrument.ts';
import { m3_trials } from '../budget/policies.ts';
import { define } from '../lab/define.ts';
import {
  BUDGET_REPEATS,
  BUDGET_SWEEPS,
  fresh_requests,
  QUICK_SKIP,
  request_cells,
  skip_option,
} from './budget_cells.ts';
import { m3_figures, m3_tables } from './m3_figures.ts';
import { m3_body, m3_files } from './m3_files.ts';

const RUNS = 8;

/** What it takes to choose the knobs for a request, and to turn them. */
export const m3 = define({
  name: 'm3',
  aliases: ['m3_overhead', 'm3-overhead'],
  group: 'accuracy',
  title: 'M3: what choosing and turning the knobs takes',
  question: 'How long does it take to choose the knobs for a request and to turn them, beside the request itself?',
  options: skip_option,
  sweeps: BUDGET_SWEEPS,
  instrument: budget_instrument(() => m3_trials(), RUNS),
  dataset: fresh_requests(50),
  repeats: BUDGET_REPEATS,
  quick: { options: QUICK_SKIP, repeats: BUDGET_REPEATS },
  basis: 'measured',
  cells: request_cells,
  files: m3_files,
  derive: ({ configurations }) => m3_body(configurations),
  figures: ({ m3_overhead_measurements: file }) => m3_figures(file),
  tables: ({ m3_overhead_measurements: file }) => m3_tables(file),
  findings: ({ m3_overhead_measurements: { findings } }) => findings,
});
