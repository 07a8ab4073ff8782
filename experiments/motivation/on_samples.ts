import { z } from 'zod';
import type { Saved } from '../lab/define.ts';
import type { Subject } from '../lab/inputs.ts';
import { type Cell, cell_of_sample } from '../lab/plan.ts';
import {
  type Configuration,
  count,
  type DatasetRecord,
  method_sample_schema,
  type Skipped,
  skipped_schema,
} from '../lab/schema.ts';
import { dataset_schema } from '../lab/schema_dataset.ts';
import { percentile } from '../lab/stats.ts';
import type { Column, Table } from '../lab/tables.ts';
import { mean } from '../lab/typical.ts';
import { basis_of_entry, type Entry, type EntryNumbers, entry_of, entry_schema } from './entries.ts';

/** What the experiments on samples of a data set share. */

/** The prompt alone of each sample, once: nothing is generated. */
export const prompt_cells = (on: Subject): (Cell | Skipped)[] =>
  (on.samples?.list ?? []).map((_, place) => cell_of_sample(on, { sample: place }, place, { new_tokens: 0 }));

export const sample_entry_schema = entry_schema.extend({
  /** Its place in the set, and the set's own name of it. */
  sample_id: count,
  sample: z.string(),
  /** As older profiles timed it, where that was asked for: signed, and of the model that ran. */
  methods: z.array(method_sample_schema),
});
export type SampleEntry = z.infer<typeof sample_entry_schema>;

export const sample_entry = (one: Configuration): SampleEntry => ({
  ...entry_of(one),
  sample_id: Number(one.settings.sample),
  sample: one.sample?.id ?? one.key,
  methods: one.methods,
});

export const set_shape = {
  dataset: dataset_schema,
  /** Samples that could not be measured, and why. */
  failed: z.array(skipped_schema),
};

export const set_of = ({ run, failed = [] }: Saved) => ({
  dataset: run.fingerprint.dataset as DatasetRecord,
  failed: [...failed],
});

/** "..._coco_2014_vqa_validation": the study names the set in its figures. */
export const named_after_set = (name: string, { name: set, split }: DatasetRecord): string =>
  `${name}_${set}_${split}`.replace(/[^\w+.-]/g, '-');

/** "200 samples of shapes test, one run each, no token generated; host wall time between fences". */
export const samples_note = (results: readonly Entry[], { name, split }: DatasetRecord, asked: string): string =>
  `${results.length} samples of ${name} ${split}, ${runs_each(results)}, ${asked}; host wall time between fences`;

function runs_each(results: readonly Entry[]): string {
  const runs = Math.max(...results.map(({ num_runs }) => num_runs));
  return runs === 1 ? 'one run each' : `median of ${runs} runs each`;
}

/** Of the numbers that figures rest on; entries without the number are left out. */
export const values_of = (results: readonly Entry[], name: keyof EntryNumbers): number[] =>
  results.flatMap((entry) => basis_of_entry(entry)[name] ?? []);

const TIMES = ['T_vision_encoder', 'T_projector', 'T_LLM_prefill', 'T_total', 'T_data_processing'] as const;

/** Medians of the samples that are cut alike. */
export function crops_table(results: readonly Entry[]): Table {
  const views = [...new Set(results.map(({ num_crops }) => num_crops))].sort((a, b) => a - b);
  const number = (name: string, unit: Column['unit']) => ({ name, unit });
  return {
    title: 'by crops, the overview included',
    columns: [
      number('crops', 'count'),
      number('samples', 'count'),
      number('positions', 'count'),
      ...TIMES.map((name) => number(name.slice(2).replaceAll('_', ' '), 'ms')),
    ],
    rows: views.map((crops) => {
      const some = results.filter(({ num_crops }) => num_crops === crops);
      const median = (values: readonly number[]) => (values.length > 0 ? percentile(values, 50) : null);
      const positions = median(some.map(({ num_total_tokens }) => num_total_tokens));
      return [crops, some.length, positions, ...TIMES.map((name) => median(values_of(some, name)))];
    }),
    note: 'Medians over the samples; data processing: opening, decoding, cutting the picture, and the prompt.',
  };
}

const METHOD_TIMES = ['T_vision_encoder', 'T_projector', 'T_LLM_prefill', 'T_LLM_decode', 'T_total'] as const;

/** Means of both ways of timing, of the same samples; none where only one was used. */
export function methods_table(results: readonly SampleEntry[]): Table[] {
  const some = results.filter(({ methods }) => methods.length > 0);
  const [first] = some;
  if (first === undefined) return [];
  const name = first.methods[0]?.method ?? '';
  const rows = METHOD_TIMES.flatMap((time) => {
    const direct = some.flatMap((entry) => entry[time] ?? []);
    const values = some.flatMap(({ methods }) => methods.flatMap((one) => one[time] ?? []));
    if (direct.length === 0 || values.length === 0) return [];
    const [straight, other] = [mean(direct), mean(values)];
    return [[time, straight, other, straight > 0 ? other / straight - 1 : null, values.filter((x) => x < 0).length]];
  });
  return [
    {
      title: `method ${name} against direct`,
      columns: [
        { name: 'time', unit: 'text' },
        { name: 'direct', unit: 'ms' },
        { name, unit: 'ms' },
        { name: 'error', unit: 'share' },
        { name: 'negative', unit: 'count' },
      ],
      rows,
      note: `Means over ${some.length} samples, as measured.`,
    },
  ];
}
