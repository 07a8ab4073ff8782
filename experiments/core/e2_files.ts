import { z } from 'zod';
import type { Files } from '../lab/define.ts';
import {
  part_row_schema,
  parts_by_stage,
  scaled_statistics_of,
  scaled_statistics_schema,
  statistics_of,
  statistics_schema,
} from '../lab/derive.ts';
import { BLOCK_CHOICES, RULES, STRATEGIES } from '../lab/sampling.ts';
import {
  by_stage,
  type Configuration,
  count,
  counts_schema,
  finding_schema,
  finite,
  flops_schema,
  sample_schema,
  skipped_schema,
  strings,
  token_counts_schema,
} from '../lab/schema.ts';
import { times_of } from '../lab/typical.ts';
import { coupling_shape, type KnobCell } from './coupling.ts';

const row_schema = z.strictObject({
  key: z.string(),
  crops: count,
  top_k: count,
  num_active_blocks: count,
  num_total_blocks: count,
  active_block_indices: z.array(count),
  ...token_counts_schema.shape,
  statistics: statistics_schema,
  scaled: scaled_statistics_schema,
  samples: z.array(sample_schema),
  parts: z.array(part_row_schema),
  counters: by_stage(counts_schema),
  flops: flops_schema,
  /** Of answers: not measured by this experiment. */
  accuracy: finite.nullable(),
  accuracy_std: finite.nullable(),
  warnings: strings,
});
export type GridRow = z.infer<typeof row_schema>;

export const e2_shapes = {
  e2_knob_grid_results: {
    /** Which points were chosen, and how. */
    grid: z.strictObject({
      sampling: z.enum(STRATEGIES),
      sampling_rule: z.enum(RULES),
      sampling_seed: count,
      block_choice: z.enum(BLOCK_CHOICES),
    }),
    configurations: z.array(row_schema),
    skipped: z.array(skipped_schema),
  },
  e2_coupling_analysis: { ...coupling_shape, findings: z.array(finding_schema) },
};
export type E2Files = Files<typeof e2_shapes>;

const knobs_of = ({ settings }: Pick<Configuration, 'settings'>) => ({
  crops: Number(settings.crops),
  top_k: Number(settings.top_k),
  num_active_blocks: Number(settings.num_active_blocks),
});

export const knob_cell = (one: Configuration): KnobCell => ({
  ...knobs_of(one),
  times: {
    T_total: times_of(one, 'T_total'),
    T_vision_total: times_of(one, 'T_vision_total'),
    T_LLM_prefill: times_of(one, 'T_LLM_prefill'),
    T_decode_per_token: times_of(one, 'T_decode_per_token'),
  },
});

export function grid_row(one: Configuration, num_total_blocks: number): GridRow {
  const knobs = knobs_of(one);
  const blocks = one.knobs.blocks as number[] | undefined;
  return {
    key: one.key,
    ...knobs,
    num_total_blocks,
    active_block_indices: blocks ?? Array.from({ length: num_total_blocks }, (_, i) => i),
    ...one.tokens,
    statistics: statistics_of(one),
    scaled: scaled_statistics_of(one),
    samples: one.clean.samples,
    parts: parts_by_stage(one).parts,
    counters: one.counters,
    flops: one.flops,
    accuracy: null,
    accuracy_std: null,
    warnings: one.warnings,
  };
}
