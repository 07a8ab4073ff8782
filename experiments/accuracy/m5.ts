import { define } from '../lab/define.ts';
import { answers } from '../lab/instruments.ts';
import { described, whole, wholes } from '../lab/options.ts';
import { SAMPLING_SEED } from '../lab/sampling.ts';
import { answers_cell } from './cell.ts';
import { ablations, known_importance, layers_of, once_each, without } from './importance.ts';
import { counts_of, m5_body, m5_figures, m5_files, m5_tables, masks_of } from './m5_files.ts';
import { ON_SAMPLES } from './sweep_experiment.ts';

const options = {
  numActiveBlocks: described(
    wholes(1, 1000).optional(),
    'blocks that run; three quarters and half of them when left out',
    { aliases: ['num_active_blocks'] },
  ),
  randomSets: described(whole(1, 20).default(3), 'sets of blocks drawn for each number'),
  seed: described(whole(0, 2 ** 32 - 1).default(SAMPLING_SEED), 'of the sets and of intervals'),
};

/** The same number of blocks, chosen in three ways: the first, the most important, any. Do they take the same time? */
export const m5 = define({
  name: 'm5',
  aliases: ['m5_mask_policies', 'mask-policies'],
  group: 'accuracy',
  title: 'M5: ways to choose the blocks that run',
  question: 'At the same number of blocks, do ways to choose them differ in answers, and in time?',
  options,
  sweeps: ['blocks'],
  instrument: answers,
  dataset: ON_SAMPLES,
  timed: 20,
  timed_from: 2,
  quick: { options: { randomSets: 1 } },
  repeats: { runs: 3, warmup: 1, instrumented: 0 },
  cells: (on, { numActiveBlocks }) => {
    counts_of(on.config.n_layers, numActiveBlocks);
    return ablations(on.config.n_layers, true).map((one) => answers_cell(on, one.settings, one.knobs));
  },
  next: (saved, { numActiveBlocks, randomSets, seed }) => {
    const layers = layers_of(saved);
    const importance = known_importance(saved, seed, undefined);
    const known = new Set(saved.configurations.map((one) => one.settings.removed));
    return once_each(
      counts_of(layers, numActiveBlocks)
        .flatMap((count) => masks_of(count, layers, importance, randomSets, seed))
        .map(({ removed }) => without(removed, layers)),
    ).filter(({ settings }) => !known.has(settings.removed as string));
  },
  files: m5_files,
  derive: (saved, asked) => m5_body(saved, asked),
  figures: m5_figures,
  tables: m5_tables,
  findings: ({ m5_mask_strategy_comparison: { findings } }) => findings,
});
