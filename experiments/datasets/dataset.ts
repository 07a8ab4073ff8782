import type { Picture } from '../../engine/input/pictures.ts';

/** What data sets have in common, whatever their files look like. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export interface Turning {
  /** Turn the picture as its file says: the study does so where pictures cover their crops (fill), the published processor does not. */
  readonly orient?: boolean;
}

/** Opened when it is needed, and not kept: a set may be larger than memory. */
export interface SamplePicture {
  readonly name: string;
  readonly open: (as?: Turning) => Promise<Picture>;
  /** From its header, or how it is made: nothing is decoded. */
  readonly size: (as?: Turning) => Promise<{ readonly width: number; readonly height: number }>;
}

/** One question about one picture, and where it comes from. */
export interface DatasetSample {
  /** Of the set, as the set names it: a question's or a caption's own id. */
  readonly id: string;
  /** null: a question without a picture. */
  readonly picture: SamplePicture | null;
  readonly question: string;
  /** Prompt style of the set, such as vqa2. */
  readonly style: string;
  /** References; null where the split has none. */
  readonly answers: readonly string[] | null;
  /** Of multiple choice. */
  readonly options?: readonly string[];
  readonly answer_index?: number;
  /** image_id, example_id, question_id, question_type ... as the study copies them into results. */
  readonly metadata: Readonly<Record<string, Json>>;
}

export interface Dataset {
  readonly name: string;
  readonly split: string;
  /** Samples in all. */
  readonly size: number;
  /** Of what decides the samples: the files' bytes, or the generator's version and seed. Goes into the fingerprint. */
  readonly digest: string;
  /** Where it lies or how it is made, for provenance. */
  readonly source: string;
  /** Samples from this place on, in the set's own order. A broken record is an InputError at its place, when it is opened. */
  samples(from?: number): AsyncIterable<DatasetSample>;
}

/** A set as it is known before its files are opened. */
export interface DatasetInfo {
  readonly title: string;
  readonly splits: readonly string[];
  /** The split that is measured on unless another is asked for, and its samples as published. */
  readonly usual_split: string;
  readonly samples: number;
  /** Prompt style; of a set with several, the usual one. */
  readonly style: string;
  /** Room for its answers. */
  readonly new_tokens: number;
  /** Where to get it. */
  readonly source: string;
}
