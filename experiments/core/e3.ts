import { z } from 'zod';
import { InputError, UsageError } from '../../engine/errors.ts';
import { PROBES_VERSION } from '../../engine/meter/ceilings.ts';
import { type Known, read_model, shipped_models } from '../estimator/model_file.ts';
import { own_levels, picture_for, spread, TILINGS } from '../estimator/spread.ts';
import { define } from '../lab/define.ts';
import { latency } from '../lab/instruments.ts';
import { described, whole, wholes, words } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { e3_figures, e3_tables } from './e3_figures.ts';
import { derive_e3, e3_shapes } from './e3_files.ts';

/**
 * E3: what a configuration will cost. Terms are exact counts under this adapter's ceilings, so what is learnt is only how far
 * from its ceilings an adapter runs each kind of kernel: a few numbers, for which a few configurations are enough.
 */
export const e3 = define({
  name: 'e3',
  group: 'core',
  title: 'E3: what a configuration will cost',
  question:
    'How well do exact counts and measured ceilings predict the time of a request that was not measured, on how few samples, and on another adapter?',
  options: {
    configurations: described(
      whole(2, 2000).default(60),
      'configurations to measure; the first ten are those that say most',
    ),
    seed: described(whole(0, 2 ** 31 - 1).default(1), 'of the spread of configurations'),
    images: described(words(TILINGS).default([...TILINGS]), 'pictures, by the crops that they are cut into, or none'),
    maxCrops: described(wholes(1, 64).optional(), 'crops at most; from one to all that the model takes'),
    promptTokens: described(
      wholes(1, 4000).default([20, 60, 150, 400]),
      'text tokens of the prompt, template included',
    ),
    newTokens: described(wholes(1, 4000).default([2, 8, 24, 64]), 'new tokens, forced'),
    topK: described(wholes(1, 64).optional(), 'experts a token takes; from one to twice the model’s own'),
    activeBlocks: described(
      wholes(1, 512).optional(),
      'blocks that run, from the first on; four quarters of the model',
    ),
    with: described(
      z.array(z.string().min(1)).min(1).optional(),
      'e3_estimator_model.json of other adapters, to learn from; those that the program ships',
      { value: '<files>' },
    ),
  },
  sweeps: ['image', 'prompt', 'answer', 'maxCrops', 'topK', 'topKVision', 'blocks'],
  instrument: latency,
  repeats: { runs: 3, warmup: 1, instrumented: 1 },
  quick: {
    options: { configurations: 8, images: ['none', '1x1'], promptTokens: [20, 60], newTokens: [2, 8] },
    repeats: { runs: 1, warmup: 0 },
  },
  order: { image: TILINGS },
  check: ({ with: _, ...options }) => {
    for (const [key, values] of Object.entries(options)) {
      const twice = [values].flat().find((value, i, all) => all.indexOf(value) !== i);
      if (twice !== undefined) throw new UsageError(`${key}: expected each value once, found ${twice} twice`);
    }
  },
  basis: 'beside',
  others: async ({ with: files }) => (files ? Promise.all(files.map(given_model)) : shipped_models()),
  cells: (on, options) => {
    const { n_layers } = on.config;
    const own = own_levels(on.config);
    const levels = {
      image: options.images,
      max_crops: options.maxCrops ?? own.max_crops,
      prompt: options.promptTokens,
      answer: options.newTokens,
      top_k: options.topK ?? own.top_k,
      blocks: options.activeBlocks ?? own.blocks,
    };
    return spread(on.config, levels, options.configurations, options.seed).map((setting) => {
      const { image, max_crops, prompt, answer, top_k, blocks } = setting;
      const some = Array.from({ length: blocks }, (_, block) => block);
      return cell_of(
        on,
        { ...setting },
        {
          image: picture_for(on.config, image),
          prompt_tokens: prompt,
          new_tokens: answer,
          knobs: { maxCrops: max_crops, topK: top_k, ...(blocks === n_layers ? {} : { blocks: some }) },
        },
      );
    });
  },
  files: e3_shapes,
  derive: derive_e3,
  figures: e3_figures,
  tables: e3_tables,
  findings: ({ e3_calibration_results: { findings } }) => findings,
});

/** What is asked for by name is used or refused. */
async function given_model(path: string): Promise<Known> {
  const known = await read_model(path);
  const { estimator, ceilings } = known.file;
  if (estimator === null || ceilings === null) {
    throw new InputError(
      `--with ${path}: expected an estimator, found a file that holds none (too few samples, or no ceilings); run \`molmoe e3\` there with more configurations`,
    );
  }
  const probes = ceilings.probes ?? 1;
  if (probes !== PROBES_VERSION) {
    throw new InputError(
      `--with ${path}: expected an estimator over ceilings of probes ${PROBES_VERSION}, found probes ${probes}, under which its coefficients mean something else; run \`molmoe e3\` there again`,
    );
  }
  return known;
}
