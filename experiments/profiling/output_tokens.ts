import { z } from 'zod';
import { define } from '../lab/define.ts';
import { grows_linearly } from '../lab/findings.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, wholes } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { finding_schema, fit_schema } from '../lab/schema.ts';
import { growth_figure, sweep_figures, sweep_rows, sweep_shape, sweep_table, time_series } from '../lab/sweep.ts';
import { line_over } from '../lab/typical.ts';

const look = {
  axis: 'max_new_tokens',
  label: 'New tokens',
  breakdown: 'exp4_output_tokens_vs_latency_breakdown',
  parts: 'exp4_output_tokens_parts',
  stacks: [
    { title: 'A whole request', times: ['T_vision_total', 'T_LLM_prefill', 'T_LLM_decode'] },
    { title: 'A decode step', times: ['T_decode_per_token'] },
  ],
} as const;

/** Over two logarithmic axes a constant, a line and their sum tell themselves apart. */
const TIMES = ['T_total', 'T_LLM_decode', 'T_LLM_prefill', 'T_vision_total'] as const;

/** Lengths are forced: an answer that ends early would mix them. One token comes out of prefill and needs no decode step. */
export const output_tokens = define({
  name: 'output-tokens',
  aliases: ['exp4_output_tokens', 'profiling-exp4'],
  group: 'profiling',
  title: 'Answer length: what a longer answer costs',
  question: 'How does decode grow with the tokens of the answer?',
  options: {
    newTokens: described(wholes(1, 4096).default([1, 5, 10, 20, 50, 100, 200]), 'new tokens, forced, a cell each', {
      aliases: ['max_new_tokens'],
    }),
  },
  sweeps: ['answer'],
  instrument: latency,
  quick: { options: { newTokens: [1, 5, 10, 20] }, repeats: { runs: 2 } },
  cells: (on, { newTokens }) =>
    newTokens.map((tokens) =>
      cell_of(
        on,
        { max_new_tokens: tokens },
        { new_tokens: tokens },
        { image: rings_of_tiling(on.config, [1, 1]), prompt: 'Describe this image.' },
      ),
    ),
  files: {
    exp4_output_tokens_scaling_results: {
      ...sweep_shape('max_new_tokens'),
      /** ms over decode steps. */
      decode_fit: fit_schema.nullable(),
      findings: z.array(finding_schema),
    },
  },
  derive: ({ configurations }) => {
    const fit = line_over(configurations, 'decode', ({ decode_steps }) => decode_steps);
    return {
      exp4_output_tokens_scaling_results: {
        ...sweep_rows('max_new_tokens', configurations),
        decode_fit: fit,
        findings: [grows_linearly('Decode grows linearly with the answer', fit, 'step')],
      },
    };
  },
  figures: ({ exp4_output_tokens_scaling_results: { summary, decode_fit } }) => {
    const growth = growth_figure('exp4_output_tokens_scaling', 'decode', look, summary, decode_fit);
    const scale = 'log' as const;
    const axes = { x: { label: 'New tokens', scale }, y: { label: 'Latency (ms)', scale } };
    const all = TIMES.map((time) => time_series(summary, time, ({ max_new_tokens }) => max_new_tokens));
    const series = all.filter(({ points }) => points.length > 0);
    return [
      ...sweep_figures(look, summary),
      {
        ...growth,
        panels: [
          ...growth.panels.map((panel) => ({ ...panel, title: 'Decode' })),
          { kind: 'lines', title: 'A whole request', ...axes, series },
        ],
      },
    ];
  },
  tables: ({ exp4_output_tokens_scaling_results: { summary } }) => [sweep_table(look, summary)],
  findings: ({ exp4_output_tokens_scaling_results: { findings } }) => findings,
});
