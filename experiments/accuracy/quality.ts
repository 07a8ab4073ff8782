import { z } from 'zod';
import type { Saved } from '../lab/define.ts';
import { type Configuration, count, finite, summary_schema } from '../lab/schema.ts';
import type { Alone, AnswersRecord, ScoredSample } from '../lab/schema_answers.ts';
import { percentile, summarise } from '../lab/stats.ts';
import { mean, sum } from '../lab/typical.ts';
import { grouped, mean_score, type Scored } from './metrics/bootstrap.ts';
import { type Comparison, compare_paired } from './metrics/paired.ts';
import { percent_of_full } from './metrics/percent.ts';

/** What answers under one cell's knobs come to: how good, how sure, how much of the full model, at what cost. */

const interval = z.tuple([finite, finite]).nullable();

export const comparison_schema = z.strictObject({
  samples: count,
  pictures: count,
  mean_a: finite,
  mean_b: finite,
  difference: finite,
  ci95: interval,
  test: z.enum(['McNemar', 'sign flips']),
  p: finite,
  text: z.string(),
});

export const quality_shape = {
  accuracy: finite,
  num_samples: count,
  /** Of the scores: population deviation. */
  std: finite,
  /** Bootstrap over pictures: questions about one are right or wrong together. */
  accuracy_ci95: interval,
  num_pictures: count,
  /** Of the cell that turns nothing, on the same samples; null where there is none. */
  percent_of_full: finite.nullable(),
  percent_of_full_ci95: interval,
  against_full: comparison_schema.nullable(),
  /** Means of all scores that were given, and metrics of all answers together. */
  scores: z.record(z.string(), finite),
  by_type: z.array(z.strictObject({ question_type: z.string(), num_samples: count, accuracy: finite, ci95: interval })),
  /** Means over the samples: what a request costs, exactly. */
  flops: finite,
  mean_num_crops: finite,
  mean_prompt_length: finite,
  mean_num_output_tokens: finite,
  /** Of samples timed alone, each by the median of its runs; null where none was. */
  latency: z
    .strictObject({
      num_samples: count,
      runs: count,
      T_total: summary_schema,
      T_vision_total: summary_schema.nullable(),
      T_LLM_prefill: summary_schema.nullable(),
      T_LLM_decode: summary_schema.nullable(),
      num_output_tokens: finite,
    })
    .nullable(),
};
export type Quality = z.infer<z.ZodObject<typeof quality_shape>>;

const answers_of = ({ key, answers }: Configuration): AnswersRecord => {
  if (answers === undefined) throw new Error(`${key}: a cell without answers`);
  return answers;
};

export const samples_of = (one: Configuration): readonly ScoredSample[] => answers_of(one).samples;

/** Scores by the metric that is meant by accuracy. */
export const scored_of = (one: Configuration, some = samples_of(one)): Scored[] => {
  const { metric } = answers_of(one);
  return some.map(({ sample_id, picture, scores }) => ({
    id: sample_id,
    picture: picture ?? sample_id,
    score: scores[metric] as number,
  }));
};

const KNOBS = ['maxCrops', 'crops', 'tier', 'topK', 'topKVision', 'blocks'] as const;

/** The cell that turns none of the knobs in which cells differ: the model as it is otherwise. */
export function full_of(configurations: readonly Configuration[]): Configuration | undefined {
  if (configurations.length < 2) return undefined;
  const varied = KNOBS.filter(
    (name) => new Set(configurations.map(({ knobs }) => JSON.stringify(knobs[name]))).size > 1,
  );
  return configurations.find(({ knobs }) => varied.every((name) => knobs[name] === undefined));
}

const with_scores = (one: Configuration, name: string, some = samples_of(one)) => ({
  name,
  scored: scored_of(one, some),
});

/** One cell against another on the same samples. */
export const against = (one: Configuration, other: Configuration): Comparison =>
  compare_paired(with_scores(other, other.key), with_scores(one, one.key));

/** Thousands of resamples each: what the file of all cells and each cell's own say is worked out once. */
const known = new WeakMap<Configuration, { readonly full: Configuration | undefined; readonly quality: Quality }>();

export function quality_of(one: Configuration, full: Configuration | undefined): Quality {
  const before = known.get(one);
  if (before !== undefined && before.full === full) return before.quality;
  const quality = worked_out(one, full);
  known.set(one, { full, quality });
  return quality;
}

