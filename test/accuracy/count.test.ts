import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchAnswer } from '../../engine/batch_requests.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import type { Molmoe } from '../../engine/node/load.ts';
import { type OpenModel, open_model } from '../../engine/node/load.ts';
import { make_counter } from '../../experiments/accuracy/count.ts';
import { shapes_sample } from '../../experiments/datasets/shapes.ts';
import { counters, exact_flops, token_counts } from '../../experiments/lab/measure.ts';

let model: OpenModel;
let loaded: Molmoe;
beforeAll(async () => {
  model = await open_model({ model: 'nano' });
  loaded = await model.load();
});
afterAll(() => model.close());

const KNOBS: readonly Knobs[] = [
  {},
  { topK: 1 },
  { maxCrops: 1 },
  { blocks: [0, 2, 5] },
  { topK: 3, topKVision: 1, maxCrops: 4 },
];

it.each(KNOBS)('an answer in a batch costs what the same request dispatches alone: %j', async (knobs) => {
  const counter = make_counter(model);
  const samples = [3, 8, 9].map((n) => shapes_sample('test', n));
  const requests = samples.map(({ question: prompt, picture: image }) => ({ prompt, image, maxNewTokens: 16, knobs }));
  const { answers } = await loaded.engine.generate_batch(requests).result;
  for (const [i, answer] of answers.entries()) {
    const alone = await loaded.engine.generate(requests[i] as (typeof requests)[number]).result;
    expect((answer as BatchAnswer).tokens).toEqual(alone.tokens);
    const exact = exact_flops(counters(alone));
    const request = requests[i] as (typeof requests)[number];
    expect(await counter.flops(request, answer as BatchAnswer)).toEqual(exact);
    const whole = await counter.whole({ id: 'x', image: 'x', request }, request, answer as BatchAnswer);
    expect(whole.request.tokens).toEqual(
      token_counts({ ...alone, decode_steps: alone.decode_step_ms.length }, request.image),
    );
    expect(whole.request.flops.exact).toEqual(exact);
    expect(whole.request.counters).toEqual(counters(alone));
  }
});

it('without a picture too', async () => {
  const counter = make_counter(model);
  const request = { prompt: 'what color is the square?', maxNewTokens: 3, ignoreEos: true };
  const { answers } = await loaded.engine.generate_batch([request]).result;
  const alone = await loaded.engine.generate(request).result;
  expect(await counter.flops(request, answers[0] as BatchAnswer)).toEqual(exact_flops(counters(alone)));
});
