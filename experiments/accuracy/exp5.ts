import { define } from '../lab/define.ts';
import { answers } from '../lab/instruments.ts';
import { accuracy_levels } from '../lab/knob_levels.ts';
import { by_number_of_knobs, contest } from './knob_contests.ts';
import { accuracy_figures, grid_table } from './knob_figures.ts';
import * as file from './knob_files.ts';
import * as grid from './knob_grid.ts';
import { coupled_in_answers, interactions_of, interactions_shape } from './knob_interactions.ts';
import { ON_SAMPLES } from './sweep_experiment.ts';

/** Crops, experts and blocks turned together: which few of everything still answer well? */
export const exp5 = define({
  name: 'exp5',
  aliases: ['exp5_accuracy', 'exp5-accuracy'],
  group: 'accuracy',
  title: 'Combined knobs: what they cost in answers',
  question: 'How do answers change when crops, experts a token and blocks are turned together?',
  options: grid.grid_options({ strategy: 'balanced', blocks: 'seeded' }),
  sweeps: grid.KNOB_SWEEPS,
  instrument: answers,
  dataset: ON_SAMPLES,
  quick: { options: { maxCrops: [1, 3, 6], topK: [2, 8], numActiveBlocks: [4, 6, 8], sampling: 'full' } },
  repeats: { runs: 3, warmup: 1, instrumented: 0 },
  check: grid.check_grid,
  cells: (on, options) => grid.grid_cells(on, options, accuracy_levels),
  files: {
    exp5_accuracy_results: {
      ...file.grid_file_shape({}),
      front: file.front_file_schema,
      interactions: interactions_shape,
    },
  },
  each: {
    name: 'exp5_accuracy_results_configuration',
    shape: file.cell_file_shape,
    of: (one, saved) => ({
      name: `exp5_accuracy_results_${grid.cell_name(one)}`,
      body: file.cell_file_body(one, saved, grid.grid_row(one, saved)),
    }),
  },
  derive: (saved, options) => {
    const summary = grid.grid_rows(saved);
    const all = file.entered(saved, summary, ({ flops }) => flops);
    const interactions = interactions_of(saved.configurations, all.full?.one);
    const findings = [
      coupled_in_answers('What one knob costs in answers depends on where the others stand', interactions),
      contest('Turning several knobs beats turning one', all, by_number_of_knobs(all.full), 'FLOPs'),
    ];
    return {
      exp5_accuracy_results: {
        ...file.grid_body(saved, options, { summary, findings }),
        front: file.front_body('flops', all.entrants),
        interactions,
      },
    };
  },
  figures: ({ exp5_accuracy_results: { summary, front, note } }) =>
    accuracy_figures(summary, file.keys_of(front), note),
  tables: ({ exp5_accuracy_results: { summary, front } }) => [grid_table(summary, file.keys_of(front))],
  findings: ({ exp5_accuracy_results: { findings } }) => findings,
});