function worked_out(one: Configuration, full: Configuration | undefined): Quality {
  const samples = samples_of(one);
  const scored = scored_of(one);
  const { value, ci95, clusters } = mean_score(scored);
  const scores = scored.map(({ score }) => score);
  const kept = full && percent_of_full(with_scores(full, full.key), with_scores(one, one.key));
  const names = Object.keys(samples[0]?.scores ?? {});
  return {
    accuracy: value,
    num_samples: samples.length,
    std: Math.sqrt(mean(scores.map((score) => (score - value) ** 2))),
    accuracy_ci95: ci95 && [...ci95],
    num_pictures: clusters,
    percent_of_full: kept?.percent ?? null,
    percent_of_full_ci95: kept?.ci95 ? [...kept.ci95] : null,
    against_full: full === undefined || full === one ? null : record_of(against(one, full)),
    scores: {
      ...Object.fromEntries(names.map((name) => [name, mean(samples.map((sample) => sample.scores[name] as number))])),
      ...answers_of(one).of_all,
    },
    by_type: by_type(one),
    flops: mean(samples.map(({ flops }) => sum(Object.values(flops)))),
    mean_num_crops: mean(samples.map(({ tokens }) => tokens.num_crops)),
    mean_prompt_length: mean(samples.map(({ tokens }) => tokens.prompt_length)),
    mean_num_output_tokens: mean(samples.map(({ tokens }) => tokens.num_output_tokens)),
    latency: latency_of(samples),
  };
}

/** As files keep it. */
export const record_of = ({ ci95, ...rest }: Comparison) => ({
  ...rest,
  ci95: ci95 && ([...ci95] as [number, number]),
});

const type_of = ({ metadata }: ScoredSample): string => String(metadata.question_type ?? '');

/** Of each type of question, where the set names types. */
function by_type(one: Configuration): Quality['by_type'] {
  const types = grouped(samples_of(one), type_of).filter(([first]) => first && type_of(first) !== '');
  return types.map((some) => {
    const { value, ci95 } = mean_score(scored_of(one, some));
    const question_type = type_of(some[0] as ScoredSample);
    return { question_type, num_samples: some.length, accuracy: value, ci95: ci95 && [...ci95] };
  });
}

const vision_of = ({ T_vision_encoder, T_projector }: Alone): number | null =>
  T_vision_encoder === null || T_projector === null ? null : T_vision_encoder + T_projector;

/** Each sample by the median of its runs. */
export function latency_of(samples: readonly ScoredSample[]): Quality['latency'] {
  const timed = samples.flatMap(({ latency }) => (latency === undefined ? [] : [latency]));
  if (timed.length === 0) return null;
  const of = (time: (run: Alone) => number | null) =>
    summarise(
      timed.flatMap((runs) => {
        const values = runs.flatMap((run) => time(run) ?? []);
        return values.length > 0 ? [percentile(values, 50)] : [];
      }),
    );
  const total = of(({ T_total }) => T_total);
  if (total === null) return null;
  return {
    num_samples: timed.length,
    runs: Math.max(...timed.map(({ length }) => length)),
    T_total: total,
    T_vision_total: of(vision_of),
    T_LLM_prefill: of(({ T_LLM_prefill }) => T_LLM_prefill),
    T_LLM_decode: of(({ T_LLM_decode }) => T_LLM_decode),
    num_output_tokens: mean(timed.flat().map(({ num_output_tokens }) => num_output_tokens)),
  };
}

/** What files of answers say of how they were come by. */
export const config_shape = {
  dataset_name: z.string(),
  split: z.string(),
  metric: z.string(),
  batch_size: count,
  max_new_tokens: count,
  /** Workers that answered, and on what. */
  world_size: count,
  workers: z.array(z.strictObject({ shard: z.string(), adapter: z.string(), host: z.string(), answers: count })),
};

export function config_of({ run }: Pick<Saved, 'run'>, configurations: readonly Configuration[]) {
  const { protocol, dataset } = run.fingerprint;
  const workers = configurations.flatMap((one) => answers_of(one).workers);
  const by_name = grouped(workers, ({ shard, adapter, host }) => `${shard} ${adapter} ${host}`).map((some) => ({
    ...(some[0] as AnswersRecord['workers'][number]),
    answers: sum(some.map(({ answers }) => answers)),
  }));
  return {
    dataset_name: dataset?.name ?? '',
    split: dataset?.split ?? '',
    metric: configurations[0]?.answers?.metric ?? '',
    batch_size: protocol.batch,
    max_new_tokens: protocol.answers?.new_tokens ?? 0,
    world_size: by_name.length,
    workers: by_name,
  };
}

/** "500 samples of shapes test, 500 pictures, em; error bars: bootstrap over pictures, 95 %". */
export function answers_note(
  saved: Pick<Saved, 'run'>,
  { num_samples, num_pictures }: Quality,
  metric: string,
): string {
  const { dataset } = saved.run.fingerprint;
  return `${num_samples} samples of ${dataset?.name} ${dataset?.split}, ${num_pictures} pictures, metric ${metric}; error bars: 95 % of bootstraps over pictures`;
}
