import { z } from 'zod';
import { look_of, median_bar, name_of, share_bar } from './bars.ts';
import { error_bar } from './captions.ts';
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
import { growth_charts, type Medians, medians_note } from './latency_charts.ts';
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
import { STAGE_TIME, type TimeName } from './times.ts';
import { interval_name } from './words.ts';

/** What experiments share that turn one thing and watch prefill and a decode step: rows, samples, figures, a table. */

const token_shape = {
  /** Inserted in the prompt; of the text, template included; made. */
  num_vision_tokens: count,
  num_input_text_tokens: count,
  num_output_tokens: count,
};

const row_shape = {
  ...token_shape,
  /** Vision and text, and what frames them. */
  prompt_length: count,
  /** T_LLM_prefill, T_LLM_decode, T_LLM_decode a step, T_total. */
  prefill: summary_schema.nullable(),
  decode: summary_schema.nullable(),
  decode_step: summary_schema.nullable(),
  total: summary_schema.nullable(),
  statistics: statistics_schema,
  scaled: scaled_statistics_schema,
  counters: by_stage(counts_schema),
  parts: z.array(part_row_schema),
};

type Fields = Readonly<Record<string, z.ZodType>>;
type None = Record<never, never>;

/** The `summary` and `all_samples` of a sweep over this axis: `cell` is what both say of a cell besides, `row` what only its summary does. */
export const sweep_shape = <A extends string, C extends Fields = None, R extends Fields = None>(
  axis: A,
  cell = {} as C,
  row = {} as R,
) => ({
  summary: z.array(
    z.strictObject({ [axis]: z.number(), ...cell, ...row_shape, ...row } as { [K in A]: z.ZodNumber } & C &
      typeof row_shape &
      R),
  ),
  all_samples: z.array(
    sample_schema.extend({ sample_id: z.int(), [axis]: z.number(), ...cell, ...token_shape } as {
      sample_id: z.ZodInt;
    } & { [K in A]: z.ZodNumber } & C &
      typeof token_shape),
  ),
});

export type SweepRow = z.infer<z.ZodObject<typeof row_shape>>;

export function sweep_rows<A extends string, C extends object = None, R extends object = None>(
  axis: A,
  configurations: readonly Configuration[],
  cell_of: (one: Configuration) => C = () => ({}) as C,
  row_of: (one: Configuration) => R = () => ({}) as R,
) {
  const at = (one: Configuration) => {
    const { inserted_vision_tokens, text_tokens, num_output_tokens } = one.tokens;
    return {
      ...({ [axis]: Number(one.settings[axis]) } as { [K in A]: number }),
      ...cell_of(one),
      ...{ num_vision_tokens: inserted_vision_tokens, num_input_text_tokens: text_tokens, num_output_tokens },
    };
  };
  return {
    summary: configurations.map((one) => {
      const statistics = statistics_of(one);
      const { T_LLM_prefill, T_LLM_decode, T_decode_per_token, T_total } = statistics;
      return {
        ...{ ...at(one), prompt_length: one.tokens.prompt_length },
        ...{ prefill: T_LLM_prefill, decode: T_LLM_decode, decode_step: T_decode_per_token, total: T_total },
        ...{ statistics, scaled: scaled_statistics_of(one), counters: one.counters, parts: parts_by_stage(one).parts },
        ...row_of(one),
      };
    }),
    all_samples: configurations.flatMap((one) =>
      one.clean.samples.map((sample, sample_id) => ({ sample_id, ...at(one), ...sample })),
    ),
  };
}

/** Times that follow each other, a bar of them a row. */
export interface Stacked {
  readonly title: string;
  readonly times: readonly TimeName[];
}

const STACKS: readonly Stacked[] = [
  { title: 'Before the first token', times: ['T_vision_total', 'T_LLM_prefill'] },
  { title: 'A decode step', times: ['T_decode_per_token'] },
];

