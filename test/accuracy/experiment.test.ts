import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../engine/errors.ts';
import {
  type AnswerKey,
  clean_prediction,
  experiment_accuracy,
  METRICS,
  type Metric,
  metric_for_dataset,
} from '../../experiments/accuracy/metrics/experiment.ts';
import { golden_json } from '../support/golden.ts';
import { hostile_text } from '../support/hostile_text.ts';

interface Case {
  prediction: string;
  metadata: AnswerKey;
  metric: Metric;
  score?: number;
  cleaned?: string;
  predicted_idx?: number;
  error?: string;
}
const golden = golden_json<{ experiment_accuracy: Case[]; metric_for_dataset: { dataset: string; metric: string }[] }>(
  'data/metrics.json',
);

describe('the routine of the experiments equals the golden one', () => {
  it.each(golden.experiment_accuracy.map((one) => [one.metric, one.prediction, one] as const))(
    '%s of %j',
    (metric, prediction, { metadata, score, cleaned, predicted_idx, error }) => {
      const judge = () => experiment_accuracy(prediction, metadata, metric);
      if (error !== undefined) expect(judge).toThrow(InputError);
      else expect(judge()).toEqual({ score, cleaned, ...(predicted_idx === undefined ? {} : { predicted_idx }) });
    },
  );

  it('and so does the metric of a data set', () => {
    expect(golden.metric_for_dataset.length).toBe(13);
    for (const { dataset, metric } of golden.metric_for_dataset) expect(metric_for_dataset(dataset)).toBe(metric);
    expect(metric_for_dataset('constructor')).toBe('vqa_score');
  });
});

describe('the routine of the experiments', () => {
  it('cuts a prediction in one of three ways', () => {
    expect(clean_prediction('So.\nAnswer: two  cats \nAnswer: three')).toBe('two  cats');
    expect(clean_prediction('First this.\n  then  that \n\n')).toBe('then  that');
    expect(clean_prediction(' two \u00a0 cats ')).toBe('two cats');
  });

  it('judges captions by the references of either name', () => {
    const captions = ['A cat sits.'];
    expect(experiment_accuracy('a cat sits', { captions }, 'cider_score').score).toBe(1);
    expect(experiment_accuracy('a cat sits', { answers: captions }, 'cider_score').score).toBe(1);
  });

  it('names the metrics it knows', () => {
    const judge = () => experiment_accuracy('a', { answers: ['a'] }, 'bleu\n' as Metric);
    expect(judge).toThrow(UsageError);
    expect(judge).toThrow(
      'metric: expected one of vqa_score, em, ansl, ansl_em, mc, mmmu_score, cider_score, found "bleu\\n"',
    );
  });

  it('scores any text from 0 to 1', () => {
    fc.assert(
      fc.property(hostile_text, fc.array(hostile_text), fc.constantFrom(...METRICS), (prediction, answers, metric) => {
        const key = { answers: [...answers, 'x'], options: ['one', 'two', 'three'], answer_idx: 1 };
        const named = { ...key, answers: key.answers.filter((answer) => answer !== '') };
        const { score, cleaned } = experiment_accuracy(prediction, named, metric);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
        expect(cleaned.length).toBeLessThanOrEqual(prediction.length);
      }),
    );
  });
});
