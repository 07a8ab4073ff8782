import { z } from 'zod';
import { median_bar, share_bar } from './bars.ts';
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
import { by_stage, type Configuration, counts_schema, sample_schema, summary_schema } from './schema.ts';
import type { Table } from './tables.ts';
import { interval_name } from './words.ts';

/** What experiments share that turn one thing and watch prefill and a decode step: rows, samples, two figures, a table. */

const row_shape = {
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
      return {
        ...at(one),
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
      const { prefill, decode } = row.counters;
      const steps = row.decode && row.decode_step ? Math.round(row.decode.median / row.decode_step.median) : 0;
      return [
        row[axis],
        T_LLM_prefill?.median ?? null,
        T_decode_per_token?.median ?? null,
        prefill?.flops ?? null,
        decode && steps > 0 ? decode.weight_bytes / steps : null,
      ];
    }),
    note: `Medians of ${rows[0]?.prefill?.n ?? 0} runs; counts are exact, of the model that ran.`,
  };
}
