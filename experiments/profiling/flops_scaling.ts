import { z } from 'zod';
import { distinct } from '../lab/captions.ts';
import type { Bar, Figure } from '../lab/charts.ts';
import { define, type Saved } from '../lab/define.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { cell_of } from '../lab/plan.ts';
import { count, finding_schema, finite, type Sample } from '../lab/schema.ts';
import { summarise } from '../lab/stats.ts';
import { sweep_rows, sweep_shape } from '../lab/sweep.ts';
import type { Table } from '../lab/tables.ts';
import { scaled_of } from '../lab/typical.ts';
import { interval_name } from '../lab/words.ts';
import {
  forward_times,
  goes_with,
  ratio_schema,
  threshold_tells,
  type WorkRatio,
  work_ratios,
} from './flops_scaling_ratios.ts';

const statistics_shape = { mean: finite, median: finite, std: finite, min: finite, max: finite };
/** Of the forward pass without a decode step: vision stages and prefill. */
const forward_schema = z.union([
  z.strictObject({
    ...statistics_shape,
    n: count,
    /** Of the whole model, where a slice of it ran. */
    scaled: z.strictObject(statistics_shape).nullable(),
  }),
  z.strictObject({ error: z.string() }),
]);

/** Why a cell of this top-k is not there, or what its forward pass took. */
function forward_of({ configurations, skipped, failed = [] }: Saved, k: number): z.infer<typeof forward_schema> {
  const one = configurations.find(({ settings }) => settings.top_k === k);
  const of = (samples: readonly Sample[]) => {
    const summary = summarise(forward_times(samples));
    if (summary === null) return null;
    const { mean, median, std, min, max, n } = summary;
    return { mean, median, std, min, max, n };
  };
  const own = one && of(one.clean.samples);
  const left_out = [...failed, ...skipped].find(({ settings }) => settings.top_k === k);
  if (!one || !own) return { error: left_out?.reason ?? 'not measured yet' };
  const { n: _, ...scaled } = of(scaled_of(one)?.samples ?? []) ?? { n: 0 };
  return { ...own, scaled: 'mean' in scaled ? scaled : null };
}

const WORDS: Readonly<Record<WorkRatio['of'], string>> = {
  experts_in_prefill: 'experts, prefill',
  prefill: 'prefill',
  whole_forward: 'whole forward',
  experts_in_decode: 'experts, decode',
  decode_step: 'decode step',
};

function figure_of(ratios: readonly WorkRatio[]): Figure[] {
  const bars = ratios.flatMap((row): Bar[] =>
    [
      { name: 'time', look: 0, value: row.ratio, range: row.ratio_ci95 },
      { name: 'FLOPs', look: 1, value: row.flops_ratio, range: null },
      { name: 'bytes', look: 2, value: row.bytes_ratio, range: null },
    ].flatMap(({ name, look, value, range }) => {
      if (value === null) return [];
      const ends = range === null ? {} : { low: range[0], high: range[1] };
      const total = { value, label: value.toFixed(2), ...ends };
      return [{ label: [WORDS[row.of], name], segments: [{ look, name, value }], total }];
    }),
  );
  const runs = ratios.filter(({ ratio }) => ratio !== null).map(({ n }) => Math.min(...n));
  const spread = interval_name(Math.min(...runs));
  const note = `time: ratio of medians of ${distinct(runs).join(' or ')} runs, error bars: ${spread}; FLOPs and bytes are exact`;
  const axes = { categories: 'Stage', value: { label: 'Eight experts over one' } };
  return bars.length === 0
    ? []
    : [
        {
          name: 'flops_scaling_analysis',
          title: 'Eight experts a token over one: time, FLOPs, bytes',
          notes: [note],
          panels: [{ kind: 'stack', ...axes, bars, lying: true }],
        },
      ];
}

const table_of = (ratios: readonly WorkRatio[]): Table => ({
  title: 'eight experts a token over one',
  columns: [
    { name: 'stage', unit: 'text' },
    ...['time', 'FLOPs', 'bytes'].map((name) => ({ name, unit: 'number' as const })),
    { name: 'time follows', unit: 'text' },
    { name: 'clock', unit: 'text' },
  ],
  rows: ratios.map((row) => [WORDS[row.of], row.ratio, row.flops_ratio, row.bytes_ratio, row.follows, row.clock]),
  note: 'Ratios; of times those of medians. FLOPs and bytes are exact.',
});

/** One expert a token and eight: like is held against like, stage by stage. */
export const flops_scaling = define({
  name: 'flops-scaling',
  aliases: ['measure_flops_scaling'],
  group: 'profiling',
  title: 'FLOPs scaling: eight experts a token over one',
  question: 'Does time grow with the FLOPs of the experts, with the bytes they read, or with neither?',
  options: {},
  sweeps: ['topK'],
  instrument: latency,
  repeats: { instrumented: 3 },
  quick: { repeats: { runs: 3, instrumented: 1 } },
  cells: (on) =>
    [1, 8].map((k) =>
      cell_of(
        on,
        { top_k: k },
        { knobs: { topK: k } },
        { image: rings_of_tiling(on.config, [1, 1]), prompt: 'Describe this image.', new_tokens: 5 },
      ),
    ),
  files: {
    flops_scaling_analysis: {
      ...{ 1: forward_schema, 8: forward_schema },
      ratios: z.array(ratio_schema),
      ...sweep_shape('top_k'),
      findings: z.array(finding_schema),
    },
  },
  derive: (saved) => {
    const [one, eight] = [1, 8].map((k) => saved.configurations.find(({ settings }) => settings.top_k === k));
    const ratios = one && eight ? work_ratios(one, eight) : [];
    return {
      flops_scaling_analysis: {
        ...{ 1: forward_of(saved, 1), 8: forward_of(saved, 8), ratios },
        ...sweep_rows('top_k', saved.configurations),
        findings: [
          goes_with('Experts alone take eight times as long', ratios, 'experts_in_prefill', 'flops'),
          goes_with('Prefill grows with its FLOPs', ratios, 'prefill', 'flops'),
          goes_with('The whole forward grows with its FLOPs', ratios, 'whole_forward', 'flops'),
          goes_with('A decode step grows with the bytes it reads', ratios, 'decode_step', 'bytes'),
          threshold_tells('A forward that grows by less than 1.5 is not bound by compute', ratios),
        ],
      },
    };
  },
  figures: ({ flops_scaling_analysis: { ratios } }) => figure_of(ratios),
  tables: ({ flops_scaling_analysis: { ratios } }) => [table_of(ratios)],
  findings: ({ flops_scaling_analysis: { findings } }) => findings,
});
