import { z } from 'zod';
import { define } from '../lab/define.ts';
import { percentiles_of, percentiles_shape } from '../lab/derive.ts';
import { grows, grows_linearly, stage_dominates } from '../lab/findings.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { growth_charts, medians_note } from '../lab/latency_charts.ts';
import { described, whole } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { type Configuration, count, finding_schema, fit_schema } from '../lab/schema.ts';
import { sweep_figures, sweep_rows, sweep_shape, sweep_table, time_series } from '../lab/sweep.ts';
import { line_over } from '../lab/typical.ts';

const look = {
  axis: 'num_crops',
  label: 'Vision tokens',
  breakdown: 'exp1_vision_tokens_vs_latency_breakdown',
  parts: 'exp1_vision_tokens_parts',
  stacks: [
    { title: 'Before the first token', times: ['T_vision_encoder', 'T_projector', 'T_LLM_prefill'] },
    { title: 'A decode step', times: ['T_decode_per_token'] },
  ],
} as const;

const cell_shape = {
  /** "width x height" as 784x336; rows and columns of crops as 1x3. */
  resolution: z.string(),
  grid: z.string(),
  /** Three things that are all called vision tokens; the third, num_vision_tokens, is what the prompt gets. */
  num_vit_patches: count,
  num_pooled_tokens: count,
};
const cell_fields = ({ tokens: { image_size, tiling, vit_patches, pooled_vision_tokens } }: Configuration) => ({
  resolution: image_size ?? '',
  grid: (tiling ?? []).join('x'),
  num_vit_patches: vit_patches,
  num_pooled_tokens: pooled_vision_tokens,
});

/** One row of crops that grows: 224 more pixels of width are one crop more, and 96 more tokens in the prompt. */
export const context_vision = define({
  name: 'context-vision',
  aliases: ['exp_context_scaling', 'profiling-exp1-vision'],
  group: 'profiling',
  title: 'Picture size: what more vision tokens cost',
  question: 'How do the vision encoder and prefill grow with the crops of a picture?',
  options: {
    maxGridSize: described(whole(1, 64).default(12), 'a cell for each row of 1 to so many crops', {
      aliases: ['max_grid_size'],
    }),
  },
  sweeps: ['image'],
  instrument: latency,
  quick: { options: { maxGridSize: 3 }, repeats: { runs: 2 } },
  cells: (on, { maxGridSize }) =>
    Array.from({ length: maxGridSize }, (_, i) => {
      const tiling = [1, i + 1] as const;
      // The overview is a crop too.
      const settings = { num_crops: i + 2 };
      const ask = { image: rings_of_tiling(on.config, tiling), tiling };
      return cell_of(on, settings, ask, { prompt: 'Describe this image.', new_tokens: 2 });
    }),
  files: {
    exp1_context_scaling_results: {
      /** Percentiles of a row are of T_LLM_prefill. */
      ...sweep_shape('num_crops', cell_shape, percentiles_shape),
      /** ms over ViT patches; ms over all positions of the prompt. */
      vision_encoder_fit: fit_schema.nullable(),
      prefill_fit: fit_schema.nullable(),
      findings: z.array(finding_schema),
    },
  },
  schema_names: { exp1_context_scaling_results: 'exp1_context_vision_results' },
  derive: ({ configurations }) => {
    const steps = configurations.map((one) => ({ x: Number(one.settings.num_crops), one }));
    const vision_encoder_fit = line_over(configurations, 'vision_encoder', ({ vit_patches }) => vit_patches);
    const prefill_fit = line_over(configurations, 'prefill', ({ prompt_length }) => prompt_length);
    const prefill = (one: Configuration) => percentiles_of(one, 'T_LLM_prefill');
    return {
      exp1_context_scaling_results: {
        ...sweep_rows('num_crops', configurations, cell_fields, prefill),
        ...{ vision_encoder_fit, prefill_fit },
        findings: [
          grows('Prefill takes longer with every crop', 'T_LLM_prefill', steps, 'crops'),
          grows_linearly('Prefill grows linearly with the vision tokens', prefill_fit, 'prompt position', 'sizes'),
          grows_linearly('The vision encoder grows linearly with the crops', vision_encoder_fit, 'patch', 'sizes'),
          stage_dominates('Prefill dominates, however large the picture', 'prefill', configurations, 'a picture'),
        ],
      },
    };
  },
  figures: ({ exp1_context_scaling_results: { summary, vision_encoder_fit, prefill_fit } }) => {
    const encoder = time_series(summary, 'T_vision_encoder', ({ num_vit_patches }) => num_vit_patches);
    const prefill = time_series(summary, 'T_LLM_prefill', ({ prompt_length }) => prompt_length);
    return [
      ...sweep_figures(look, summary, ({ num_vision_tokens, grid }) => [String(num_vision_tokens), grid]),
      {
        name: 'exp1_vision_tokens_scaling',
        title: 'Vision encoder and prefill over the size of the picture',
        notes: [medians_note([encoder, prefill], ['host wall time between fences'])],
        panels: [
          ...growth_charts(
            'vision_encoder',
            { title: 'Vision encoder', tokens: 'ViT patches' },
            [encoder],
            vision_encoder_fit,
          ),
          ...growth_charts('prefill', { title: 'Prefill', tokens: 'Prompt, vision and text' }, [prefill], prefill_fit),
        ],
      },
    ];
  },
  tables: ({ exp1_context_scaling_results: { summary } }) => [sweep_table(look, summary)],
  findings: ({ exp1_context_scaling_results: { findings } }) => findings,
});
