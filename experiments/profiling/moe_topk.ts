import { z } from 'zod';
import type { Bar, Figure } from '../lab/charts.ts';
import { define, type Files, type Saved } from '../lab/define.ts';
import * as shapes from '../lab/derive.ts';
import { grows, not_faster_than } from '../lab/findings.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, wholes } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { by_stage, counts_schema, finding_schema, sample_schema, summary_schema } from '../lab/schema.ts';
import { median_bar, share_bar } from '../lab/bars.ts';

const topK = described(wholes(1, 4096).default([1, 2, 4, 8]), 'experts a token takes, a cell each', {
  aliases: ['top_k_values'],
  value: '<list>',
});

const body = {
  exp2_moe_topk_results: {
    summary: z.array(
      z.strictObject({
        top_k: z.int(),
        /** T_LLM_prefill, T_LLM_decode, and T_LLM_decode a step. */
        prefill: summary_schema.nullable(),
        decode: summary_schema.nullable(),
        decode_step: summary_schema.nullable(),
        statistics: shapes.statistics_schema,
        scaled: shapes.scaled_statistics_schema,
        counters: by_stage(counts_schema),
        parts: z.array(shapes.part_row_schema),
      }),
    ),
    all_samples: z.array(sample_schema.extend({ sample_id: z.int(), top_k: z.int() })),
    findings: z.array(finding_schema),
  },
};

function derive({ configurations }: Saved) {
  const k_of = (one: Saved['configurations'][number]) => Number(one.settings.top_k);
  const steps = configurations.map((one) => ({ x: k_of(one), one }));
  return {
    exp2_moe_topk_results: {
      summary: configurations.map((one) => {
        const statistics = shapes.statistics_of(one);
        const scaled = shapes.scaled_statistics_of(one);
        const { T_LLM_prefill, T_LLM_decode, T_decode_per_token } = statistics;
        const named = { prefill: T_LLM_prefill, decode: T_LLM_decode, decode_step: T_decode_per_token };
        const { parts } = shapes.parts_by_stage(one);
        return { top_k: k_of(one), ...named, statistics, scaled, counters: one.counters, parts };
      }),
      all_samples: configurations.flatMap((one) =>
        one.clean.samples.map((sample, i) => ({ sample_id: i, top_k: k_of(one), ...sample })),
      ),
      findings: [
        grows('Prefill takes longer with more experts a token', 'T_LLM_prefill', steps, 'experts a token'),
        grows('A decode step takes longer with more experts a token', 'T_decode_per_token', steps, 'experts a token'),
        not_faster_than('Latency grows far slower than the experts a token takes', 'T_decode_per_token', steps, 0.5),
      ],
    },
  };
}

type Results = Files<typeof body>['exp2_moe_topk_results'];

function figures({ summary }: Results): Figure[] {
  const bars = (of: (row: Results['summary'][number]) => Bar | null) => summary.flatMap((row) => of(row) ?? []);
  const label = (row: Results['summary'][number]) => [String(row.top_k)];
  const stack = { kind: 'stack', categories: 'Experts a token' } as const;
  const ms = { label: 'Latency (ms)' };
  return [
    {
      name: 'exp2_moe_topk_vs_latency_breakdown',
      title: 'Latency over experts a token',
      notes: [],
      panels: [
        { ...stack, title: 'Before the first token', value: ms, bars: bars((row) => median_bar(label(row), row, ['T_vision_total', 'T_LLM_prefill'])) },
        { ...stack, title: 'A decode step', value: ms, bars: bars((row) => median_bar(label(row), row, ['T_decode_per_token'])) },
      ],
    },
    {
      name: 'exp2_moe_topk_parts',
      title: 'What prefill and decode spend their time on',
      notes: ['GPU time of the instrumented runs'],
      panels: (['prefill', 'decode'] as const).map((stage) => ({
        ...stack,
        title: stage,
        shares: true,
        value: { label: 'GPU time (%)' },
        bars: bars((row) => share_bar(label(row), row.parts, stage)),
      })),
    },
  ];
}

export const moe_topk = define({
  name: 'moe-topk',
  aliases: ['exp2_moe_topk', 'profiling-exp2'],
  group: 'profiling',
  title: 'Experts a token: what they cost',
  question: 'How do prefill and a decode step grow with the experts that each token takes?',
  options: { topK },
  sweeps: ['topK'],
  instrument: latency,
  quick: { options: { topK: [1, 8] } },
  cells: (on, options) =>
    options.topK.map((k) =>
      cell_of(on, { top_k: k }, { knobs: { topK: k } }, { image: rings_of_tiling(on.config, [1, 1]), prompt: 'Describe this image.', new_tokens: 10 }),
    ),
  files: body,
  derive,
  figures: (files) => figures(files.exp2_moe_topk_results),
  tables: ({ exp2_moe_topk_results: { summary } }) => [
    {
      title: 'experts a token',
      columns: [
        { name: 'top-k', unit: 'count' },
        { name: 'prefill', unit: 'ms' },
        { name: 'decode a step', unit: 'ms' },
        { name: 'prefill FLOPs', unit: 'flop' },
        { name: 'decode bytes of weights', unit: 'bytes' },
      ],
      rows: summary.map((row) => {
        const { T_LLM_prefill, T_decode_per_token } = shapes.basis_statistics(row);
        const { prefill, decode } = row.counters;
        return [row.top_k, T_LLM_prefill?.median ?? null, T_decode_per_token?.median ?? null, prefill?.flops ?? null, decode?.weight_bytes ?? null];
      }),
      note: 'Medians.',
    },
  ],
  findings: (files) => files.exp2_moe_topk_results.findings,
});
