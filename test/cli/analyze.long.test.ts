import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ONE_PIXEL } from '../datasets/support.ts';
import { cli, type Ended } from '../support/cli.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-analyze-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const env = { MOLMO_DATA_DIR: '' };
const run = (...args: string[]): Promise<Ended> => cli(args, { env });

/** Two questions about an image that is there, one about one that is broken, one about one that is missing. */
function vqa2(): string {
  const folder = join(scratch, 'vqa2');
  mkdirSync(join(folder, 'val2014'), { recursive: true });
  const questions = [1, 1, 2, 3].map((image_id, i) => ({ image_id, question_id: i, question: `question ${i}?` }));
  const annotations = questions.map(({ question_id }) => ({ question_id, answers: [{ answer: 'yes' }] }));
  writeFileSync(join(folder, 'v2_OpenEnded_mscoco_val2014_questions.json'), JSON.stringify({ questions }));
  writeFileSync(join(folder, 'v2_mscoco_val2014_annotations.json'), JSON.stringify({ annotations }));
  writeFileSync(join(folder, 'val2014/COCO_val2014_000000000001.jpg'), ONE_PIXEL);
  writeFileSync(join(folder, 'val2014/COCO_val2014_000000000002.jpg'), 'broken');
  return folder;
}

describe('molmoe analyze', () => {
  it('answer-lengths: the built-in set with nothing downloaded, as text and as JSON', async () => {
    const { code, stdout, errors } = await run('analyze', 'answer-lengths', '--num-samples', '50');
    expect(code).toBe(0);
    expect(stdout).toMatch(/bytes of the reference answers of shapes test/);
    expect(stdout).toMatch(/16 new tokens are (safe|borderline|too few)/);
    expect(errors).toEqual([expect.stringMatching(/each byte counts as a token: --tokenizer FOLDER/)]);
    const json = await run('analyze', 'answer-lengths', '--num-samples', '50', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      schema: 'molmoe.answer_lengths/1',
      dataset: { name: 'shapes', split: 'test', size: 5000 },
      tokenizer: 'bytes',
      samples: 50,
      tokens: { n: 50 },
    });
  });

  it('crops-needed: pictures that cannot be read are counted, warned of, and left out', async () => {
    const { code, stdout, errors } = await run(
      ...['analyze', 'crops-needed', '--dataset', 'coco_2014_vqa', '--data-dir', vqa2(), '--json'],
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'molmoe.crops_needed/1',
      dataset: { name: 'coco_2014_vqa', split: 'validation', size: 4 },
      samples: 4,
      pictures: 3,
      unreadable: { pictures: 2 },
      crops: { n: 1, max: 1 },
    });
    expect(errors).toEqual([
      expect.stringMatching(/^warning: .*000000000002.jpg: expected a PNG, JPEG/),
      expect.stringMatching(/^warning: .*000000000003.jpg: expected a readable image file, found no such file/),
      'warning: 2 of 3 pictures could not be read and are left out',
    ]);
  });

  it('takes the folder from the environment, and more samples than there are as all of them', async () => {
    const { code, errors, stdout } = await cli(
      ['analyze', 'answer-lengths', '--dataset', 'coco_2014_vqa', '--num-samples', '99', '--json'],
      { env: { MOLMO_DATA_DIR: vqa2() } },
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout).samples).toBe(4);
    expect(errors[0]).toBe('coco_2014_vqa validation has 4 samples, fewer than the 99 asked for: all of them');
  });

  it('pareto: a table and its fronts; --out keeps the text', async () => {
    const point = { max_crops: 2, top_k: 4, num_active_blocks: 12 };
    const ms = { P50: 1, P95: 2, P99: 3, mean: 1.5 };
    const accuracy = join(scratch, 'accuracy.json');
    const latency = join(scratch, 'latency.json');
    const out = join(scratch, 'fronts.txt');
    writeFileSync(accuracy, JSON.stringify({ summary: [{ ...point, accuracy: 0.5 }] }));
    writeFileSync(latency, JSON.stringify({ summary: [{ ...point, latency_total_ms: ms }] }));
    const text = await run(
      'analyze',
      'pareto',
      '--accuracy',
      accuracy,
      '--latency',
      latency,
      '--metric',
      'P95',
      '--out',
      out,
    );
    expect([text.code, text.errors]).toEqual([0, []]);
    expect(text.stdout).toMatch(
      /1 configurations, P95 latency[\s\S]*2\.00 ms[\s\S]*On the front is what no other beats/,
    );
    expect(readFileSync(out, 'utf8')).toBe(text.stdout);
    const study = await run('compare_pareto_frontiers', '--exp5_dir', accuracy, '--exp6_file', latency, '--json');
    expect(JSON.parse(study.stdout)).toMatchObject({ schema: 'molmoe.pareto/1', metric: 'mean', on: { one: 1 } });
  });

  it.each([
    [
      ['analyze', 'answer-lengths', '--dataset', 'vqa'],
      2,
      /^error: --dataset: expected one of shapes, coco_2014_vqa, .*found "vqa"$/,
    ],
    [['analyze', 'answer-lengths', '--split', 'validation'], 2, /^error: --split: expected train or test of shapes/],
    [
      ['analyze', 'answer-lengths', '--dataset', 'tally_qa'],
      2,
      /^error: --data-dir: expected the one with the files of tally_qa/,
    ],
    [['analyze', 'answer-lengths', '--data-dir', scratch], 2, /--data-dir: shapes is generated and has no files/],
    [
      ['analyze', 'answer-lengths', '--dataset', 'okvqa', '--data-dir', '/nowhere'],
      1,
      /^error: \/nowhere: expected the folder/,
    ],
    [['analyze', 'answer-lengths', '--dataset', 'shapes', '--dataset_name', 'shapes'], 2, /cannot be used with/],
    [['analyze', 'pareto'], 2, /^error: --accuracy: expected a results file/],
    [
      ['analyze', 'pareto', '--accuracy', '/nowhere', '--latency', '/nowhere'],
      1,
      /^error: \/nowhere: expected a results file or folder/,
    ],
  ])('%j is refused in one line', async (args, code, message) => {
    const ended = await run(...args);
    expect(ended.errors.filter((line) => line.startsWith('error: '))).toEqual([expect.stringMatching(message)]);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toBe('');
  });
});
