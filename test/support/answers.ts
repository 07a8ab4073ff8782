import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AnswerLog, open_answer_log } from '../../experiments/accuracy/log/answer_log.ts';
import type { Key } from '../../experiments/accuracy/log/grid.ts';
import { MERGED_FILE, merge_answers, SUMMARY_FILE } from '../../experiments/accuracy/log/merge.ts';
import { type Asked, run_of } from '../../experiments/accuracy/log/run_file.ts';
import type { AnswerLine, AnswersRun } from '../../experiments/accuracy/log/schema.ts';
import { key_hash, parse_shard } from '../../experiments/accuracy/log/shard.ts';
import { PROVENANCE } from './records.ts';

/** Answers of a model that is none, the same ones each time: for tests of what keeps and merges them. */

export const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `question-${i}`);

export const fake_run = (samples: number, crops: readonly number[] = [1, 2], over: Partial<Asked> = {}): AnswersRun =>
  run_of({
    experiment: 'exp1_accuracy',
    program: { package_version: '0.1.0', commit: '0123456789', dirty: false, build: 'feedbeef' },
    model: {
      name: 'nano',
      weights: 'shipped',
      weights_kind: 'checkpoint',
      seed: null,
      weights_digest: 'abcd',
      dtype: 'f16',
      tokenizer: 'nano',
      layers: 4,
      experts: 8,
      parameters: {},
    },
    dataset: { name: 'shapes', split: 'test', size: samples, digest: 'beef', source: 'built in', resize: 'pad' },
    protocol: {
      batch: 8,
      answers: { samples, new_tokens: 16, timed: 0 },
      warmup: 0,
      runs: 0,
      instrumented: 0,
      order: 'fixed',
      order_seed: null,
      method: 'direct',
      tokens_per_readback: 1,
    },
    options: {},
    stage: 1,
    skipped: [],
    settings: { max_new_tokens: 16, metric: 'exact_match' },
    cells: crops.map((maxCrops) => ({ knobs: { maxCrops }, cell: { max_crops: maxCrops } })),
    samples: ids(samples),
    ...over,
  });

export function fake_answer({ sample, configuration }: Key, over: Partial<AnswerLine> = {}): AnswerLine {
  const number = key_hash(sample, configuration);
  return {
    sample,
    configuration,
    answer: ['a red square', 'zwei Würfel', 'three "left"', '4\n'][number % 4] as string,
    finish: 'eos',
    scores: { exact_match: number % 2, vqa: (number % 10) / 10 },
    tokens: {
      num_crops: 1 + (number % 3),
      inserted_vision_tokens: 144,
      prompt_length: 160 + (number % 7),
      num_output_tokens: 1 + (number % 5),
    },
    flops: { vision_encoder: 1e9 + number, projector: 1e7, prefill: 3e9 + 7 * number, decode: 1e6 * (number % 5) },
    ...over,
  };
}

/** A worker of shard "i/n". */
export const open_worker = (folder: string, run: AnswersRun, shard = '0/1'): Promise<AnswerLog> =>
  open_answer_log(folder, { run, shard: parse_shard(shard), from: 'shard', provenance: PROVENANCE });

/** Answers what is left of a shard, a group at a time. */
export async function answer_all(folder: string, run: AnswersRun, shard = '0/1', group = 4): Promise<void> {
  const log = await open_worker(folder, run, shard);
  const left = [...log.left()];
  for (let i = 0; i < left.length; i += group) {
    await log.append(left.slice(i, i + group).map((key) => fake_answer(key)));
  }
  await log.close();
}

/** Merges, and gives back both files' text. */
export async function merged_text(folder: string): Promise<string> {
  await merge_answers([folder]);
  return [MERGED_FILE, SUMMARY_FILE].map((name) => readFileSync(join(folder, name), 'utf8')).join('');
}
