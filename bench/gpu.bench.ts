import { UsageError } from '../engine/errors.ts';
import { formula_picture } from '../engine/input/pictures.ts';
import { exact_length_text } from '../engine/input/prompt.ts';
import { measure_ceilings } from '../engine/meter/ceilings.ts';
import type { GenerateRequest } from '../engine/molmoe.ts';
import { Molmoe, open_executor } from '../engine/node/load.ts';
import { percentile } from '../experiments/lab/stats.ts';
import { matmul } from '../kernels/matmul/matmul.ts';
import { type Family, family_of, runs_on, type Variant } from '../kernels/spec.ts';
import type { PlainFormat } from '../test/reference/cases/case.ts';
import type { Bench } from './bench.ts';
import { linear } from './cases.ts';
import { adapter_name } from './history.ts';
import { ceilings_line } from './table.ts';
import { collector, H100_CLASS, type Target } from './target.ts';
import { judged, open_contestant, takes_part } from './timed.ts';

/** Room for JIT, clocks and caches to settle; then the median of these. */
const RUNS = 5;

/** What only a GPU can show. `--quick` takes the same way with sizes that a software adapter can do. */
export async function bench_gpu({ say, quick, rated }: Bench): Promise<{ targets: Target[] }> {
  const { executor } = await open_executor({ hush: true });
  const { facts, traits } = executor.device;
  if (traits.software && !quick) {
    executor.destroy();
    throw new UsageError(
      `bench gpu: expected a GPU, found the software adapter ${facts.description || facts.device}; run it where there is one, or see the same way on small sizes with --quick`,
    );
  }
  const targets: Target[] = [];
  const add = collector(say, targets);
  let families: Family[];
  try {
    const ceilings = await measure_ceilings(executor);
    say(ceilings_line(ceilings));
    const read = ceilings.stream_read_bytes / 1e9;
    add(
      rated === undefined
        ? { what: 'stream read (--rated GB/s compares)', unit: 'GB/s', value: read }
        : { what: `stream read of ${rated} GB/s rated`, unit: '%', value: (100 * read) / rated, goal: 88 },
    );
    const able = matmul.variants.filter((variant) => runs_on(variant, traits));
    families = traits.software ? ['lanes'] : (['tiled', 'matrix'] as const).filter((family) => has(able, family));
    const size = quick ? 512 : 4096;
    for (const { name } of able) {
      const family = family_of({ name });
      if (family !== 'tiled' && family !== 'matrix') continue;
      const format: PlainFormat = family === 'matrix' ? 'f16' : 'f32';
      const contestant = await open_contestant(executor, name);
      const made = linear({ stage: 'prefill', rows: size, k: size, cols: size, format });
      const goal = family === 'tiled' && H100_CLASS.test(adapter_name(facts)) ? 27 : undefined;
      const target = { what: `matmul ${size}^3 ${format}, ${name}`, unit: 'TFLOP/s', goal };
      if (!takes_part(contestant, made)) add({ ...target, reason: 'does not fit here' });
      else add(await judged(contestant, made, target, ({ ms, counts }) => counts.flops / ms / 1e9));
    }
    if (!has(able, 'matrix')) {
      add({ what: `matmul ${size}^3 f16, matrix`, unit: 'TFLOP/s', reason: 'no such variant runs here' });
    }
  } finally {
    executor.destroy();
  }
  for (const family of families) add(...(await request_targets(family, quick)));
  // Small sizes are no measure of a GPU.
  return { targets: quick ? targets.map(({ least: _, goal: __, ...rest }) => rest) : targets };
}

const has = (variants: readonly Pick<Variant, 'name'>[], family: Family): boolean =>
  variants.some((variant) => family_of(variant) === family);

async function request_targets(variant: Family, quick: boolean): Promise<Target[]> {
  const preset = quick ? 'molmoe-mini' : 'molmoe-1b';
  const model = await Molmoe.load({ model: preset, dtype: 'f16', variant, hush: true });
  try {
    const say = exact_length_text(model.engine.tokenizer, 18);
    const tokens = quick ? 16 : 256;
    const targets: Target[] = [];
    const median = async (of: (round: number) => Promise<number>): Promise<number> => {
      const values: number[] = [];
      for (let round = -1; round < (quick ? 1 : RUNS); round++) {
        const value = await of(round);
        if (round >= 0) values.push(value); // the round before compiles
      }
      return percentile(values, 50);
    };
    const run = (request: Partial<GenerateRequest>) =>
      model.generate({ prompt: say, maxNewTokens: tokens, ignoreEos: true, ...request }).result;
    for (const flush of [1, 8] as const) {
      const value = await median(async () => {
        const { decode_step_ms } = await run({ tokensPerReadback: flush });
        return (1000 * decode_step_ms.length) / decode_step_ms.reduce((sum, ms) => sum + ms, 0);
      });
      const what = `${preset} f16 ${variant}, decode, --flush ${flush}`;
      targets.push({ what, unit: 'tokens/s', value });
    }
    const image = quick ? formula_picture('rings', 336, 336) : formula_picture('rings', 1232, 336); // 5 crops and the overview
    const prompt = exact_length_text(model.engine.tokenizer, quick ? 60 : 900);
    let views = 0;
    const first_ms = await median(async () => {
      const result = await run({ image, prompt, maxNewTokens: 1 });
      views = result.counts.views;
      return result.total_ms + result.preprocess_ms;
    });
    targets.push({
      ...{ what: `${preset} f16 ${variant}, first token, ${views} views + ${quick ? 60 : 900} tokens`, unit: 'ms' },
      ...{ value: first_ms, fewer: true },
    });
    const clean = { image, maxNewTokens: quick ? 4 : 32 };
    const clean_ms = await median(async () => (await run(clean)).total_ms);
    const profiled_ms = await median(async () => (await run({ ...clean, timing: 'kernel' })).total_ms);
    const what = `${preset} f16 ${variant}, profiled over clean`;
    return [...targets, { what, unit: 'times', value: profiled_ms / clean_ms, goal: 1.25, fewer: true }];
  } finally {
    model.close();
  }
}
