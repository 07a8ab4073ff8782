import { expect, it } from 'vitest';
import { formula_picture } from '../../engine/input/pictures.ts';
import type { GenerateResult } from '../../engine/molmoe.ts';
import { open_model } from '../../engine/node/load.ts';

const model = await open_model({ model: 'molmoe-tiny' });
const { engine } = await model.load();
const image = formula_picture('rings', 400, 300);
const QUESTIONS = [
  'What is this?',
  'What color is it?',
  'What color is it?',
  'And how many of these are there in the picture?',
];

const stages = ({ stages: some }: GenerateResult) => some.map(({ stage }) => stage);
const work = ({ stages: some }: GenerateResult, stage: string) => some.find((one) => one.stage === stage)?.flops ?? 0;

for (const [name, knobs] of [
  ['all knobs at full', {}],
  ['one expert, blocks left out', { topK: 1, blocks: [1, 3], maxCrops: 2 }],
] as const) {
  it(`answers as a request alone does, and sees the picture once: ${name}`, async () => {
    const look = engine.look_at({ image, knobs });
    for (const [i, prompt] of QUESTIONS.entries()) {
      // 300 new tokens need more room than the first question did: what is kept moves.
      const question = { prompt, maxNewTokens: i === 3 ? 300 : 6, ignoreEos: true };
      const asked = await look.ask(question).result;
      const alone = await engine.generate({ ...question, image, knobs }).result;
      expect(asked.tokens).toEqual(alone.tokens);
      const { kept_tokens = 0, ...counts } = asked.counts;
      expect(counts).toEqual(alone.counts);
      expect(stages(asked)).toEqual(i === 0 ? stages(alone) : ['prefill', 'decode']);
      expect(work(asked, 'decode')).toBe(work(alone, 'decode'));
      const image_rows = 1 + (counts.image_tokens ?? 0);
      if (i === 0) expect(kept_tokens).toBe(0);
      // The same question again computes its last row alone.
      else if (i === 2) expect(kept_tokens).toBe(counts.prompt_tokens - 1);
      else expect(kept_tokens).toBeGreaterThanOrEqual(image_rows);
      if (i > 0) expect(work(asked, 'prefill')).toBeLessThan(work(alone, 'prefill') / 4);
    }
    await look.close();
    expect(() => look.ask({ prompt: 'Again?' })).toThrow(/this look is closed/);
  });
}

it('keeps nothing of a question that was left, and nothing when it is closed', async () => {
  const before = engine.executor.buffers.memory().total.current;
  const look = engine.look_at({ image });
  await look.ask({ prompt: 'What is this?', maxNewTokens: 2 }).result;
  const left = new AbortController();
  left.abort();
  await expect(look.ask({ prompt: 'And that?', maxNewTokens: 2, signal: left.signal }).result).rejects.toThrow(
    /abort/i,
  );
  for await (const _ of look.ask({ prompt: 'And this here?', maxNewTokens: 9, ignoreEos: true })) break;
  const question = { prompt: 'And that?', maxNewTokens: 5, ignoreEos: true };
  expect((await look.ask(question).result).tokens).toEqual(
    (await engine.generate({ ...question, image }).result).tokens,
  );
  await look.close();
  expect(engine.executor.buffers.memory().total.current).toBe(before);
});

it('questions without a picture share what they begin with', async () => {
  const look = engine.look_at({});
  const first = await look.ask({ prompt: 'One two three', maxNewTokens: 3 }).result;
  const second = await look.ask({ prompt: 'One two four', maxNewTokens: 3 }).result;
  expect(first.counts.kept_tokens).toBe(0);
  expect(second.counts.kept_tokens).toBeGreaterThan(1);
  expect(second.tokens).toEqual((await engine.generate({ prompt: 'One two four', maxNewTokens: 3 }).result).tokens);
  await look.close();
});

it('refuses what needs a whole prompt', async () => {
  const look = engine.look_at({ image });
  expect(() => look.ask({ prompt: 'What?', routing: true } as never)).toThrow(/routing: counts whole prompts/);
  await look.close();
});
