import { z } from 'zod';
import {
  type Configuration,
  count,
  finite,
  type Instrumented,
  type Settings,
  STAGES,
  type StageName,
  stage_schema,
} from '../lab/schema.ts';
import { percentile } from '../lab/stats.ts';
import { STAGE_TIME } from '../lab/times.ts';
import { scaled_of } from '../lab/typical.ts';
import { work_of, work_schema } from './work.ts';

const ms = finite.positive();
const stage_times = z.partialRecord(stage_schema, ms);

/** One measured configuration: what it asked, its exact work, the medians of its plain runs. */
export const example_schema = z.strictObject({
  key: z.string(),
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
  /** Crops that the encoder sees, the overview included. */
  views: count,
  vision_tokens: count,
  text_tokens: count,
  /** Of the prompt, vision and text and what frames them. */
  positions: count,
  new_tokens: count,
  steps: count,
  top_k: count,
  /** That ran. */
  blocks: count,
  runs: count.positive(),
  work: work_schema,
  /** Stages that ran, and the whole from the first stage's start to the last token. */
  ms: z.strictObject({ stages: stage_times, total: ms }),
  /** Of the whole model, where a slice of it ran and its stamps say what that means. */
  whole: z.strictObject({ model: z.string(), stages: stage_times, total: ms }).nullable(),
});
export type Example = z.infer<typeof example_schema>;

/** What a request is turned by: where these lie between those of the samples, a prediction is none beyond them. */
export const QUANTITIES = ['views', 'positions', 'steps', 'top_k', 'blocks'] as const;
export type Quantities = Readonly<Record<(typeof QUANTITIES)[number], number>>;

/** Of one stage: how often it is gone through. A decode step is one pass, with one readback. */
export const passes_of = (stage: StageName, { steps }: Pick<Example, 'steps'>): number =>
  stage === 'decode' ? steps : 1;

/** Cells whose stamped kernels say what ran; the others are named. */
export function examples_of(configurations: readonly Configuration[]): {
  readonly samples: Example[];
  readonly unused: string[];
} {
  const samples = configurations.flatMap((one) => example_of(one) ?? []);
  const keys = new Set(samples.map(({ key }) => key));
  return { samples, unused: configurations.flatMap(({ key }) => (keys.has(key) ? [] : [key])) };
}

function example_of(one: Configuration): Example | null {
  const { tokens, settings, clean, instrumented } = one;
  const medians = medians_of(clean.samples);
  if (instrumented === null || medians === null || !counts_all(one, instrumented.kernels)) return null;
  const scaled = scaled_of(one);
  const whole = scaled && medians_of(scaled.samples);
  return {
    key: one.key,
    settings,
    views: tokens.num_crops,
    vision_tokens: tokens.inserted_vision_tokens,
    text_tokens: tokens.text_tokens,
    positions: tokens.prompt_length,
    new_tokens: tokens.num_output_tokens,
    steps: tokens.decode_steps,
    top_k: number_of(settings, 'top_k'),
    blocks: number_of(settings, 'blocks'),
    runs: clean.samples.length,
    work: work_of(instrumented.kernels),
    ms: medians,
    whole: scaled && whole && { model: scaled.model, ...whole },
  };
}

/** The stamped run did what the plain ones did: a long answer's may have been cut short. */
const counts_all = ({ counters }: Configuration, kernels: Instrumented['kernels']): boolean =>
  STAGES.every((stage) => {
    const launches = kernels.reduce((sum, row) => sum + (row.stage === stage ? row.dispatches : 0), 0);
    return launches === (counters[stage]?.dispatches ?? 0);
  });

const number_of = (settings: Settings, axis: string): number =>
  Math.max(0, Math.trunc(Number(settings[axis] ?? 0)) || 0);

function medians_of(runs: Configuration['clean']['samples']): Example['ms'] | null {
  const median = (values: readonly number[]) => (values.length > 0 ? percentile(values, 50) : 0);
  const total = median(runs.map(({ T_total }) => T_total));
  const stages = Object.fromEntries(
    STAGES.flatMap((stage) => {
      const value = median(runs.flatMap((run) => run[STAGE_TIME[stage]] ?? []));
      return value > 0 ? [[stage, value]] : [];
    }),
  );
  return total > 0 ? { stages, total } : null;
}
