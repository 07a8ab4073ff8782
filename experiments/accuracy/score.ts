import { InputError } from '../../engine/errors.ts';
import type { SampleSource } from '../lab/schema.ts';
import { bleu } from './metrics/bleu.ts';
import { grouped } from './metrics/bootstrap.ts';
import type { CaptionPair } from './metrics/caption_pairs.ts';
import { cider_d } from './metrics/cider.ts';
import { type AnswerKey, clean_prediction, experiment_accuracy, type Metric } from './metrics/experiment.ts';
import { rouge_l } from './metrics/rouge.ts';
import { quoted } from './metrics/text.ts';
import { vqa_accuracy_left_out } from './metrics/vqa.ts';

/** Soft accuracy as its authors count it: each reference left out in turn, the mean of what the others say. */
export const OFFICIAL_VQA = 'vqa_left_out';

/** What a sample says of its answer. */
interface Source extends Pick<SampleSource, 'id' | 'answer_index'> {
  readonly answers: readonly string[] | null;
  readonly options?: readonly string[] | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

function key_of({ answers, options, answer_index, metadata }: Source, metric: Metric): AnswerKey {
  const { question_type } = metadata;
  return {
    answers: answers ?? [],
    ...(metric === 'cider_score' ? { captions: answers ?? [] } : {}),
    ...(options && { options, option_names: options.map((_, i) => LETTERS[i] ?? String(i)) }),
    ...(answer_index === undefined ? {} : { answer_idx: answer_index }),
    ...(typeof question_type === 'string' ? { question_type } : {}),
  };
}

/** What one answer scores: by its metric, and where that is the study's soft accuracy, by the official one too. */
export function scores_of(answer: string, source: Source, metric: Metric): Record<string, number> {
  const { score } = experiment_accuracy(answer, key_of(source, metric), metric);
  if (metric !== 'vqa_score' || (source.answers?.length ?? 0) < 2) return { [metric]: score };
  return { [metric]: score, [OFFICIAL_VQA]: vqa_accuracy_left_out(clean_prediction(answer), source.answers ?? []) };
}

/** A set without answers cannot be scored: said before anything runs. */
export function check_scorable(sources: readonly Source[], metric: Metric, set: string): void {
  const is_known = ({ answers, options, answer_index }: Source): boolean =>
    metric === 'mc' ? options !== undefined && answer_index !== undefined : (answers?.length ?? 0) > 0;
  const unknown = sources.find((source) => !is_known(source));
  if (unknown === undefined) return;
  const wanted = metric === 'mc' ? 'options and which of them is right' : 'an answer to score by';
  throw new InputError(
    `${set}: expected ${wanted} of each sample, found none of ${quoted(unknown.id)}; choose another split, or --predict-only`,
  );
}

export interface OfOne {
  readonly picture: string | null;
  readonly answer: string;
  readonly references: readonly string[] | null;
}

/**
 * Metrics that look at all captions of a set together, a caption a picture against all that people wrote of it; none where
 * answers are no captions, and of fewer than two pictures.
 */
export function scores_of_all(answers: readonly OfOne[], metric: string): Record<string, number> {
  if (metric !== 'cider_score') return {};
  const pictures = grouped(answers, ({ picture }) => picture ?? '');
  if (pictures.length < 2) return {};
  const pairs: CaptionPair[] = pictures.map((of_one) => ({
    caption: clean_prediction(of_one[0]?.answer ?? ''),
    references: [...new Set(of_one.flatMap(({ references }) => references ?? []))],
  }));
  const rouge = pairs.reduce((sum, pair) => sum + rouge_l(pair), 0) / pairs.length;
  return { 'CIDEr-D': cider_d(pairs).mean, 'BLEU-4': bleu(pairs).scores[3] as number, 'ROUGE-L': rouge };
}
