import { z } from 'zod';
import { median_bar, share_bar } from './bars.ts';
import { error_bar, runs_note } from './captions.ts';
import type { Bar, Figure } from './charts.ts';
import {
  basis_statistics,
  part_row_schema,
  parts_by_stage,
  scaled_statistics_of,
  scaled_statistics_schema,
  statistics_of,
  statistics_schema,
} from './derive.ts';
import { growth_charts } from './latency_charts.ts';
import {
  by_stage,
  type Configuration,
  count,
  counts_schema,
  type FitRecord,
  sample_schema,
  summary_schema,
} from './schema.ts';
import type { Table } from './tables.ts';
import { STAGE_TIME } from './times.ts';
import { interval_name } from './words.ts';

/** What experiments share that turn one thing and watch prefill and a decode step: rows, samples, two figures, a table. */

const row_shape = {
  /** Inserted in the prompt; of the text, template included; both with what frames them; made. */
  num_vision_tokens: count,
  num_input_text_tokens: count,
  prompt_length: count,
  num_output_tokens: count,
  /** T_LLM_prefill, T_LLM_decode, and T_LLM_decode a step. */
  prefill: summary_schema.nullable(),
  decode: summary_schema.nullable(),
  decode_step: summary_schema.nullable(),
  statistics: statistics_schema,
  scaled: scaled_statistics_schema,
  counters: by_stage(counts_schema),
  parts: z.array(part_row_schema),
};

/** The `summary` and `all_samples` of a sweep over this axis. */
export const sweep_shape = <A extends string>(axis: A) => ({
  summary: z.array(
    z.strictObject({ [axis]: z.number(), ...row_shape } as { [K in A]: z.ZodNumber } & typeof row_shape),
  ),
  all_samples: z.array(
    sample_schema.extend({ sample_id: z.int(), [axis]: z.number() } as { sample_id: z.ZodInt } & {
      [K in A]: z.ZodNumber;
    }),
  ),
});

export type SweepRow = z.infer<z.ZodObject<typeof row_shape>>;

export function sweep_rows<A extends string>(axis: A, configurations: readonly Configuration[]) {
  const at = (one: Configuration) => ({ [axis]: Number(one.settings[axis]) }) as { [K in A]: number };
  return {
    summary: configurations.map((one) => {
      const statistics = statistics_of(one);
      const { T_LLM_prefill, T_LLM_decode, T_decode_per_token } = statistics;
      const { inserted_vision_tokens, text_tokens, prompt_length, num_output_tokens } = one.tokens;
      return {
        ...at(one),
        ...{ num_vision_tokens: inserted_vision_tokens, num_input_text_tokens: text_tokens },
        ...{ prompt_length, num_output_tokens },
        ...{ prefill: T_LLM_prefill, decode: T_LLM_decode, decode_step: T_decode_per_token },
        ...{ statistics, scaled: scaled_statistics_of(one), counters: one.counters, parts: parts_by_stage(one).parts },
      };
    }),
    all_samples: configurations.flatMap((one) =>
      one.clean.samples.map((sample, sample_id) => ({ sample_id, ...at(one), ...sample })),
    ),
  };
}

/** Names of its figures, and what the axis is called on them. */
export interface SweepLook<A extends string> {
  readonly axis: A;
  readonly label: string;
  readonly breakdown: string;
  readonly parts: string;
}

type Rows<A extends string> = readonly (SweepRow & { readonly [K in A]: number })[];

/** Before the first token and a decode step, side by side; and what both spend their time on. */
export function sweep_figures<A extends string>(look: SweepLook<A>, rows: Rows<A>): Figure[] {
  const bars = (of: (row: Rows<A>[number], label: string[]) => Bar | null) =>
    rows.flatMap((row) => of(row, [String(row[look.axis])]) ?? []);
  const stack = { kind: 'stack', categories: look.label } as const;
  const ms = { label: 'Latency (ms)' };
  const medians = (title: string, times: Parameters<typeof median_bar>[2]) => ({
    ...{ ...stack, title, value: ms },
    bars: bars((row, label) => median_bar(label, row, times)),
  });
  const parts = (['prefill', 'decode'] as const).map((stage) => ({
    ...{ ...stack, title: stage, shares: true, value: { label: 'GPU time (%)' } },
    bars: bars((row, label) => share_bar(label, row.parts, stage)),
  }));
  const counts = [...new Set(rows.map((row) => row.prefill?.n ?? 0))];
  const bar_note = counts.some((n) => n > 1) ? `; error bars: ${interval_name(Math.min(...counts))}` : '';
  const figures: Figure[] = [
    {
      name: look.breakdown,
      title: `Latency over ${look.label.toLowerCase()}`,
      notes: [`median of ${counts.join(' or ')} runs${bar_note}; host wall time between fences`],
      panels: [
        medians('Before the first token', ['T_vision_total', 'T_LLM_prefill']),
        medians('A decode step', ['T_decode_per_token']),
      ].filter((panel) => panel.bars.length > 0),
    },
    {
      name: look.parts,
      title: 'What prefill and decode spend their time on',
      notes: ['GPU time of the instrumented runs'],
      panels: parts.filter((panel) => panel.bars.length > 0),
    },
  ];
  return figures.filter(({ panels }) => panels.length > 0);
}

/** A stage's median over the tokens it goes through, with its line. */
export function growth_figure(
  name: string,
  stage: 'prefill' | 'decode',
  look: { readonly label: string },
  rows: readonly SweepRow[],
  fit: FitRecord | null,
): Figure {
  const points = rows.flatMap((row) => {
    const summary = basis_statistics(row)[STAGE_TIME[stage]];
    const x = stage === 'prefill' ? row.prompt_length : row.num_output_tokens - 1;
    return summary ? [{ x, y: summary.median, ...error_bar(summary), n: summary.n }] : [];
  });
  const over = { title: '', tokens: stage === 'prefill' ? 'Prompt, vision and text' : 'Decode steps' };
  return {
    name,
    title: `${stage === 'prefill' ? 'Prefill' : 'Decode'} over ${look.label.toLowerCase()}`,
    notes: [
      runs_note(
        points.map(({ n }) => n),
        ['host wall time between fences'],
      ),
    ],
    panels: growth_charts(stage, over, [{ name: '', look: stage, points }], fit),
  };
}

export function sweep_table<A extends string>({ axis, label }: SweepLook<A>, rows: Rows<A>): Table {
  return {
    title: label.toLowerCase(),
    columns: [
      { name: axis, unit: 'count' },
      { name: 'prefill', unit: 'ms' },
      { name: 'decode a step', unit: 'ms' },
      { name: 'prefill FLOPs', unit: 'flop' },
      { name: 'weight bytes a step', unit: 'bytes' },
    ],
    rows: rows.map((row) => {
      const { T_LLM_prefill, T_decode_per_token } = basis_statistics(row);
      const { prefill, decode } = (row.scaled ?? row).counters;
      const steps = row.decode && row.decode_step ? Math.round(row.decode.median / row.decode_step.median) : 0;
      return [
        row[axis],
        T_LLM_prefill?.median ?? null,
        T_decode_per_token?.median ?? null,
        prefill?.flops ?? null,
        decode && steps > 0 ? decode.weight_bytes / steps : null,
      ];
    }),
    note: `Medians of ${rows[0]?.prefill?.n ?? 0} runs; counts are exact.`,
  };
}
