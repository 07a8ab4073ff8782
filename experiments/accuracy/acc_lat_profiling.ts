import { define } from '../lab/define.ts';
import { answers } from '../lab/instruments.ts';
import { FRONT_RULES } from './knob_fronts.ts';
import { faster_without_loss, flops_order } from './knob_latency.ts';
import { note_of } from './sweep.ts';
import { ON_SAMPLES } from './sweep_experiment.ts';
import { tier_entrants, tier_figures, tier_front, tier_losses, tier_table } from './tier_figures.ts';
import * as file from './tier_files.ts';
import { fullest_of, TIER_NAMES, tier_cells, tier_options } from './tiers.ts';

/** Tiers of crops, experts and blocks: the program that the study's larger measurements were made with. */
export const acc_lat_profiling = define({
  name: 'acc_lat_profiling',
  aliases: ['core_exp', 'acc-lat-profiling'],
  group: 'accuracy',
  title: 'Tiers of crops: accuracy and latency',
  question: 'What do tiers of crops, experts a token and blocks cost in answers, and what do they save in time?',
  options: tier_options,
  sweeps: ['maxCrops', 'topK', 'blocks'],
  instrument: answers,
  dataset: ON_SAMPLES,
  timed: 30,
  quick: { options: { tierList: ['low', 'medium'], topK: [4, 8], numActiveBlocks: [6, 8] } },
  repeats: { runs: 3, warmup: 3, instrumented: 0 },
  order: { tier: TIER_NAMES },
  cells: tier_cells,
  files: { acc_lat_profiling_results: file.tiers_file_shape },
  each: {
    name: 'acc_lat_profiling_imgsizetier',
    shape: file.tier_file_shape,
    of: (one, saved) => ({
      name: file.tier_file_name(one, saved),
      body: file.tier_file_body(one, saved, fullest_of(saved.configurations)),
    }),
  },
  derive: (saved) => {
    const { configurations } = saved;
    const full = fullest_of(configurations);
    const summary = configurations.map((one) => file.tier_row(one, saved, full));
    const { cost, entrants } = tier_entrants(configurations, summary);
    const all = { entrants, full: entrants.find(({ one }) => one === full) };
    return {
      acc_lat_profiling_results: {
        summary,
        config: file.config_of_tiers(saved, configurations),
        front: { rule: FRONT_RULES.strict, cost, keys: tier_front(entrants) },
        note: note_of(saved, summary),
        findings: [
          tier_losses('With the fewest crops answers are worse', summary, full),
          ...(cost === 'latency'
            ? [
                faster_without_loss('A setting is faster by a fifth and loses next to nothing', all),
                flops_order('FLOPs sort the settings as the stopwatch does', entrants),
              ]
            : []),
        ],
      },
    };
  },
  figures: ({ acc_lat_profiling_results: body }) => tier_figures(body),
  tables: ({ acc_lat_profiling_results: body }) => [tier_table(body)],
  findings: ({ acc_lat_profiling_results: { findings } }) => findings,
});
