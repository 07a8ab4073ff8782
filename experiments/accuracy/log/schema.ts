import { z } from 'zod';
import {
  count,
  finite,
  memory_schema,
  plain,
  protocol_schema,
  provenance_schema,
  request_schema,
  settings_schema,
  skipped_schema,
} from '../../lab/schema.ts';
import { answered_schema } from '../../lab/schema_answers.ts';
import { dataset_schema, sample_source_schema } from '../../lab/schema_dataset.ts';

/** What a folder of answers is made of: run.json, and lines of JSON that workers append. */

export const hash_schema = z.string().regex(/^[0-9a-f]{16}$/, 'expected 16 hexadecimal digits');
const id = z.string().min(1);

/** What all workers of a run share. Adapters and hosts are no part of it: each worker's own head names them. */
export const fingerprint_schema = z.strictObject({
  experiment: z.string(),
  program: provenance_schema.pick({ package_version: true, commit: true, dirty: true, build: true }),
  model: provenance_schema.shape.model,
  dataset: dataset_schema,
  protocol: protocol_schema,
  /** Of the experiment, as its command chose them. */
  options: z.record(z.string(), plain),
  /** From 1: of an experiment that chooses configurations by the answers to others, which of its rounds. */
  stage: z.int().positive(),
  /** What is the same for all configurations: generation, metrics, prompt. */
  settings: z.record(z.string(), plain),
  /** In the order of the summary; `cell`: what the experiment calls each. */
  configurations: z
    .array(z.strictObject({ hash: hash_schema, knobs: z.record(z.string(), plain), cell: settings_schema }))
    .min(1),
  samples: z.strictObject({ count, digest: hash_schema }),
  /** Points of the grid that this model does not have, and why. */
  skipped: z.array(skipped_schema),
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
    pid: z.int32().positive(),
    started: z.iso.datetime(),
    /** What answers: adapter, driver, host. */
    provenance: provenance_schema,
  }),
});
export type Head = z.infer<typeof head_schema>;

export const answer_line_schema = answered_schema.extend({
  sample: id,
  /** Hash of knobs and settings. */
  configuration: hash_schema,
  /** Of the run's first sample: all that is counted of the request, and the GPU memory it takes. */
  counted: z.strictObject({ request: request_schema, memory: memory_schema.nullable() }).optional(),
});
export type AnswerLine = z.infer<typeof answer_line_schema>;

export const error_line_schema = z.strictObject({
  sample: id,
  configuration: hash_schema,
  error: z.string(),
  at: z.iso.datetime(),
});
export type ErrorLine = z.infer<typeof error_line_schema>;

/** samples.jsonl: what was asked, and what is right, once for all answers to it. */
export const asked_line_schema = z.strictObject({
  ...sample_source_schema.shape,
  /** Questions about one picture are right or wrong together. */
  picture: z.string().nullable(),
  question: z.string(),
});
export type AskedLine = z.infer<typeof asked_line_schema>;

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
