import { formula_picture, type Picture } from '../engine/input/pictures.ts';
import { exact_length_text } from '../engine/input/prompt.ts';
import { Molmoe } from '../engine/node/load.ts';
import { accuracy_of, answer_shapes } from '../experiments/accuracy/shapes_answers.ts';
import { shapes_sample } from '../experiments/datasets/shapes.ts';
import { percentile } from '../experiments/lab/stats.ts';
import type { Bench } from './bench.ts';
import { collector, type Target } from './target.ts';

const ROUNDS = 3;

/** Many questions at once, and a second one about the same picture. Ratios are of turns about, medians of three. */
export async function bench_answers({ say, quick }: Bench) {
  const targets: Target[] = [];
  const told = collector(say, targets);
  const nano = await Molmoe.load({ model: 'nano', hush: true });
  try {
    const few = quick ? 16 : 64;
    await answer_shapes(nano, { count: 16, batch: 8 }); // compiles
    await answer_shapes(nano, { count: 16, batch: 1 });
    const rates = await turn_about(
      async (batch) => few / (await seconds(() => answer_shapes(nano, { count: few, batch }))),
    );
    told({ what: 'nano, batch 8 against one by one', unit: 'times the samples/s', value: rates, least: 2, goal: 4 });
    const many = quick ? 100 : 500;
    let answers = await answer_shapes(nano, { count: 50 });
    const took = await seconds(async () => {
      answers = await answer_shapes(nano, { count: many });
    });
    const all = { what: `nano, ${many} answers, 50 at once`, unit: 's', value: took, fewer: true };
    told(quick ? all : { ...all, least: 120, goal: 45 });
    const { all: right } = accuracy_of(answers);
    say(
      `  of them ${(100 * right.share).toFixed(1)} % right (${(100 * right.low).toFixed(1)} to ${(100 * right.high).toFixed(1)} %)`,
    );
    const second = { what: 'first token of a second question against the first', unit: 'times', fewer: true };
    const limits = { least: 0.2, goal: 0.1 };
    told({ ...second, ...limits, what: `nano, ${second.what}`, value: await second_question(nano, large_shapes(9)) });
    const memory = await memory_over(nano, quick ? 10 : 50);
    say(
      `  memory from batch 5 to ${memory.batches}: GPU ${memory.gpu_bytes.join(' to ')} bytes, process ${memory.rss_bytes.join(' to ')}`,
    );
    const mini = await Molmoe.load({ model: 'molmoe-mini', hush: true });
    try {
      const step = await decode_ratio(mini, quick ? 8 : 32);
      told({
        what: 'molmoe-mini, decode step of 8 against 1',
        unit: 'times the tokens/s',
        value: step,
        least: 3,
        goal: 6,
      });
      const rings = Array.from({ length: 4 }, () => formula_picture('rings', 560, 560));
      told({ ...second, ...limits, what: `molmoe-mini, ${second.what}`, value: await second_question(mini, rings) });
    } finally {
      mini.close();
    }
    return { targets, accuracy: right, memory };
  } finally {
    nano.close();
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** Of 8 over of 1, one after the other so that a machine that changes its speed changes it for both. */
async function turn_about(rate: (batch: number) => Promise<number>): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) ratios.push((await rate(8)) / (await rate(1)));
  return percentile(ratios, 50);
}

/** Time to the first token, second question over first, a picture after another. */
async function second_question(model: Molmoe, pictures: readonly Picture[]): Promise<number> {
  const ratios: number[] = [];
  for (const image of pictures) {
    const look = model.look_at({ image });
    const ask = async (prompt: string) => (await look.ask({ prompt, maxNewTokens: 2 }).result).first_token_ms as number;
    const first = await ask('describe the picture.');
    ratios.push((await ask('what color is the circle?')) / first);
    await look.close();
  }
  return percentile(ratios, 50);
}

/** Those that want the most crops. */
const large_shapes = (count: number): Picture[] =>
  Array.from({ length: 20 * count }, (_, n) => shapes_sample('test', n).picture)
    .filter(({ width }) => width >= 100)
    .slice(0, count);

/** What is held after the fifth batch and after the last: the first ones fill pools. */
async function memory_over(nano: Molmoe, batches: number) {
  const held: { gpu: number; rss: number }[] = [];
  for (let n = 0; n < batches; n++) {
    await answer_shapes(nano, { from: 8 * n, count: 8, batch: 8 });
    held.push({ gpu: nano.engine.executor.buffers.memory().total.current, rss: process.memoryUsage.rss() });
  }
  const [early, late] = [held[4], held.at(-1)];
  return { batches, gpu_bytes: [early?.gpu, late?.gpu], rss_bytes: [early?.rss, late?.rss] };
}

/** Tokens a second in decode steps of eight requests, over those of one. */
async function decode_ratio(mini: Molmoe, new_tokens: number): Promise<number> {
  const request = { prompt: exact_length_text(mini.engine.tokenizer, 20), maxNewTokens: new_tokens, ignoreEos: true };
  const rate = async (batch: number) => {
    const { stages } = await mini.generate_batch(Array(batch).fill(request)).result;
    const decode = stages.find(({ stage }) => stage === 'decode');
    return (batch * (new_tokens - 1) * 1000) / (decode?.wall_ms ?? Number.NaN);
  };
  await rate(1);
  await rate(8);
  return turn_about(rate);
}
