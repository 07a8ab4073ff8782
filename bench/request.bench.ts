import type { Stage } from '../engine/gpu/executor.ts';
import { formula_picture } from '../engine/input/pictures.ts';
import { exact_length_text } from '../engine/input/prompt.ts';
import { type LoadOptions, Molmoe } from '../engine/node/load.ts';
import { is_untuned, tune_itself, tuned_model } from '../engine/node/tuning.ts';
import type { Bench } from './bench.ts';

/**
 * One whole request on synthetic weights: the most crops for the small model, one crop for the real dimensions. Run a few
 * times once compiled, since a shared host takes its cores away for seconds at a time.
 */
const REQUESTS = {
  'molmoe-mini': { width: 1008, height: 784, text_tokens: 18, new_tokens: 16, warm_runs: 5 },
  'molmoe-1b': { width: 336, height: 336, text_tokens: 18, new_tokens: 8, warm_runs: 2 },
} as const;

export type RequestResult = Awaited<ReturnType<typeof bench_request>>;
type StageTimes = Readonly<Partial<Record<`${Stage}_ms`, number>>>;

export async function bench_request({ say, dtype, quick }: Bench, preset: keyof typeof REQUESTS) {
  const { width, height, text_tokens, new_tokens, warm_runs } = REQUESTS[preset];
  // The engine itself says which formats it has.
  const model = await Molmoe.load({ model: preset, dtype: dtype as LoadOptions['dtype'], hush: true });
  const { report } = model.engine.weights;
  say(
    `load  ${(report.ms / 1000).toFixed(2)} s for ${(report.bytes / 1e9).toFixed(2)} GB made as f32, stored as ${model.facts.dtype}`,
  );
  const request = {
    image: formula_picture('rings', width, height),
    prompt: exact_length_text(model.engine.tokenizer, text_tokens),
    maxNewTokens: new_tokens,
    ignoreEos: true,
  };
  const { device, variant } = model.engine.executor;
  const { backend } = model.adapter;
  if (variant === 'auto' && (await is_untuned(device, backend, tuned_model(model.facts)))) {
    const { itself } = await tune_itself(model.engine, backend, [request]);
    say(`no tuning is known here: ${itself?.seconds} s were spent on one`);
  }
  const one = async (run: number) => {
    const name = run === 1 ? 'run 1, with compilation' : `run ${run}`;
    const started = performance.now();
    const result = await model.generate(request).result;
    const wall_ms = performance.now() - started;
    const decode_ms = result.decode_step_ms.reduce((sum, ms) => sum + ms, 0);
    const tokens_per_s = (1000 * result.decode_step_ms.length) / decode_ms;
    const stages: StageTimes = Object.fromEntries(result.stages.map(({ stage, wall_ms }) => [`${stage}_ms`, wall_ms]));
    say(
      `${name}: ${(wall_ms / 1000).toFixed(2)} s, ${result.counts.views} views, ${result.counts.prompt_tokens} prompt tokens, decode ${tokens_per_s.toFixed(2)} tokens/s`,
    );
    say(
      `  ${Object.entries({ preprocess_ms: result.preprocess_ms, ...stages })
        .map(([k, v]) => `${k} ${v.toFixed(0)}`)
        .join('  ')}`,
    );
    return { name, wall_ms, tokens_per_s, preprocess_ms: result.preprocess_ms, ...stages, counts: result.counts };
  };
  const runs = [await one(1)];
  while (runs.length < 1 + (quick ? 1 : warm_runs)) runs.push(await one(runs.length + 1));
  const rss_bytes = process.memoryUsage.rss();
  say(`process memory ${(rss_bytes / 1e9).toFixed(2)} GB`);
  const memory = model.engine.executor.buffers.memory();
  model.close();
  return { preset, dtype: model.facts.dtype, load_ms: report.ms, runs, rss_bytes, gpu_bytes: memory.total.peak };
}
