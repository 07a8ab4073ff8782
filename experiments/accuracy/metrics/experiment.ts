import { UsageError } from '../../../engine/errors.ts';
import { best_anls } from './anls.ts';
import { choice_of } from './choice.ts';
import { cider_simplified } from './cider_simplified.ts';
import { exact_match } from './exact.ts';
import { mmmu_score } from './mmmu.ts';
import { quoted, trimmed, words_of } from './text.ts';
import { vqa_accuracy } from './vqa.ts';

/** By the names that published results give them; "ansl" is ANLS. */
export const METRICS = ['vqa_score', 'em', 'ansl', 'ansl_em', 'mc', 'mmmu_score', 'cider_score'] as const;
export type Metric = (typeof METRICS)[number];

const METRIC_OF: ReadonlyMap<string, Metric> = new Map([
  ['mmmu', 'mmmu_score'],
  ['coco_caption', 'cider_score'],
  ['coco_captioning', 'cider_score'],
  ['science_qa_img', 'mc'],
  ['doc_qa', 'ansl_em'],
  ['st_qa', 'ansl_em'],
  ['tally_qa', 'em'],
  // One reference a question: a third for each that says the same would make right answers thirds.
  ['shapes', 'em'],
]);

/** Soft accuracy where a data set asks for nothing else. */
export const metric_for_dataset = (dataset: string): Metric => METRIC_OF.get(dataset) ?? 'vqa_score';

/** What a data set says of a question. */
export interface AnswerKey {
  readonly answers?: readonly string[];
  readonly answer?: string | readonly string[];
  readonly captions?: readonly string[];
  readonly options?: readonly string[];
  readonly option_names?: readonly string[];
  readonly answer_idx?: number;
  readonly question_type?: string;
}

export interface Judged {
  readonly score: number;
  /** What was left of the prediction and judged. */
  readonly cleaned: string;
  /** Of multiple choice. */
  readonly predicted_idx?: number;
}

const MARK = 'Answer:';

/**
 * What a text says in the end: what follows its first "Answer:", else its last line, else all of it, each run of
 * blanks as one.
 */
export function clean_prediction(prediction: string): string {
  if (prediction.includes(MARK)) return trimmed(prediction.split(MARK)[1] as string);
  if (!prediction.includes('\n')) return words_of(prediction).join(' ');
  const lines = prediction.split('\n').map(trimmed);
  return lines.findLast((line) => line !== '') ?? '';
}

/** Cuts the prediction and scores what is left. A question without a reference scores 0, as in the published study. */
export function experiment_accuracy(prediction: string, key: AnswerKey, metric: Metric): Judged {
  const cleaned = clean_prediction(prediction);
  const given = key.answers ?? key.answer ?? [];
  const references = typeof given === 'string' ? [given] : given;
  switch (metric) {
    case 'vqa_score':
      return { score: vqa_accuracy(cleaned, given), cleaned };
    case 'em':
      return { score: exact_match(cleaned, references), cleaned };
    case 'ansl':
    case 'ansl_em':
      return { score: best_anls(cleaned, references), cleaned };
    case 'cider_score':
      return { score: cider_simplified(cleaned, key.captions ?? references), cleaned };
    case 'mmmu_score':
      return { score: mmmu_score(cleaned, { ...key, targets: references }), cleaned };
    case 'mc': {
      if (key.options === undefined || key.answer_idx === undefined) return { score: 0, cleaned };
      const predicted_idx = choice_of(cleaned, key.options, key.option_names);
      return { score: predicted_idx === key.answer_idx ? 1 : 0, cleaned, predicted_idx };
    }
    default:
      throw new UsageError(`metric: expected one of ${METRICS.join(', ')}, found ${quoted(String(metric))}`);
  }
}
