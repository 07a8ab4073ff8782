import { z } from 'zod';
import {
  by_stage,
  count,
  finite,
  plain,
  provenance_schema,
  sample_schema,
  token_counts_schema,
} from '../../lab/schema.ts';
import { answer_schema, dataset_schema } from '../../lab/schema_dataset.ts';
import { amount } from '../../lab/schema_values.ts';

/** What a folder of answers is made of: run.json, and lines of JSON that workers append. */

export const hash_schema = z.string().regex(/^[0-9a-f]{16}$/, 'expected 16 hexadecimal digits');
const id = z.string().min(1);

/** What all workers of a run share. Adapters and hosts are no part of it: each worker's own head names them. */
export const fingerprint_schema = z.strictObject({
  experiment: z.string(),
  program: provenance_schema.pick({ package_version: true, commit: true, dirty: true, build: true }),
  model: provenance_schema.shape.model,
  dataset: dataset_schema,
  /** What is the same for all configurations: generation, metrics, prompt. */
  settings: z.record(z.string(), plain),
  /** In the order of the summary. */
  configurations: z.array(z.strictObject({ hash: hash_schema, knobs: z.record(z.string(), plain) })).min(1),
  samples: z.strictObject({ count, digest: hash_schema }),
});
export type Fingerprint = z.infer<typeof fingerprint_schema>;

export const answers_run_schema = z.strictObject({
  schema: z.literal('molmoe.answers_run/1'),
  run: hash_schema,
  fingerprint: fingerprint_schema,
  /** Ids, in the order of the summary. */
  samples: z.array(id).min(1),
});
export type AnswersRun = z.infer<typeof answers_run_schema>;

/** Who appends the lines that follow. A worker that is started again says so again. */
export const head_schema = z.strictObject({
  schema: z.literal('molmoe.answers/1'),
  run: hash_schema,
  fingerprint: fingerprint_schema,
  worker: z.strictObject({
    /** "2/6", and what said so: an option or a launcher's variable. */
    shard: z.string(),
    from: z.string(),
    adapter: z.string(),
    host: z.string(),
    pid: z.int32().positive(),
    started: z.iso.datetime(),
  }),
});
export type Head = z.infer<typeof head_schema>;

export const answer_line_schema = z.strictObject({
  sample: id,
  /** Hash of knobs and settings. */
  configuration: hash_schema,
  answer: z.string(),
  finish: answer_schema.shape.finish,
  /** By metric; none where answers are scored later. */
  scores: z.record(z.string(), finite),
  tokens: token_counts_schema.pick({
    num_crops: true,
    inserted_vision_tokens: true,
    prompt_length: true,
    num_output_tokens: true,
  }),
  /** What was dispatched for this sample, by stage. */
  flops: by_stage(amount),
  /** Where it was measured, alone and un-batched. */
  latency: sample_schema
    .pick({ T_vision_encoder: true, T_projector: true, T_LLM_prefill: true, T_LLM_decode: true, T_total: true })
    .optional(),
});
export type AnswerLine = z.infer<typeof answer_line_schema>;

export const error_line_schema = z.strictObject({
  sample: id,
  configuration: hash_schema,
  error: z.string(),
  at: z.iso.datetime(),
});
export type ErrorLine = z.infer<typeof error_line_schema>;

const moments = z.strictObject({ n: count, mean: finite, std: finite });

/** Of all answers to each configuration. It says nothing of workers: any number of them leaves the same bytes. */
export const answers_summary_schema = z.strictObject({
  schema: z.literal('molmoe.answers_summary/1'),
  run: hash_schema,
  fingerprint: fingerprint_schema,
  configurations: z.array(
    z.strictObject({
      configuration: hash_schema,
      knobs: z.record(z.string(), plain),
      n: count,
      scores: z.record(z.string(), moments),
      tokens: z.record(z.string(), moments),
      flops: z.record(z.string(), moments),
      latency: z.record(z.string(), moments),
    }),
  ),
});
export type AnswersSummary = z.infer<typeof answers_summary_schema>;
