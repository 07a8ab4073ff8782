import { UsageError } from '../engine/errors.ts';
import { formula_picture } from '../engine/input/pictures.ts';
import { exact_length_text } from '../engine/input/prompt.ts';
import type { GenerateRequest } from '../engine/molmoe.ts';
import { type LoadOptions, Molmoe } from '../engine/node/load.ts';
import { latency, type Observed } from '../experiments/lab/instruments.ts';
import { scale } from '../experiments/lab/scale.ts';
import { held_against, rounds_together, type ScaledRow } from '../experiments/lab/scale_check.ts';
import type { Protocol } from '../experiments/lab/schema.ts';
import type { Bench } from './bench.ts';
import { aligned } from './table.ts';
import type { Target } from './target.ts';

/** E1's smallest picture, one crop more, and no picture; the last is the quick one. */
const REQUESTS = [
  { key: 'one crop', width: 336, height: 336, text_tokens: 20, new_tokens: 8 },
  { key: 'two crops', width: 560, height: 336, text_tokens: 20, new_tokens: 8 },
  { key: 'text', width: 0, height: 0, text_tokens: 200, new_tokens: 16 },
] as const;
const PROTOCOL: Omit<Protocol, 'warmup' | 'runs'> = {
  ...{ batch: 1, instrumented: 1, order: 'fixed', order_seed: null, method: 'direct', tokens_per_readback: 1 },
};

/** Does the whole model's time follow from the slice's? Turn about: a machine that changes its speed changes it for both. */
export async function bench_slice({ say, dtype, quick, filter = '', runs }: Bench) {
  const wanted = REQUESTS.filter(({ key }) => key.includes(filter) && (!quick || key === 'text'));
  if (wanted.length === 0) {
    const keys = REQUESTS.map(({ key }) => key).join(', ');
    throw new UsageError(
      `--filter ${filter}: expected a part of ${quick ? 'text, the only one with --quick' : `one of ${keys}`}`,
    );
  }
  const load = (model: string) => Molmoe.load({ model, dtype: dtype as LoadOptions['dtype'], hush: true });
  const [slice, whole] = [await load('molmoe-slice'), await load('molmoe-1b')];
  const [times, shares]: [ScaledRow[], ScaledRow[]] = [[], []];
  for (const { key, width, height, text_tokens, new_tokens } of wanted) {
    const request: GenerateRequest = {
      prompt: exact_length_text(slice.engine.tokenizer, text_tokens),
      image: width > 0 ? formula_picture('rings', width, height) : undefined,
      ...{ maxNewTokens: new_tokens, ignoreEos: true },
    };
    const [of_slice, of_whole] = await in_turns([slice, whole], request, quick ? 1 : runs);
    const models = { slice: slice.facts, whole: whole.facts, knobs: {}, samples: of_slice.clean.samples };
    const { scaled, why } = scale({ ...models, instrumented: of_slice.instrumented, counters: of_whole.counters });
    if (scaled === null) throw new Error(why);
    const found = held_against(key, of_whole, scaled);
    times.push(...found.times);
    shares.push(...found.shares);
    const rows = [...found.times, ...found.shares].map(({ what, measured, scaled: is_scaled, off }) => [
      ...[what, measured.toFixed(1), is_scaled.toFixed(1), off.toFixed(1)],
    ]);
    const title = `${key}: ${of_whole.tokens.prompt_length} positions, n = ${of_whole.clean.samples.length}`;
    for (const line of [title, ...aligned([['', 'measured', 'scaled', 'off'], ...rows])]) say(line);
  }
  for (const model of [slice, whole]) model.close();
  const worst = (rows: readonly ScaledRow[]) => Math.max(...rows.map(({ off }) => Math.abs(off)));
  const targets: Target[] = [
    { what: 'scaled stage times', unit: '% off', value: worst(times), goal: 10, fewer: true },
    { what: 'scaled shares', unit: 'points off', value: worst(shares), goal: 3, fewer: true },
  ];
  return { preset: 'molmoe-slice', dtype: whole.facts.dtype, times, shares, targets };
}

/** The two models, round by round: each warms up in the first. The slice's runs are short, so it has more of them. */
async function in_turns(models: readonly [Molmoe, Molmoe], request: GenerateRequest, rounds: number) {
  const all: [Observed[], Observed[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    for (const [i, { engine }] of models.entries()) {
      const protocol = { ...PROTOCOL, runs: i === 0 ? 6 : 2, warmup: round === 0 ? 1 : 0 };
      const asked = [{ id: 'only', request, image: null }];
      all[i]?.push(await latency.observe(engine, asked, protocol, { on_run: () => {} }));
    }
  }
  return all.map(rounds_together) as [Observed, Observed];
}
