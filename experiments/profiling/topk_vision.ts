import { z } from 'zod';
import { define } from '../lab/define.ts';
import { basis_statistics } from '../lab/derive.ts';
import { grows, not_tested } from '../lab/findings.ts';
import { REGIMES, rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { estimate_of, outcome_within, over, through } from '../lab/judge.ts';
import { described, wholes } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { type Finding, finding_schema, finite } from '../lab/schema.ts';
import { sweep_figures, sweep_rows, sweep_shape, sweep_table } from '../lab/sweep.ts';

const look = {
  axis: 'top_k_vision',
  label: 'Experts a picture token',
  breakdown: 'topk_vision_vs_latency_breakdown',
  parts: 'topk_vision_parts',
} as const;

const saving_schema = z.strictObject({
  top_k_vision: z.number(),
  /** Of prefill, against the row with the most experts: of its median time, and of its exact FLOPs. */
  time_share: finite.nullable(),
  flops_share: finite.nullable(),
});
type Saving = z.infer<typeof saving_schema>;
type Row = ReturnType<typeof sweep_rows<'top_k_vision'>>['summary'][number];

function savings_of(rows: readonly Row[]): Saving[] {
  const prefill = (row: Row | undefined) => ({
    ms: row && basis_statistics(row).T_LLM_prefill?.median,
    flops: row && (row.scaled ?? row).counters.prefill?.flops,
  });
  const most = prefill(rows.at(-1));
  const saved = (of: number | undefined, all: number | undefined) => (of && all ? 1 - of / all : null);
  return rows.map((row) => {
    const { ms, flops } = prefill(row);
    return {
      top_k_vision: row.top_k_vision,
      time_share: saved(ms, most.ms),
      flops_share: saved(flops, most.flops),
    };
  });
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Whether the clock saves what the counts save, as far as the intervals tell. */
function saves_time(rows: readonly Row[], savings: readonly Saving[]): Finding {
  const expectation = 'Prefill saves as large a share of time as of FLOPs';
  const [least] = savings;
  const [few, all] = [rows[0], rows.at(-1)].map((row) => row && estimate_of(basis_statistics(row).T_LLM_prefill));
  const share = few && all && few !== all ? through(over(few, all), (ratio) => 1 - ratio) : null;
  if (!share || !least?.flops_share || rows.length < 2) {
    return not_tested(expectation, 'fewer than two values that differ in FLOPs have three runs or more');
  }
  const { top_k_vision, flops_share } = least;
  const outcome = outcome_within(share, { least: 0.9 * flops_share });
  const unsettled = outcome === 'not tested' ? '; the intervals leave it open, more runs would settle it' : '';
  return {
    expectation,
    outcome,
    because: `with ${top_k_vision} instead of ${rows.at(-1)?.top_k_vision} experts a picture token prefill takes ${percent(share.value)} less time and ${percent(flops_share)} fewer FLOPs (as large: nine tenths or more)${unsettled}`,
  };
}

/** Only the prompt has picture tokens: prefill shrinks with their experts, and a decode step does not notice. */
export const topk_vision = define({
  name: 'topk-vision',
  group: 'profiling',
  title: 'Experts of picture tokens: what they cost',
  question: 'What does a prompt save where picture tokens take fewer experts than text tokens?',
  options: {
    topKVision: described(wholes(1, 64).default([1, 2, 4, 8]), 'experts a picture token takes, a cell each'),
  },
  sweeps: ['topKVision'],
  instrument: latency,
  quick: { options: { topKVision: [4, 8] } },
  cells: (on, { topKVision }) =>
    topKVision.map((k) =>
      cell_of(
        on,
        { top_k_vision: k },
        { knobs: { topKVision: k } },
        { image: rings_of_tiling(on.config, REGIMES.medium), prompt: 'Describe this image.', new_tokens: 8 },
      ),
    ),
  files: {
    topk_vision_results: {
      ...sweep_shape('top_k_vision'),
      savings: z.array(saving_schema),
      findings: z.array(finding_schema),
    },
  },
  derive: ({ configurations }) => {
    const steps = configurations.map((one) => ({ x: Number(one.settings.top_k_vision), one }));
    const rows = sweep_rows('top_k_vision', configurations);
    const savings = savings_of(rows.summary);
    return {
      topk_vision_results: {
        ...rows,
        savings,
        findings: [
          grows('Prefill takes longer with more experts a picture token', 'T_LLM_prefill', steps, look.label),
          saves_time(rows.summary, savings),
        ],
      },
    };
  },
  figures: ({ topk_vision_results: { summary } }) => sweep_figures(look, summary),
  tables: ({ topk_vision_results: { summary } }) => [sweep_table(look, summary)],
  findings: ({ topk_vision_results: { findings } }) => findings,
});
