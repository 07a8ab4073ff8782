import { z } from 'zod';
import { described } from '../lab/options.ts';
import { define_reading } from '../lab/reading.ts';
import { flops_latency_figures, flops_latency_tables } from './flops_latency_figures.ts';
import { derive_flops_latency, flops_latency_shape, SOURCES, X_AXES } from './flops_latency_file.ts';

/** Longer prompts and longer answers over their FLOPs: each is a line by itself, together they are none. */
export const motivation_exp5 = define_reading({
  name: 'motivation-exp5',
  aliases: ['exp5_flops_vs_latency', 'flops-vs-latency'],
  group: 'motivation',
  title: 'Motivation 5: FLOPs and latency',
  question: 'Do FLOPs say how long a request takes, whether it is long for its picture or for its answer?',
  options: {
    xAxis: described(z.enum(X_AXES).default('flops'), 'what figures are drawn over: flops or tokens', {
      aliases: ['x_axis'],
    }),
  },
  reads: SOURCES,
  files: { exp5_flops_vs_latency: flops_latency_shape },
  derive: (inputs, { xAxis }) => ({ exp5_flops_vs_latency: { x_axis: xAxis, ...derive_flops_latency(inputs) } }),
  figures: ({ exp5_flops_vs_latency: file }) => flops_latency_figures(file),
  tables: ({ exp5_flops_vs_latency: file }) => flops_latency_tables(file),
  findings: ({ exp5_flops_vs_latency: { findings } }) => findings,
});
