import { define } from '../lab/define.ts';
import { answers } from '../lab/instruments.ts';
import { halving_levels } from '../lab/knob_levels.ts';
import * as grid from './knob_grid.ts';
import { m1_quality_figures, m1_quality_tables } from './m1_quality_figures.ts';
import { derive_m1_quality, m1_quality_shapes } from './m1_quality_files.ts';
import { ON_SAMPLES } from './sweep_experiment.ts';

/** M1, the side of answers: do short answers and captions lose by the same knobs, and have they the same best settings? */
export const m1_quality = define({
  name: 'm1_quality',
  aliases: ['m1-pareto', 'm1-quality'],
  group: 'accuracy',
  title: 'M1: answers of short questions and captions',
  question: 'Do short answers and captions lose by the same knobs, and are the same settings best for both?',
  options: grid.grid_options({ strategy: 'full', blocks: 'prefix' }),
  sweeps: grid.KNOB_SWEEPS,
  instrument: answers,
  dataset: ON_SAMPLES,
  timed: 40,
  quick: { options: { maxCrops: [1, 6], topK: [1, 8], numActiveBlocks: [6, 8] } },
  repeats: { runs: 3, warmup: 2, instrumented: 0 },
  check: grid.check_grid,
  cells: (on, options) => grid.grid_cells(on, options, halving_levels),
  files: m1_quality_shapes,
  derive: derive_m1_quality,
  figures: ({ m1_quality_contrast: file }) => m1_quality_figures(file),
  tables: ({ m1_quality_contrast: file }) => m1_quality_tables(file),
  findings: ({ m1_quality_contrast: { findings } }) => findings,
});