/** Names of its figures, and what the axis is called on them. */
export interface SweepLook<A extends string> {
  readonly axis: A;
  readonly label: string;
  readonly breakdown: string;
  readonly parts: string;
  /** Before the first token and a decode step where left out. */
  readonly stacks?: readonly Stacked[];
}

type Rows<A extends string> = readonly (SweepRow & { readonly [K in A]: number })[];

/** Latency of each row, stacked; and what prefill and a decode step spend their time on. */
export function sweep_figures<A extends string, R extends Rows<A>[number]>(
  look: SweepLook<A>,
  rows: readonly R[],
  label_of: (row: R) => readonly string[] = (row) => [String(row[look.axis])],
): Figure[] {
  const bars = (of: (row: R, label: readonly string[]) => Bar | null) =>
    rows.flatMap((row) => of(row, label_of(row)) ?? []);
  const stack = { kind: 'stack', categories: look.label } as const;
  const ms = { label: 'Latency (ms)' };
  const stacks = (look.stacks ?? STACKS).map(({ title, times }) => ({
    ...{ ...stack, title, value: ms },
    bars: bars((row, label) => median_bar(label, row, times)),
  }));
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
      panels: stacks.filter((panel) => panel.bars.length > 0),
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

/** The median of a time in each row, over a count of it. */
export function time_series<R extends SweepRow>(
  rows: readonly R[],
  time: TimeName,
  count_of: (row: R) => number,
): Medians {
  const points = rows.flatMap((row) => {
    const summary = basis_statistics(row)[time];
    return summary ? [{ x: count_of(row), y: summary.median, ...error_bar(summary), n: summary.n }] : [];
  });
  return { name: name_of(time), look: look_of(time), points };
}

/** A stage's median over the tokens it goes through, with its line. */
export function growth_figure(
  name: string,
  stage: 'prefill' | 'decode',
  look: { readonly label: string },
  rows: readonly SweepRow[],
  fit: FitRecord | null,
): Figure {
  const is_prefill = stage === 'prefill';
  const count_of = (row: SweepRow) => (is_prefill ? row.prompt_length : row.num_output_tokens - 1);
  const series = time_series(rows, STAGE_TIME[stage], count_of);
  const over = {
    title: '',
    tokens: is_prefill ? 'Prompt, vision and text' : 'Decode steps',
  };
  return {
    name,
    title: `${is_prefill ? 'Prefill' : 'Decode'} over ${look.label.toLowerCase()}`,
    notes: [medians_note([series], ['host wall time between fences'])],
    panels: growth_charts(stage, over, [{ ...series, name: '' }], fit),
  };
}

export function sweep_table<A extends string>({ axis, label }: SweepLook<A>, rows: Rows<A>): Table {
  return {
    title: label.toLowerCase(),
    columns: [
      { name: axis, unit: 'count' },
      { name: 'prompt', unit: 'count' },
      { name: 'vision', unit: 'ms' },
      { name: 'prefill', unit: 'ms' },
      { name: 'decode a step', unit: 'ms' },
      { name: 'total', unit: 'ms' },
      { name: 'prefill FLOPs', unit: 'flop' },
      { name: 'weight bytes a step', unit: 'bytes' },
    ],
    rows: rows.map((row) => {
      const { T_vision_total, T_LLM_prefill, T_decode_per_token, T_total } = basis_statistics(row);
      const { prefill, decode } = (row.scaled ?? row).counters;
      const steps = row.decode && row.decode_step ? Math.round(row.decode.median / row.decode_step.median) : 0;
      return [
        row[axis],
        row.prompt_length,
        T_vision_total?.median ?? null,
        T_LLM_prefill?.median ?? null,
        T_decode_per_token?.median ?? null,
        T_total?.median ?? null,
        prefill?.flops ?? null,
        decode && steps > 0 ? decode.weight_bytes / steps : null,
      ];
    }),
    note: `Medians of ${rows[0]?.prefill?.n ?? 0} runs; counts are exact.`,
  };
}
