import { z } from 'zod';
import { answer_schema, sample_source_schema } from './schema_dataset.ts';
import { amount, by_stage, count, finite, ms, strings } from './schema_values.ts';

/** What results say of answers: each with its score, its tokens, its exact cost, and its times where it was timed. */

/** A request timed alone, its stages between fences: never a share of a batch. */
export const alone_schema = z.strictObject({
  T_vision_encoder: ms.nullable(),
  T_projector: ms.nullable(),
  T_LLM_prefill: ms.nullable(),
  T_LLM_decode: ms.nullable(),
  /** Of each token after the first; answers that were given before it was kept lack it. */
  T_decode_per_step: z.array(ms).optional(),
  T_total: ms,
  /** Of the timed request: alone, near ties may fall otherwise than in a batch. */
  num_output_tokens: count,
});
export type Alone = z.infer<typeof alone_schema>;

export const answered_schema = z.strictObject({
  answer: z.string(),
  finish: answer_schema.shape.finish,
  /** By metric; none where answers are scored later. */
  scores: z.record(z.string(), finite),
  tokens: z.strictObject({
    num_crops: count,
    inserted_vision_tokens: count,
    prompt_length: count,
    num_output_tokens: count,
  }),
  /** What this request dispatches when it is alone, by stage. */
  flops: by_stage(amount),
  /** Each timed run of it; absent where it was not timed. */
  latency: z.array(alone_schema).min(1).optional(),
});
export type Answered = z.infer<typeof answered_schema>;

/** A sample in a published file: what was asked and what is right, beside what was answered. */
export const scored_sample_schema = answered_schema.extend({
  sample_id: z.string(),
  picture: z.string().nullable(),
  question: z.string(),
  references: sample_source_schema.shape.answers,
  options: strings.optional(),
  metadata: sample_source_schema.shape.metadata,
});
export type ScoredSample = z.infer<typeof scored_sample_schema>;

/** All answers under the knobs of one cell. */
export const answers_schema = z.strictObject({
  /** Which of the scores is meant by accuracy. */
  metric: z.string(),
  samples: z.array(scored_sample_schema).min(1),
  /** Metrics of all answers together, such as CIDEr-D, which looks at how rare words are in the set. */
  of_all: z.record(z.string(), finite),
  /** Who answered. */
  workers: z.array(z.strictObject({ shard: z.string(), adapter: z.string(), host: z.string(), answers: count })),
});
export type AnswersRecord = z.infer<typeof answers_schema>;
