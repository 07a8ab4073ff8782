import { z } from 'zod';
import { define } from '../lab/define.ts';
import { grows_linearly } from '../lab/findings.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, wholes } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { finding_schema, fit_schema } from '../lab/schema.ts';
import { growth_figure, sweep_figures, sweep_rows, sweep_shape, sweep_table } from '../lab/sweep.ts';
import { line_over } from '../lab/typical.ts';

const look = {
  axis: 'max_new_tokens',
  label: 'New tokens',
  breakdown: 'exp4_output_tokens_vs_latency_breakdown',
  parts: 'exp4_output_tokens_parts',
} as const;

/** Lengths are forced: an answer that ends early would mix them. One token comes out of prefill and needs no decode step. */
export const output_tokens = define({
  name: 'output-tokens',
  aliases: ['exp4_output_tokens', 'profiling-exp4'],
  group: 'profiling',
  title: 'Answer length: what a longer answer costs',
  question: 'How does decode grow with the tokens of the answer?',
  options: {
    newTokens: described(wholes(1, 4000).default([1, 5, 10, 20, 50, 100, 200]), 'new tokens, forced, a cell each', {
      aliases: ['max_new_tokens'],
    }),
  },
  sweeps: ['answer'],
  instrument: latency,
  quick: { options: { newTokens: [1, 5, 10] } },
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
  figures: ({ exp4_output_tokens_scaling_results: { summary, decode_fit } }) => [
    growth_figure('exp4_output_tokens_scaling', 'decode', look, summary, decode_fit),
    ...sweep_figures(look, summary),
  ],
  tables: ({ exp4_output_tokens_scaling_results: { summary } }) => [sweep_table(look, summary)],
  findings: ({ exp4_output_tokens_scaling_results: { findings } }) => findings,
});
