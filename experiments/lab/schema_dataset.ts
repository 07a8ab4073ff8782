import { z } from 'zod';
import { count, plain, strings } from './schema_values.ts';

/** What results say of the data set that they were measured on. */

/** The data set whose samples are measured. How many of them were asked for is no part of it: more can follow. */
export const dataset_schema = z.strictObject({
  name: z.string(),
  split: z.string(),
  /** Samples in all. */
  size: count,
  /** Of what decides the samples: the bytes of files, or version and seed of a generator. */
  digest: z.string(),
  source: z.string(),
  /** How pictures become crops: letterboxed, or covering and cut as the study's loaders do. */
  resize: z.enum(['pad', 'fill']),
});
export type DatasetRecord = z.infer<typeof dataset_schema>;

/** Where a request of a data set comes from, and what is known of its answer. */
export const sample_source_schema = z.strictObject({
  /** Of the set, as the set names it. */
  id: z.string(),
  style: z.string(),
  /** References; null where the split has none. */
  answers: strings.nullable(),
  /** Of multiple choice. */
  options: strings.optional(),
  answer_index: count.optional(),
  /** image_id, example_id, question_type ... */
  metadata: z.record(z.string(), plain),
});
export type SampleSource = z.infer<typeof sample_source_schema>;

/** What was generated for a sample, without and with special tokens. */
export const answer_schema = z.strictObject({
  text: z.string(),
  text_full: z.string(),
  finish: z.enum(['length', 'eos', 'stop']),
  /** Whether the end-of-text token was made to go on. */
  forced: z.boolean(),
});
export type AnswerRecord = z.infer<typeof answer_schema>;
