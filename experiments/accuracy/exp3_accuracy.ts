import { described, wholes } from '../lab/options.ts';
import { chosen_blocks } from '../lab/sampling.ts';
import { costs_answers } from './sweep.ts';
import { accuracy_sweep } from './sweep_experiment.ts';

/** Blocks that run, the first ones: each one fewer is that much less of everything. What do the answers lose? */
export const exp3_accuracy = accuracy_sweep({
  name: 'exp3_accuracy',
  aliases: ['exp3-accuracy', 'accuracy-blocks'],
  title: 'Active blocks: what they cost in answers',
  question: 'How do answers change with the number of blocks that run, from the first on?',
  ...{ axis: 'num_active_blocks', label: 'Active blocks', figure: 'exp3_accuracy_vs_num_blocks' },
  ...{ file: 'exp3_accuracy_results', cell_file: 'blocks' },
  options: {
    numActiveBlocks: described(wholes(1, 1000).optional(), 'blocks that run; from half of them to all when left out', {
      aliases: ['num_active_blocks'],
    }),
  },
  sweeps: ['blocks'],
  quick: { numActiveBlocks: [4, 8] },
  points: ({ config: { n_layers } }, { numActiveBlocks }) => {
    const half = Math.ceil(n_layers / 2);
    return (numActiveBlocks ?? Array.from({ length: n_layers - half + 1 }, (_, i) => half + i))
      .toSorted((a, b) => a - b)
      .map((value) => ({
        value,
        knobs: value >= n_layers ? {} : { blocks: chosen_blocks(value, n_layers, 'prefix') },
        ...(value > n_layers
          ? { reason: `expected at most ${n_layers} blocks, all of this model, found ${value}` }
          : {}),
      }));
  },
  findings: (summary) => [
    costs_answers('With half of the blocks answers are worse', 'num_active_blocks', summary, (rows) => rows[0]),
    costs_answers('Without the last block answers are worse', 'num_active_blocks', summary, (rows) =>
      rows.length > 2 ? rows.at(-2) : undefined,
    ),
  ],
});
