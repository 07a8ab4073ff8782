import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { open_answer_log } from '../../experiments/accuracy/log/answer_log.ts';
import { saved_answers, stage_folder } from '../../experiments/accuracy/saved.ts';
import { fake_answer, fake_run } from '../support/answers.ts';
import { fake_configuration, PROVENANCE } from '../support/records.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-rounds-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SAMPLES = 3;

async function answer_round(stage: number, crops: readonly number[]): Promise<void> {
  const run = fake_run(SAMPLES, crops, { stage });
  const asked = run.samples.map((id) => ({
    ...{ id, style: 'vqa2', answers: ['a red square'], metadata: {}, picture: id, question: 'What is it?' },
  }));
  const shard = { index: 0, count: 1 };
  const log = await open_answer_log(stage_folder(folder, stage), {
    run,
    asked,
    shard,
    from: 'shard',
    provenance: PROVENANCE,
  });
  const { tokens, counters, flops, memory } = fake_configuration('low', 'short', 'short');
  const request = { id: 'first', prompt: 'What is it?', image: null, tokens, counters, flops };
  for (const key of [...log.left()]) {
    await log.append([fake_answer(key, key.sample === run.samples[0] ? { counted: { request, memory } } : {})]);
  }
  await log.close();
}

it('a round is chosen by the rounds before it, however far others are already', async () => {
  await answer_round(1, [1, 2]);
  await answer_round(2, [3]);
  const keys = async (rounds?: number) =>
    (await saved_answers('exp1_accuracy', [folder], { rounds })).configurations.map(({ key }) => key);
  expect(await keys(1)).toEqual(['max_crops=1', 'max_crops=2']);
  expect(await keys()).toEqual(['max_crops=1', 'max_crops=2', 'max_crops=3']);
});
