import { z } from 'zod';
import { UsageError } from '../../engine/errors.ts';
import { define } from '../lab/define.ts';
import { not_tested } from '../lab/findings.ts';
import { rings_of_tiling, type Subject } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { chosen_levels, coupling_levels } from '../lab/knob_levels.ts';
import { described, whole, wholes } from '../lab/options.ts';
import { cell_of, key_of } from '../lab/plan.ts';
import {
  BLOCK_CHOICES,
  type BlockChoice,
  chosen_blocks,
  type KnobPoint,
  RULES,
  SAMPLING_SEED,
  STRATEGIES,
  sample_grid,
} from '../lab/sampling.ts';
import { coupling_findings, coupling_of } from './coupling.ts';
import { e2_figures, e2_tables } from './e2_figures.ts';
import { e2_shapes, grid_row, knob_cell } from './e2_files.ts';

const options = {
  crops: described(wholes(1, 100).optional(), 'tiles of the picture; of 1,2,3,4,6,9,12 those that the model takes', {
    aliases: ['max_crops'],
  }),
  topK: described(wholes(1, 64).optional(), 'experts a token takes; of 1,2,4,8,16,32 those that there are', {
    aliases: ['top_k'],
  }),
  numActiveBlocks: described(
    wholes(1, 1000).optional(),
    'blocks that run; from half of them to all, five numbers at most',
    {
      aliases: ['num_active_blocks'],
    },
  ),
  sampling: described(z.enum(STRATEGIES).default('balanced'), `points of the grid: ${STRATEGIES.join(', ')}`, {
    aliases: ['sampling_strategy'],
  }),
  samplingRule: described(z.enum(RULES).default('documented'), 'documented or code: the study differs in which points'),
  samplingSeed: described(whole(0, 2 ** 32 - 1).default(SAMPLING_SEED), 'of lhs', { aliases: ['seed'] }),
  blockChoice: described(
    z.enum(BLOCK_CHOICES).default('prefix'),
    "prefix: the first blocks run; seeded: the study's sets of them",
  ),
};

/** E2, the side of latency: does what a knob costs depend on where the others stand? */
export const e2 = define({
  name: 'e2',
  aliases: ['e2_knob_coupling'],
  group: 'core',
  title: 'E2: how the knobs depend on each other',
  question: 'Does what crops, experts a token and blocks cost depend on where the other knobs stand?',
  options,
  sweeps: ['maxCrops', 'topK', 'blocks'],
  instrument: latency,
  basis: 'one',
  repeats: { runs: 6, warmup: 1 },
  quick: { options: { crops: [1, 2], topK: [1, 4], sampling: 'stratified' }, repeats: { runs: 2, instrumented: 0 } },
  check: ({ crops, topK, numActiveBlocks }) => {
    for (const [name, values = []] of Object.entries({ crops, topK, numActiveBlocks })) {
      const twice = values.find((value, i) => values.indexOf(value) !== i);
      if (twice !== undefined) throw new UsageError(`${name}: ${twice} is asked for twice; name each value once`);
    }
  },
  cells: (on, { sampling, samplingRule, samplingSeed, blockChoice, ...asked }) => {
    const { crops, topK: top_k, numActiveBlocks: blocks } = asked;
    const levels = chosen_levels(coupling_levels(on.config), { crops, top_k, blocks });
    return sample_grid(levels, { strategy: sampling, rule: samplingRule, seed: samplingSeed }).map((point) =>
      cell(on, point, blockChoice),
    );
  },
  files: e2_shapes,
  derive: ({ run, configurations, skipped }, { sampling, samplingRule, samplingSeed, blockChoice }) => {
    const { layers } = run.fingerprint.provenance.model;
    const coupling = coupling_of(configurations.map(knob_cell));
    const no_quality = 'quality was not measured: this is the side of latency alone';
    return {
      e2_knob_grid_results: {
        grid: { sampling, sampling_rule: samplingRule, sampling_seed: samplingSeed, block_choice: blockChoice },
        configurations: configurations.map((one) => grid_row(one, layers)),
        skipped: [...skipped],
      },
      e2_coupling_analysis: {
        ...coupling,
        findings: [
          ...coupling_findings(coupling),
          not_tested('Turning several knobs beats turning one', no_quality),
          not_tested('The best settings are not at the ends of the knobs', no_quality),
        ],
      },
    };
  },
  figures: e2_figures,
  tables: e2_tables,
  findings: ({ e2_coupling_analysis: { findings } }) => findings,
});

/** One picture in all cells: what is turned is into how many tiles it is cut. */
function cell(on: Subject, { crops, top_k, blocks }: KnobPoint, choice: BlockChoice) {
  const settings = { crops, top_k, num_active_blocks: blocks };
  const { n_layers } = on.config;
  if (blocks > n_layers) {
    return {
      key: key_of(settings),
      settings,
      reason: `expected at most ${n_layers} blocks, all of this model, found ${blocks}`,
    };
  }
  const mask = blocks < n_layers ? { blocks: chosen_blocks(blocks, n_layers, choice) } : {};
  const fallback = { image: rings_of_tiling(on.config, [3, 4]), prompt_tokens: 20, new_tokens: 16 };
  return cell_of(on, settings, { knobs: { crops, topK: top_k, ...mask } }, fallback);
}
