import { z } from 'zod';
import { define } from '../lab/define.ts';
import { grows, not_faster_than } from '../lab/findings.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, wholes } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { finding_schema } from '../lab/schema.ts';
import { sweep_figures, sweep_rows, sweep_shape, sweep_table } from '../lab/sweep.ts';

const look = {
  axis: 'top_k',
  label: 'Experts a token',
  breakdown: 'exp2_moe_topk_vs_latency_breakdown',
  parts: 'exp2_moe_topk_parts',
} as const;

/** Experts a token: each one more is more weights read in a decode step and more products in prefill. */
export const moe_topk = define({
  name: 'moe-topk',
  aliases: ['exp2_moe_topk', 'exp_moe_topk', 'profiling-exp2'],
  group: 'profiling',
  title: 'Experts a token: what they cost',
  question: 'How do prefill and a decode step grow with the experts that each token takes?',
  options: {
    topK: described(wholes(1, 64).default([1, 2, 4, 8]), 'experts a token takes, a cell each', {
      aliases: ['top_k_values'],
    }),
  },
  sweeps: ['topK'],
  instrument: latency,
  quick: { options: { topK: [1, 8] } },
  cells: (on, { topK }) =>
    topK.map((k) =>
      cell_of(
        on,
        { top_k: k },
        { knobs: { topK: k } },
        { image: rings_of_tiling(on.config, [1, 1]), prompt: 'Describe this image.', new_tokens: 10 },
      ),
    ),
  files: { exp2_moe_topk_results: { ...sweep_shape('top_k'), findings: z.array(finding_schema) } },
  derive: ({ configurations }) => {
    const steps = configurations.map((one) => ({ x: Number(one.settings.top_k), one }));
    return {
      exp2_moe_topk_results: {
        ...sweep_rows('top_k', configurations),
        findings: [
          grows('Prefill takes longer with more experts a token', 'T_LLM_prefill', steps, look.label),
          grows('A decode step takes longer with more experts a token', 'T_decode_per_token', steps, look.label),
          not_faster_than('Latency grows far slower than the experts a token takes', 'T_decode_per_token', steps, 0.5),
        ],
      },
    };
  },
  figures: ({ exp2_moe_topk_results: { summary } }) => sweep_figures(look, summary),
  tables: ({ exp2_moe_topk_results: { summary } }) => [sweep_table(look, summary)],
  findings: ({ exp2_moe_topk_results: { findings } }) => findings,
});
