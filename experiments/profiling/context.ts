import { z } from 'zod';
import { UsageError } from '../../engine/errors.ts';
import { define } from '../lab/define.ts';
import { percentiles_of, percentiles_shape } from '../lab/derive.ts';
import { grows, grows_linearly } from '../lab/findings.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, whole, wholes } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { finding_schema, fit_schema } from '../lab/schema.ts';
import { growth_figure, sweep_figures, sweep_rows, sweep_shape, sweep_table } from '../lab/sweep.ts';
import { line_over } from '../lab/typical.ts';

const SHORTEST = 50;
const LONGEST = 1500;
const STEP = 100;
const MOST = 4000;

/** From 50 in steps, and the longest itself: by default 50, 150 ... 1450 and 1500. */
function ladder(longest: number, step: number): number[] {
  const steps = Math.floor(Math.max(0, longest - SHORTEST) / step) + 1;
  const lengths = Array.from({ length: steps }, (_, i) => Math.min(longest, SHORTEST + step * i));
  return [...new Set([...lengths, longest])];
}

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
    lengths: described(wholes(1, MOST).optional(), 'text tokens of the prompt, template included, a cell each'),
    maxLength: described(whole(1, MOST).optional(), `longest text, instead of a list (${LONGEST})`, {
      aliases: ['max_length'],
    }),
    stepSize: described(whole(1, MOST).optional(), `from ${SHORTEST} to it in steps of so many (${STEP})`, {
      aliases: ['step_size'],
    }),
  },
  sweeps: ['prompt'],
  instrument: latency,
  quick: { options: { maxLength: 450, stepSize: 200 }, repeats: { runs: 2 } },
  check: (_, given) => {
    if (!given.has('lengths') || !(given.has('maxLength') || given.has('stepSize'))) return;
    throw new UsageError('lengths: names each length; leave --max-length and --step-size out');
  },
  cells: (on, { lengths, maxLength = LONGEST, stepSize = STEP }) =>
    (lengths ?? ladder(maxLength, stepSize)).map((tokens) =>
      cell_of(
        on,
        { num_input_tokens: tokens },
        { prompt_tokens: tokens },
        { image: rings_of_tiling(on.config, [1, 1]), new_tokens: 2 },
      ),
    ),
  files: {
    exp1_context_scaling_results: {
      /** Percentiles of a row are of T_LLM_prefill. */
      ...sweep_shape('num_input_tokens', {}, percentiles_shape),
      /** ms over all positions of the prompt, picture and text. */
      prefill_fit: fit_schema.nullable(),
      findings: z.array(finding_schema),
    },
  },
  derive: ({ configurations }) => {
    const steps = configurations.map((one) => ({ x: Number(one.settings.num_input_tokens), one }));
    const fit = line_over(configurations, 'prefill', ({ prompt_length }) => prompt_length);
    const prefill = (one: (typeof configurations)[number]) => percentiles_of(one, 'T_LLM_prefill');
    return {
      exp1_context_scaling_results: {
        ...sweep_rows('num_input_tokens', configurations, undefined, prefill),
        prefill_fit: fit,
        findings: [
          grows('Prefill takes longer with every longer text', 'T_LLM_prefill', steps, look.label),
          grows_linearly('Prefill grows linearly with the text', fit, 'prompt position'),
        ],
      },
    };
  },
  figures: ({ exp1_context_scaling_results: { summary, prefill_fit } }) => [
    growth_figure('context_scaling_plot', 'prefill', look, summary, prefill_fit),
    ...sweep_figures(look, summary),
  ],
  tables: ({ exp1_context_scaling_results: { summary } }) => [sweep_table(look, summary)],
  findings: ({ exp1_context_scaling_results: { findings } }) => findings,
});
