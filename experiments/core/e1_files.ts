import { z } from 'zod';
import type { Files, Saved } from '../lab/define.ts';
import {
  correlation_schema,
  correlations,
  part_row_schema,
  parts_by_stage,
  point_schema,
  rates_of,
  rates_schema,
  scaled_statistics_of,
  scaled_statistics_schema,
  statistics_of,
  statistics_schema,
  work_points,
} from '../lab/derive.ts';
import { flops_predict_weakly, LONG_PROMPT, parts_dominate, stage_dominates } from '../lab/findings.ts';
import {
  by_stage,
  type Configuration,
  counts_schema,
  finding_schema,
  finite,
  fit_schema,
  flops_schema,
  instrumented_run_schema,
  kernel_row_schema,
  memory_schema,
  method_sample_schema,
  part_schema,
  routing_schema,
  sample_schema,
  stage_schema,
  token_counts_schema,
} from '../lab/schema.ts';
import { largest_stage, line_over, shares_of } from '../lab/typical.ts';

const cell_shape = {
  key: z.string(),
  regime: z.string(),
  prompt: z.string(),
  decode: z.string(),
  orientation: z.string().optional(),
  ...token_counts_schema.shape,
  clock: z.string(),
};

/** The three published files. */
export const e1_shapes = {
  /** Plain latencies by stage, findings, scaling fits. */
  e1_stage_latency_breakdown: {
    configurations: z.array(
      z.strictObject({
        ...cell_shape,
        statistics: statistics_schema,
        /** Where a slice of the model ran: what its times mean for the whole. Shares, findings and fits then rest on these. */
        scaled: scaled_statistics_schema,
        samples: z.array(sample_schema),
        methods: z.array(method_sample_schema),
        /** Of the sum of the stages' medians. */
        shares: by_stage(finite),
        largest_stage: stage_schema,
        rates: rates_schema,
        peak_memory: memory_schema.nullable().default(null),
        flops: flops_schema,
        counters: by_stage(counts_schema),
        warnings: z.array(z.string()),
      }),
    ),
    findings: z.array(finding_schema),
    scaling: z.strictObject({
      /** ms over prompt positions; ms over decode steps. */
      prefill: fit_schema.nullable(),
      decode: fit_schema.nullable(),
    }),
  },
  /** A point a configuration and stage, and how well FLOPs order and predict them. */
  e1_flops_vs_latency: { points: z.array(point_schema), correlation: z.array(correlation_schema) },
  /** GPU time of the parts of each stage, from the instrumented runs. */
  e1_attention_ffn_breakdown: {
    configurations: z.array(
      z.strictObject({
        ...cell_shape,
        parts: z.array(part_row_schema),
        largest_part: by_stage(part_schema),
        kernels: z.array(kernel_row_schema),
        routing: routing_schema.nullable(),
        runs: z.array(instrumented_run_schema),
      }),
    ),
  },
};
export type E1Files = Files<typeof e1_shapes>;
export type E1Stages = E1Files['e1_stage_latency_breakdown'];
export type E1Flops = E1Files['e1_flops_vs_latency'];
export type E1Parts = E1Files['e1_attention_ffn_breakdown'];

const cell_fields = ({ key, settings, tokens }: Configuration) => ({
  key,
  regime: String(settings.regime),
  prompt: String(settings.prompt),
  decode: String(settings.decode),
  ...(settings.orientation ? { orientation: String(settings.orientation) } : {}),
  ...tokens,
});

export function derive_e1({ configurations }: Saved) {
  const points = work_points(configurations);
  return {
    e1_stage_latency_breakdown: {
      configurations: configurations.map((one) => ({
        ...cell_fields(one),
        clock: one.clean.clock,
        statistics: statistics_of(one),
        scaled: scaled_statistics_of(one),
        samples: one.clean.samples,
        methods: one.methods,
        shares: shares_of(one),
        largest_stage: largest_stage(one),
        rates: rates_of(one),
        peak_memory: one.memory,
        flops: one.flops,
        counters: one.counters,
        warnings: one.warnings,
      })),
      findings: findings_of(configurations),
      scaling: {
        prefill: line_over(configurations, 'prefill', ({ prompt_length }) => prompt_length),
        decode: line_over(configurations, 'decode', ({ decode_steps }) => decode_steps),
      },
    },
    e1_flops_vs_latency: { points, correlation: correlations(points) },
    e1_attention_ffn_breakdown: {
      configurations: configurations.flatMap((one) =>
        one.instrumented === null
          ? []
          : {
              ...cell_fields(one),
              clock: one.instrumented.clock,
              ...parts_by_stage(one),
              kernels: one.instrumented.kernels,
              routing: one.routing,
              runs: one.instrumented.runs,
            },
      ),
    },
  };
}

/** What the study expected, held against what was measured. */
export function findings_of(all: readonly Configuration[]) {
  const few = all.filter(({ settings }) => settings.regime === 'high' && settings.decode === 'short');
  const long_answers = all.filter(({ settings }) => settings.decode === 'long');
  const long_prompts = all.filter(({ tokens }) => tokens.prompt_length >= LONG_PROMPT);
  const experts = { parts: ['moe_experts', 'moe_routing', 'mlp'], as: 'experts and router together are' } as const;
  const attention = { parts: ['attention'], as: 'attention is' } as const;
  return [
    stage_dominates(
      'Prefill dominates where there are many vision tokens',
      'prefill',
      few,
      'the high image regime and a short answer',
    ),
    stage_dominates('Decode dominates long generation', 'decode', long_answers, 'a long answer'),
    parts_dominate(
      'Attention dominates prefill for long sequences',
      'prefill',
      attention,
      long_prompts,
      `a prompt of ${LONG_PROMPT} positions or more`,
    ),
    parts_dominate('FFN and MoE dominate decode', 'decode', experts, all, 'a decode step'),
    flops_predict_weakly('FLOPs correlate weakly with latency', all),
  ];
}
