import { z } from 'zod';
import type { Distribution, Figure } from '../lab/charts.ts';
import { define, type Files } from '../lab/define.ts';
import { latency } from '../lab/instruments.ts';
import { type FitRecord, finding_schema, finite, fit_schema, type Summary, summary_schema } from '../lab/schema.ts';
import { linear_fit, percentile_name, rests_on_enough, summarise } from '../lab/stats.ts';
import { short_ms, type Table } from '../lab/tables.ts';
import {
  crops_table,
  methods_table,
  named_after_set,
  prompt_cells,
  sample_entry,
  sample_entry_schema,
  samples_note,
  set_of,
  set_shape,
  values_of,
} from './on_samples.ts';
import { spread_findings } from './sample_findings.ts';

const files = {
  exp1_latency_distribution: {
    ...set_shape,
    results: z.array(sample_entry_schema),
    /** Of T_total over the samples, as measured; and what they mean for the whole model, where a slice of it ran. */
    statistics: summary_schema.nullable(),
    scaled_statistics: summary_schema.nullable(),
    /** Of the times that figures rest on; whether at least one sample lies beyond, where not the name says between which. */
    percentiles: z.array(z.strictObject({ q: finite, ms: finite, name: z.string(), rests_on_enough: z.boolean() })),
    /** T_total over the positions of the prompt: how much of the spread is the size of the picture. */
    size_fit: fit_schema.nullable(),
    findings: z.array(finding_schema),
  },
};
type Body = Files<typeof files>['exp1_latency_distribution'];

const percentiles_of = (summary: Summary | null) =>
  ([50, 95, 99] as const).flatMap((q) =>
    summary === null
      ? []
      : {
          ...{ q, ms: summary[`P${q}`], name: percentile_name(q, summary.n) },
          rests_on_enough: rests_on_enough(q, summary.n),
        },
  );

function size_fit_of(results: Body['results']): FitRecord | null {
  const positions = results.map(({ num_total_tokens }) => num_total_tokens);
  return new Set(positions).size < 2 ? null : linear_fit(positions, values_of(results, 'T_total'));
}

function figures({ results, dataset, percentiles }: Body): Figure[] {
  if (results.length === 0) return [];
  const chart = (shape: Distribution['shape']): Distribution => ({
    ...{ kind: 'distribution', shape, bins: 50, value: { label: 'Prompt latency (ms)' } },
    groups: [{ name: 'samples', look: 0, values: values_of(results, 'T_total') }],
    guides: percentiles.map(({ q, ms }) => ({ axis: 'x', at: ms, label: `P${q} ${short_ms(ms)}` })),
  });
  const said = percentiles.map(({ name, ms }) => `${name}: ${short_ms(ms)}`).join('; ');
  const notes = [samples_note(results, dataset, 'no token generated'), said];
  const title = 'Prompt latency over the samples';
  const long = (what: string) => named_after_set(`exp1_latency_distribution_${what}`, dataset);
  return [
    { name: 'exp1_latency_distribution', title, notes, panels: [chart('histogram'), chart('cdf')] },
    { name: long('histogram'), title, notes, panels: [chart('histogram')], files_only: true },
    { name: long('cdf'), title, notes, panels: [chart('cdf')], files_only: true },
  ];
}

const statistics_table = ({ percentiles, statistics, scaled_statistics }: Body): Table => {
  const summary = scaled_statistics ?? statistics;
  const rows = summary === null ? [] : (['mean', 'std', 'min', 'max'] as const).map((name) => [name, summary[name]]);
  return {
    title: `prompt latency of ${summary?.n ?? 0} samples`,
    columns: [
      { name: 'of all samples', unit: 'text' },
      { name: 'prompt latency', unit: 'ms' },
    ],
    rows: [...percentiles.map(({ name, ms }) => [name, ms]), ...rows],
  };
};

/** Many pictures, once each: how widely the time before the first token varies, and how heavy its tail is. */
export const latency_distribution = define({
  name: 'motivation-exp1',
  aliases: ['exp1_latency_distribution'],
  group: 'motivation',
  title: 'Prompt latency over many pictures: its spread and its tail',
  question: 'How widely does the time before the first token vary over the pictures of a data set?',
  options: {},
  sweeps: ['image', 'prompt', 'answer'],
  instrument: latency,
  dataset: { samples: 5000, built_in: 100, quick: 4 },
  once_for: 'shape',
  repeats: { runs: 1, warmup: 1 },
  quick: { repeats: { runs: 1 } },
  cells: prompt_cells,
  files,
  derive: (saved) => {
    const results = saved.configurations.map(sample_entry);
    const statistics = summarise(results.flatMap(({ T_total }) => T_total ?? []));
    const scaled_statistics = summarise(results.flatMap(({ scaled }) => scaled?.T_total ?? []));
    const size_fit = size_fit_of(results);
    const body = {
      statistics,
      scaled_statistics,
      percentiles: percentiles_of(scaled_statistics ?? statistics),
      size_fit,
    };
    return {
      exp1_latency_distribution: {
        ...set_of(saved),
        results,
        ...body,
        findings: spread_findings(scaled_statistics ?? statistics, size_fit),
      },
    };
  },
  figures: ({ exp1_latency_distribution: body }) => figures(body),
  tables: ({ exp1_latency_distribution: body }) => [
    statistics_table(body),
    crops_table(body.results),
    ...methods_table(body.results),
  ],
  findings: ({ exp1_latency_distribution: { findings } }) => findings,
});
