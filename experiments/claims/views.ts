import { z } from 'zod';
import { curve_schema } from '../estimator/curves.ts';
import { scores_schema } from '../estimator/evaluate.ts';
import { depth_schema } from '../lab/depth.ts';
import {
  basis_statistics,
  correlation_schema,
  part_row_schema,
  scaled_statistics_schema,
  statistics_schema,
} from '../lab/derive.ts';
import { type Estimate, estimate_of } from '../lab/judge.ts';
import {
  by_stage,
  type CountsRecord,
  counts_schema,
  finding_schema,
  finite,
  fit_schema,
  kernel_row_schema,
  method_sample_schema,
  routing_schema,
  type StageName,
  summary_schema,
} from '../lab/schema.ts';
import { dataset_schema } from '../lab/schema_dataset.ts';
import type { TimeName } from '../lab/times.ts';
import { ratio_schema } from '../profiling/flops_scaling_ratios.ts';
import { type Found, view } from './claim.ts';

/** What claims read of published files. Fields that no claim reads are left alone, so files may gain some. */

const timed = {
  statistics: statistics_schema,
  scaled: scaled_statistics_schema,
  counters: by_stage(counts_schema),
};
export type Timed = z.infer<z.ZodObject<typeof timed>>;

const e1_row = {
  key: z.string(),
  regime: z.string(),
  prompt: z.string(),
  decode: z.string(),
  num_crops: z.number(),
  prompt_length: z.number(),
  num_output_tokens: z.number(),
};
export const e1_stages = view(
  'e1',
  'e1_stage_latency_breakdown',
  z.looseObject({
    configurations: z.array(
      z.looseObject({ ...e1_row, ...timed, shares: by_stage(finite), methods: z.array(method_sample_schema) }),
    ),
    findings: z.array(finding_schema),
  }),
);
export type E1Row = z.infer<typeof e1_stages.shape>['configurations'][number];

export const e1_parts = view(
  'e1',
  'e1_attention_ffn_breakdown',
  z.looseObject({
    configurations: z.array(
      z.looseObject({
        ...e1_row,
        parts: z.array(part_row_schema),
        kernels: z.array(kernel_row_schema),
        routing: routing_schema.nullable(),
        runs: z.array(z.unknown()),
      }),
    ),
  }),
);

export const e1_flops = view('e1', 'e1_flops_vs_latency', z.looseObject({ correlation: z.array(correlation_schema) }));

const sweep = <A extends string, R extends Readonly<Record<string, z.ZodType>> = Record<never, never>>(
  axis: A,
  row = {} as R,
) => ({
  summary: z.array(
    z.looseObject({
      ...{ prompt_length: z.number(), num_output_tokens: z.number(), ...timed, ...row, [axis]: z.number() },
    } as { prompt_length: z.ZodNumber; num_output_tokens: z.ZodNumber } & typeof timed & R & { [K in A]: z.ZodNumber }),
  ),
});

export const context_rows = view('context', 'exp1_context_scaling_results', z.looseObject(sweep('num_input_tokens')));
export const topk_rows = view('moe-topk', 'exp2_moe_topk_results', z.looseObject(sweep('top_k')));
export const output_rows = view(
  'output-tokens',
  'exp4_output_tokens_scaling_results',
  z.looseObject(sweep('max_new_tokens')),
);
export const picture_rows = view(
  'context-vision',
  'exp1_context_scaling_results',
  z.looseObject(sweep('num_crops', { num_vision_tokens: z.number() })),
);
const flops_ratios = z.looseObject({ findings: z.array(finding_schema), ratios: z.array(ratio_schema) });
export const ratio_rows = view('flops-scaling', 'flops_scaling_analysis', flops_ratios);
export const block_rows = view(
  'block-mask',
  'exp3_transformer_blocks_mask_results',
  z.looseObject({
    ...sweep('num_active_blocks', { num_total_blocks: z.number(), active_block_indices: z.array(z.number()) }),
    depth: depth_schema.nullable(),
    findings: z.array(finding_schema),
  }),
);
export const topk_vision_rows = view(
  'topk-vision',
  'topk_vision_results',
  z.looseObject({
    ...sweep('top_k_vision'),
    savings: z.array(
      z.looseObject({
        top_k_vision: z.number(),
        time_share: finite.nullable(),
        flops_share: finite.nullable(),
      }),
    ),
  }),
);
export const topk_layers_rows = view(
  'topk-layers',
  'topk_layers_results',
  z.looseObject({
    summary: z.array(z.looseObject({ pattern: z.string(), experts_in_all: z.number(), statistics: statistics_schema })),
  }),
);

const found_on = <S extends Readonly<Record<string, z.ZodType>>>(more: S) =>
  z.looseObject({ dataset: dataset_schema, findings: z.array(finding_schema), ...more });
