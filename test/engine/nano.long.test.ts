import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { word_tokenizer } from '../../engine/input/word_tokenizer.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import { Molmoe } from '../../engine/node/load.ts';
import { accuracy_of, answer_shapes } from '../../experiments/accuracy/shapes_answers.ts';
import { shapes_sample } from '../../experiments/datasets/shapes.ts';
import { tokenizer_json } from '../../tools/train/words.ts';
import { repo_root } from '../support/golden.ts';
import { golden_tests } from '../support/golden_sets.ts';
import { test_executor } from '../support/gpu.ts';

const folder = join(repo_root, 'engine');
const json = (name: string) => JSON.parse(readFileSync(join(folder, 'nano', name), 'utf8'));
const cases = (json('index.json') as { cases: { case: string }[] }).cases.map((one) => one.case);

// Every point of twenty questions as PyTorch computes it, in float64.
golden_tests('lanes', 'nano', cases, () => test_executor('lanes', { mode: 'release' }), {}, folder);
golden_tests('tiled', 'nano', cases, () => test_executor('tiled', { mode: 'release' }), {}, folder);

describe('nano as it ships', () => {
  it('takes at most 8 MB with its reference cases', () => {
    const files = readdirSync(join(folder, 'nano'), { recursive: true, encoding: 'utf8' });
    const bytes = files.map((name) => statSync(join(folder, 'nano', name))).filter((file) => file.isFile());
    expect(bytes.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(8e6);
  });

  it('has the reference cases of twenty questions, of every type', () => {
    expect(cases.length).toBe(20);
    expect(new Set(cases.map((name) => name.split('_')[0])).size).toBe(10);
  });

  it('knows every word of the questions and answers that are made today', () => {
    expect(json('tokenizer.json')).toEqual(tokenizer_json());
    const { unknown_words } = word_tokenizer(json('tokenizer.json'));
    for (let n = 0; n < 200; n++) {
      const { question, answer } = shapes_sample('test', n);
      expect(unknown_words?.(`${question} ${answer}`)).toEqual([]);
    }
  });
});

describe('what nano answers', () => {
  let nano: Molmoe;
  beforeAll(async () => {
    nano = await Molmoe.load({ model: 'nano' });
  });
  afterAll(() => nano.close());
  const right = async (count: number, knobs?: Knobs) => accuracy_of(await answer_shapes(nano, { count, knobs }));

  it('is right for nine of ten of 300 questions of the test split', async () => {
    const { all, ...types } = await right(300);
    expect(all.n).toBe(300);
    expect(all.share).toBeGreaterThanOrEqual(0.9);
    for (const [type, { share }] of Object.entries(types)) expect(share, type).toBeGreaterThanOrEqual(0.7);
  });

  it.each<[string, Knobs]>([
    ['everything on', {}],
    ['one expert', { topK: 1 }],
    ['two experts for the picture', { topKVision: 2 }],
    ['some blocks', { blocks: [0, 1, 2, 4, 7] }],
    ['one crop', { maxCrops: 1 }],
    ['all at once', { topK: [4, 4, 2, 2, 1, 1, 8, 8], topKVision: 1, blocks: [0, 1, 2, 3, 4, 5], maxCrops: 3 }],
  ])('does not depend on how many questions run together: %s', async (_, knobs) => {
    const ask = (batch: number) => answer_shapes(nano, { from: 300, count: 20, batch, knobs });
    expect(await ask(20)).toEqual(await ask(1));
  });

  it('leaves no memory behind', async () => {
    const held: number[] = [];
    for (let n = 0; n < 12; n++) {
      await answer_shapes(nano, { from: 8 * n, count: 8, batch: 8 });
      held.push(nano.engine.executor.buffers.memory().total.current);
    }
    expect(new Set(held.slice(2)).size).toBe(1);
  });

  it('suffers when a knob is turned: marks without crops, all with one block or one expert', async () => {
    const few_crops = await right(100, { maxCrops: 1 });
    expect(few_crops.mark.share).toBeLessThan(0.6);
    expect((await right(100, { blocks: [0] })).all.share).toBeLessThan(0.7);
    expect((await right(200, { topK: 1 })).all.share).toBeLessThan(0.96);
  });
});
