import { z } from 'zod';
import { define } from '../lab/define.ts';
import { answers } from '../lab/instruments.ts';
import { described, whole } from '../lab/options.ts';
import { SAMPLING_SEED } from '../lab/sampling.ts';
import { answers_cell } from './cell.ts';
import {
  ablations,
  beam_step,
  check_importance,
  known_importance,
  layers_of,
  left_out_prefix,
  once_each,
  pruned,
  without,
} from './importance.ts';
import {
  sensitivity_body,
  sensitivity_each,
  sensitivity_figures,
  sensitivity_files,
  sensitivity_tables,
} from './sensitivity_files.ts';
import { ON_SAMPLES } from './sweep_experiment.ts';

const options = {
  minLayers: described(whole(1, 1000).optional(), 'blocks that pruning leaves at least; half of them when left out', {
    aliases: ['min_layers'],
  }),
  beamWidth: described(whole(1, 100).default(3), 'sets of each size that the search goes on from', {
    aliases: ['beam_width'],
  }),
  maxBlocksToRemove: described(whole(1, 100).default(4), 'blocks that the search takes out', {
    aliases: ['max_blocks_to_remove'],
  }),
  importanceScoresFile: described(z.string().optional(), 'JSON of block to score, instead of the ablations here', {
    aliases: ['importance_scores_file'],
    value: '<file>',
  }),
  seed: described(whole(0, 2 ** 32 - 1).default(SAMPLING_SEED), 'of the pictures drawn for intervals'),
};

/** Which blocks do answers need? Each alone, the least important ones together, and the best sets that a search finds. */
export const sensitivity = define({
  name: 'sensitivity',
  aliases: ['exp3_accuracy_sensitivity', 'exp3_accuracy_sensitivity_v2'],
  group: 'accuracy',
  title: 'Blocks: how important is each, and which set may go',
  question: 'Which blocks can go, alone and together, at the least cost in answers?',
  options,
  sweeps: ['blocks'],
  instrument: answers,
  dataset: ON_SAMPLES,
  quick: { options: { beamWidth: 1, maxBlocksToRemove: 2 } },
  repeats: { runs: 3, warmup: 1, instrumented: 0 },
  check: check_importance,
  cells: (on, { importanceScoresFile: file }) =>
    ablations(on.config.n_layers, file === undefined).map((one) => answers_cell(on, one.settings, one.knobs)),
  next: (saved, { minLayers, beamWidth, maxBlocksToRemove, importanceScoresFile, seed }) => {
    const layers = layers_of(saved);
    const importance = known_importance(saved, seed, importanceScoresFile);
    const most = layers - Math.min(layers, minLayers ?? Math.ceil(layers / 2));
    const sizes = Array.from({ length: most }, (_, i) => i + 1);
    const prunings = sizes.map((gone) => pruned(importance, layers, gone));
    const asked = [...prunings, ...sizes.map((gone) => left_out_prefix(gone, layers))];
    const known = new Set(saved.configurations.map((one) => String(one.settings.removed)));
    const beam = beam_step(saved, { width: beamWidth, most: Math.min(maxBlocksToRemove, layers - 1) }, prunings);
    return once_each([...asked, ...beam].map((gone) => without(gone, layers))).filter(
      ({ settings }) => !known.has(String(settings.removed)),
    );
  },
  files: sensitivity_files,
  each: sensitivity_each,
  derive: (saved, { importanceScoresFile, ...asked }) => sensitivity_body(saved, asked, importanceScoresFile),
  figures: sensitivity_figures,
  tables: sensitivity_tables,
  findings: ({ exp3_accuracy_sensitivity_results: { findings } }) => findings,
});