export const sample_rows = view(
  'motivation-exp1',
  'exp1_latency_distribution',
  found_on({ statistics: summary_schema.nullable(), scaled_statistics: summary_schema.nullable() }),
);
const prompt_times = { T_vision_total: finite.nullable(), T_LLM_prefill: finite.nullable() };
export const component_rows = view(
  'motivation-exp2',
  'exp2_component_profiling',
  found_on({ results: z.array(z.looseObject({ ...prompt_times, scaled: z.looseObject(prompt_times).nullable() })) }),
);
export type SampleTimes = z.infer<typeof component_rows.shape>['results'][number];
export const length_rows = view(
  'motivation-exp4',
  'exp4_language_tokens_vs_latency',
  found_on({
    decode_fit: fit_schema.nullable(),
    lengths: z.array(
      z.looseObject({
        ...{ n: z.number(), num_output_tokens: finite, prompt_ms: finite, decode_ms: finite.nullable() },
      }),
    ),
  }),
);

export const e2_grid = view(
  'e2',
  'e2_knob_grid_results',
  z.looseObject({
    configurations: z.array(
      z.looseObject({ key: z.string(), prompt_length: z.number(), num_output_tokens: z.number(), ...timed }),
    ),
  }),
);
export type GridRow = z.infer<typeof e2_grid.shape>['configurations'][number];
export const e2_coupling = view(
  'e2',
  'e2_coupling_analysis',
  z.looseObject({
    interactions: z.array(z.looseObject({ time: z.string(), share: finite })),
    findings: z.array(finding_schema),
  }),
);
export const m1_rows = view(
  'm1',
  'm1_workload_contrast',
  z.looseObject({
    workloads: z.array(z.looseObject({ workload: z.string(), shares: by_stage(finite) })),
    configurations: z.array(z.looseObject({ statistics: statistics_schema })),
    sensitivity: z.array(z.looseObject({ basis: z.string() })),
    findings: z.array(finding_schema),
  }),
);
export const m2_rows = view(
  'm2',
  'm2_repeatability_results',
  z.looseObject({
    configurations: z.array(
      z.looseObject({
        runs: z.number(),
        CoV: z.record(z.string(), finite.nullable()),
        precision: z.array(z.strictObject({ n: z.number(), half_width: finite })),
      }),
    ),
    findings: z.array(finding_schema),
  }),
);
/** Its statistics are those of the whole model already, where a slice of it ran. */
export const vision_rows = view(
  'motivation-exp3',
  'exp3_vision_tokens_vs_latency',
  z.looseObject({
    results: z.array(
      z.looseObject({
        ...{ num_crops: z.number(), num_vision_tokens: z.number(), statistics: statistics_schema },
        by_method: method_sample_schema.nullable(),
      }),
    ),
  }),
);
export const flops_rows = view(
  'motivation-exp5',
  'exp5_flops_vs_latency',
  z.looseObject({
    statistics: z.looseObject({ combined: z.looseObject({ r_squared: finite.nullable() }).nullable() }),
    inputs: z.array(z.looseObject({ runs: z.number() })),
    findings: z.array(finding_schema),
  }),
);

export const e3_calibration = view(
  'e3',
  'e3_calibration_results',
  z.looseObject({ held_out: z.record(z.string(), scores_schema) }),
);
export const e3_transfer = view(
  'e3',
  'e3_transfer_curves',
  z.looseObject({
    adapters: z.array(z.looseObject({ from: z.string(), other_adapter: z.boolean(), curves: z.array(curve_schema) })),
  }),
);

/** A median with its interval: of the whole model, where a slice of it ran. */
export const time_of = (row: Pick<Timed, 'statistics' | 'scaled'> | undefined, time: TimeName): Estimate | null =>
  row === undefined ? null : estimate_of(basis_statistics(row)[time]);

/** Plain runs of each request, at least. */
export const fewest_runs = ({ body }: Found<{ readonly configurations: readonly Timed[] }>): number =>
  Math.min(...body.configurations.map(({ statistics }) => statistics.T_total?.n ?? 0));

/** Exact, of the same model as the times. */
export const counts_of = (row: Pick<Timed, 'scaled' | 'counters'>, stage: StageName): CountsRecord | undefined =>
  (row.scaled ?? row).counters[stage];

export const bytes_of = ({ weight_bytes, read_bytes, written_bytes, kv_bytes }: CountsRecord): number =>
  weight_bytes + read_bytes + written_bytes + kv_bytes;

/** The row where a number is this; undefined where none is. */
export const row_at = <R, K extends keyof R>(rows: readonly R[], key: K, value: R[K]): R | undefined =>
  rows.find((row) => row[key] === value);

export const least_by = <R>(rows: readonly R[], of: (row: R) => number): R | undefined =>
  rows.reduce<R | undefined>((least, row) => (least === undefined || of(row) < of(least) ? row : least), undefined);

export const most_by = <R>(rows: readonly R[], of: (row: R) => number): R | undefined =>
  least_by(rows, (row) => -of(row));
