import { z } from 'zod';
import { median_bar } from '../lab/bars.ts';
import { runs_note } from '../lab/captions.ts';
import type { Bar } from '../lab/charts.ts';
import { define } from '../lab/define.ts';
import { statistics_of, statistics_schema } from '../lab/derive.ts';
import { not_tested } from '../lab/findings.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { estimate_of, outcome_within, over } from '../lab/judge.ts';
import { cell_of } from '../lab/plan.ts';
import { by_stage, count, counts_schema, type Finding, finding_schema, sample_schema } from '../lab/schema.ts';
import { short_ms } from '../lab/tables.ts';

/** Where the experts are, of equally many in all. */
const PATTERNS = ['even', 'early', 'late'] as const;
type Pattern = (typeof PATTERNS)[number];

/** Half of what the model takes, in every block; or half as many again in one half of the blocks, and as many fewer in the other. */
export function top_k_of(pattern: Pattern, layers: number, own: number): number[] {
  const even = Math.max(2, Math.round(own / 2));
  const more = Math.floor(even / 2);
  const half = Math.floor(layers / 2);
  return Array.from({ length: layers }, (_, block) => {
    if (pattern === 'even' || (layers % 2 === 1 && block === half)) return even;
    return block < half === (pattern === 'early') ? even + more : even - more;
  });
}

const row_schema = z.strictObject({
  pattern: z.enum(PATTERNS),
  top_k: z.array(count),
  experts_in_all: count,
  statistics: statistics_schema,
  samples: z.array(sample_schema),
  counters: by_stage(counts_schema),
});
type Row = z.infer<typeof row_schema>;

const SAME = 0.05;

/** Whether the slowest pattern takes hardly longer than the fastest, as far as their intervals tell. */
function same_time(expectation: string, time: 'T_LLM_prefill' | 'T_decode_per_token', rows: readonly Row[]): Finding {
  const timed = rows.flatMap(({ pattern, statistics }) => {
    const ms = estimate_of(statistics[time]);
    return ms === null ? [] : [{ pattern, ms }];
  });
  const sorted = timed.toSorted((a, b) => a.ms.value - b.ms.value);
  const [fastest, slowest] = [sorted[0], sorted.at(-1)];
  const ratio = fastest && slowest && fastest !== slowest ? over(slowest.ms, fastest.ms) : null;
  if (ratio === null) return not_tested(expectation, 'fewer than two patterns have three runs or more');
  const outcome = outcome_within(ratio, { most: 1 + SAME });
  const times = timed.map(({ pattern, ms }) => `${short_ms(ms.value)} ${pattern}`).join(', ');
  const percent = (100 * (ratio.value - 1)).toFixed(1);
  const unsettled = outcome === 'not tested' ? '; their intervals leave it open, more runs would settle it' : '';
  return {
    expectation,
    outcome,
    because: `medians of ${time}: ${times}; the slowest takes ${percent} % longer than the fastest (the same: within ${100 * SAME} %)${unsettled}`,
  };
}

/** A list for --top-k: the same experts in all, in other blocks. */
export const topk_layers = define({
  name: 'topk-layers',
  group: 'profiling',
  title: 'Experts by block: does it matter where they are?',
  question: 'Do equally many experts cost the same, whichever blocks have them?',
  options: {},
  sweeps: ['topK'],
  instrument: latency,
  quick: {},
  basis: 'measured', // lists are not scaled
  order: { pattern: PATTERNS },
  cells: (on) =>
    PATTERNS.map((pattern) =>
      cell_of(
        on,
        { pattern },
        { knobs: { topK: top_k_of(pattern, on.config.n_layers, on.config.top_k) } },
        { image: rings_of_tiling(on.config, [1, 1]), prompt: 'Describe this image.', new_tokens: 8 },
      ),
    ),
  files: { topk_layers_results: { summary: z.array(row_schema), findings: z.array(finding_schema) } },
  derive: ({ configurations }) => {
    const summary = configurations.map((one): Row => {
      const top_k = one.knobs.topK as number[];
      return {
        pattern: one.settings.pattern as Pattern,
        top_k,
        experts_in_all: top_k.reduce((sum, k) => sum + k, 0),
        statistics: statistics_of(one),
        samples: one.clean.samples,
        counters: one.counters,
      };
    });
    const findings = [
      same_time('Prefill does not depend on which blocks have the experts', 'T_LLM_prefill', summary),
      same_time('A decode step does not depend on it', 'T_decode_per_token', summary),
    ];
    return { topk_layers_results: { summary, findings } };
  },
  figures: ({ topk_layers_results: { summary } }) => {
    const panel = (title: string, time: 'T_LLM_prefill' | 'T_decode_per_token') => ({
      ...{ kind: 'stack' as const, title, categories: 'Blocks with more experts', value: { label: 'Latency (ms)' } },
      bars: summary.flatMap(({ pattern, statistics }): Bar[] => {
        const bar = median_bar([pattern], { statistics, scaled: null }, [time]);
        return bar === null ? [] : [bar];
      }),
    });
    const runs = summary.map(({ samples }) => samples.length);
    const panels = [panel('Prefill', 'T_LLM_prefill'), panel('A decode step', 'T_decode_per_token')];
    const figure = {
      name: 'topk_layers',
      title: 'Equally many experts, in other blocks',
      notes: [runs_note(runs, ['host wall time between fences'])],
    };
    const drawn = panels.filter(({ bars }) => bars.length > 0);
    return drawn.length > 0 ? [{ ...figure, panels: drawn }] : [];
  },
  tables: ({ topk_layers_results: { summary } }) => [
    {
      title: 'experts by block',
      columns: [
        { name: 'more in', unit: 'text' },
        { name: 'top-k', unit: 'text' },
        { name: 'prefill', unit: 'ms' },
        { name: 'decode a step', unit: 'ms' },
        { name: 'prefill FLOPs', unit: 'flop' },
      ],
      rows: summary.map(({ pattern, top_k, statistics, counters }) => [
        pattern,
        top_k.join(','),
        statistics.T_LLM_prefill?.median ?? null,
        statistics.T_decode_per_token?.median ?? null,
        counters.prefill?.flops ?? null,
      ]),
      note: `Medians of ${summary[0]?.samples.length ?? 0} runs of the model that ran; counts are exact.`,
    },
  ],
  findings: ({ topk_layers_results: { findings } }) => findings,
});
