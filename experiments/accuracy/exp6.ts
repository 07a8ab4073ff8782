import { z } from 'zod';
import { define } from '../lab/define.ts';
import { answers } from '../lab/instruments.ts';
import { latency_levels } from '../lab/knob_levels.ts';
import { described } from '../lab/options.ts';
import { LATENCY_METRICS } from '../lab/pareto.ts';
import { exp6_figures, exp6_tables } from './exp6_figures.ts';
import * as file from './knob_files.ts';
import * as grid from './knob_grid.ts';
import * as time from './knob_latency.ts';
import { ON_SAMPLES } from './sweep_experiment.ts';

const metric_schema = z.enum(LATENCY_METRICS);

/** Crops, experts and blocks turned together: answers in batches, and apart from them the latency of some, one by one. */
export const exp6 = define({
  name: 'exp6',
  aliases: ['exp6_latency', 'exp6_accuracy', 'exp6-latency'],
  group: 'accuracy',
  title: 'Combined knobs: latency with accuracy',
  question: 'Which settings of crops, experts a token and blocks answer best for the time they take?',
  options: {
    ...grid.grid_options({ strategy: 'balanced', blocks: 'seeded' }),
    latencyMetric: described(
      metric_schema.default('mean'),
      `of latency, what fronts go by: ${LATENCY_METRICS.join(', ')}`,
      {
        aliases: ['latency_metric'],
      },
    ),
  },
  sweeps: grid.KNOB_SWEEPS,
  instrument: answers,
  dataset: ON_SAMPLES,
  timed: 30,
  needs_times: true,
  quick: { options: { maxCrops: [1, 3, 6], topK: [2, 8], numActiveBlocks: [6, 8], sampling: 'full' } },
  repeats: { runs: 3, warmup: 3, instrumented: 0 },
  check: grid.check_grid,
  cells: (on, options) => grid.grid_cells(on, options, latency_levels),
  files: {
    exp6_latency_results: {
      ...file.grid_file_shape(time.latency_row_shape),
      latency_metric: metric_schema,
      fronts: time.time_fronts_schema,
    },
  },
  each: {
    name: 'exp6_latency_configuration',
    shape: time.timed_file_shape,
    of: (one, saved) => ({ name: `exp6_latency_${grid.cell_name(one)}`, body: time.timed_file_body(one, saved) }),
  },
  derive: (saved, options) => {
    const { latencyMetric: metric } = options;
    const summary = grid.grid_rows(saved).map(time.with_latency);
    const by = (name: time.Time) => file.entered(saved, summary, (row) => time.ms_of(row, name, metric));
    return {
      exp6_latency_results: {
        ...file.grid_body(saved, options, { summary, findings: time.latency_findings(by('total')) }),
        latency_metric: metric,
        fronts: time.time_fronts(by),
      },
    };
  },
  figures: ({ exp6_latency_results: body }) => exp6_figures(body),
  tables: ({ exp6_latency_results: body }) => exp6_tables(body),
  findings: ({ exp6_latency_results: { findings } }) => findings,
});
