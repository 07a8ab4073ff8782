import { z } from 'zod';
import { define } from '../lab/define.ts';
import { grows, grows_linearly } from '../lab/findings.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, wholes } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { finding_schema, fit_schema } from '../lab/schema.ts';
import { growth_figure, sweep_figures, sweep_rows, sweep_shape, sweep_table } from '../lab/sweep.ts';
import { line_over } from '../lab/typical.ts';

/** 50 to 1450 in steps of 100, and 1500. */
const LENGTHS = [...Array.from({ length: 15 }, (_, i) => 50 + 100 * i), 1500];

const look = {
  axis: 'num_input_tokens',
  label: 'Text tokens',
  breakdown: 'exp1_context_vs_latency_breakdown',
  parts: 'exp1_context_parts',
} as const;

/** The picture stays, the text grows: at these lengths prefill is a line, since products with weights are nearly all of it. */
export const context = define({
  name: 'context',
  aliases: ['exp1_context_scaling', 'profiling-exp1'],
  group: 'profiling',
  title: 'Text length: what a longer prompt costs',
  question: 'How does prefill grow with the text of a prompt, and does attention bend the line?',
  options: {
    lengths: described(wholes(1, 4000).default(LENGTHS), 'text tokens of the prompt, template included, a cell each'),
  },
  sweeps: ['prompt'],
  instrument: latency,
  quick: { options: { lengths: [50, 250, 450] } },
  cells: (on, { lengths }) =>
    lengths.map((tokens) =>
      cell_of(
        on,
        { num_input_tokens: tokens },
        { prompt_tokens: tokens },
        { image: rings_of_tiling(on.config, [1, 1]), new_tokens: 2 },
      ),
    ),
  files: {
    exp1_context_scaling_results: {
      ...sweep_shape('num_input_tokens'),
      /** ms over all positions of the prompt, picture and text. */
      prefill_fit: fit_schema.nullable(),
      findings: z.array(finding_schema),
    },
  },
  derive: ({ configurations }) => {
    const steps = configurations.map((one) => ({ x: Number(one.settings.num_input_tokens), one }));
    const fit = line_over(configurations, 'prefill', ({ prompt_length }) => prompt_length);
    return {
      exp1_context_scaling_results: {
        ...sweep_rows('num_input_tokens', configurations),
        prefill_fit: fit,
        findings: [
          grows('Prefill takes longer with every longer text', 'T_LLM_prefill', steps, look.label),
          grows_linearly('Prefill grows linearly with the text', fit, 'prompt position'),
        ],
      },
    };
  },
  figures: ({ exp1_context_scaling_results: { summary, prefill_fit } }) => [
    growth_figure('exp1_context_scaling', 'prefill', look, summary, prefill_fit),
    ...sweep_figures(look, summary),
  ],
  tables: ({ exp1_context_scaling_results: { summary } }) => [sweep_table(look, summary)],
  findings: ({ exp1_context_scaling_results: { findings } }) => findings,
});
