import { formula_picture } from '../engine/input/pictures.ts';
import { exact_length_text } from '../engine/input/prompt.ts';
import type { GenerateRequest } from '../engine/molmoe.ts';
import { type LoadOptions, Molmoe } from '../engine/node/load.ts';
import { latency, type Observed } from '../experiments/lab/instruments.ts';
import { type NamedConfig, type Scaling, scale } from '../experiments/lab/scale.ts';
import { type Protocol, STAGES, type StageName } from '../experiments/lab/schema.ts';
import { percentile } from '../experiments/lab/stats.ts';
import { STAGE_TIME } from '../experiments/lab/times.ts';
import type { Bench } from './bench.ts';
import { aligned } from './table.ts';
import type { Target } from './target.ts';

/** E1's smallest picture, one crop more, and no picture; the last is the quick one. */
const REQUESTS = [
  { key: 'one crop', width: 336, height: 336, text_tokens: 20, new_tokens: 8 },
  { key: 'two crops', width: 672, height: 336, text_tokens: 20, new_tokens: 8 },
  { key: 'text', width: 0, height: 0, text_tokens: 200, new_tokens: 16 },
] as const;
const ROUNDS = 3;
const PROTOCOL: Omit<Protocol, 'warmup'> = {
  ...{ batch: 1, runs: 2, instrumented: 1, order: 'fixed', order_seed: null, method: 'direct', tokens_per_readback: 1 },
};
const CLAIMS = { stage_percent: 10, share_points: 3 };

type Scaled = NonNullable<Scaling['scaled']>;

interface Row {
  readonly request: string;
  readonly what: string;
  readonly measured: number;
  readonly scaled: number;
  /** Percent of the measured time, or points of a share. */
  readonly off: number;
}

/**
 * Does the whole model's time follow from the slice's? Both are loaded (f16: 17 GB, q8: 9 GB) and take turns, so that a
 * machine that changes its speed changes it for both.
 */
export async function bench_slice({ say, dtype, quick }: Bench) {
  const load = (model: string) => Molmoe.load({ model, dtype: dtype as LoadOptions['dtype'], hush: true });
  const [slice, whole] = [await load('molmoe-slice'), await load('molmoe-1b')];
  const times: Row[] = [];
  const shares: Row[] = [];
  try {
    for (const { key, width, height, text_tokens, new_tokens } of quick ? REQUESTS.slice(-1) : REQUESTS) {
      const request: GenerateRequest = {
        prompt: exact_length_text(slice.engine.tokenizer, text_tokens),
        image: width > 0 ? formula_picture('rings', width, height) : undefined,
        ...{ maxNewTokens: new_tokens, ignoreEos: true },
      };
      const [of_slice, of_whole] = await in_turns([slice, whole], request, quick ? 1 : ROUNDS);
      const [from, to] = [slice, whole].map(({ facts }): NamedConfig => facts) as [NamedConfig, NamedConfig];
      const input = { slice: from, whole: to, knobs: {}, samples: of_slice.clean.samples };
      const { scaled, why } = scale({ ...input, instrumented: of_slice.instrumented, counters: of_whole.counters });
      if (scaled === null) throw new Error(why);
      const found = compare(key, of_whole, scaled);
      times.push(...found.times);
      shares.push(...found.shares);
      const rows = [...found.times, ...found.shares].map((row) => [
        row.what,
        ...[row.measured, row.scaled, row.off].map((x) => x.toFixed(1)),
      ]);
      say(`${key}: ${of_whole.tokens.prompt_length} positions, n = ${of_whole.clean.samples.length}`);
      for (const line of aligned([['', 'measured', 'scaled', 'off'], ...rows])) say(line);
    }
  } finally {
    slice.close();
    whole.close();
  }
  const worst = (rows: readonly Row[]) => Math.max(...rows.map(({ off }) => Math.abs(off)));
  const targets: Target[] = [
    { what: 'scaled stage times', unit: '% off', value: worst(times), goal: CLAIMS.stage_percent, fewer: true },
    { what: 'scaled shares', unit: 'points off', value: worst(shares), goal: CLAIMS.share_points, fewer: true },
  ];
  return { preset: 'molmoe-slice', dtype: whole.facts.dtype, times, shares, targets };
}

/** The two models, round by round: each warms up in the first. */
async function in_turns(models: readonly [Molmoe, Molmoe], request: GenerateRequest, rounds: number) {
  const all: [Observed[], Observed[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    for (const [i, { engine }] of models.entries()) {
      const protocol = { ...PROTOCOL, warmup: round === 0 ? 1 : 0 };
      all[i]?.push(await latency.observe(engine, [{ id: 'only', request, image: null }], protocol, { on_run: () => {} }));
    }
  }
  return all.map((rounds_of): Observed => {
    const last = rounds_of.at(-1) as Observed;
    const samples = rounds_of.flatMap(({ clean }) => clean.samples);
    const runs = rounds_of.flatMap(({ instrumented }) => instrumented?.runs ?? []);
    const instrumented = last.instrumented && { ...last.instrumented, runs };
    return { ...last, clean: { ...last.clean, samples }, instrumented };
  }) as [Observed, Observed];
}

function compare(request: string, whole: Observed, scaled: Scaled): { times: Row[]; shares: Row[] } {
  const stages = STAGES.filter((stage) => scaled.stages[stage] !== undefined);
  const median = (samples: Scaled['samples'], stage: StageName) =>
    percentile(
      samples.map((sample) => Number(sample[STAGE_TIME[stage]])),
      50,
    );
  const walls = stages.map((stage) => [median(whole.clean.samples, stage), median(scaled.samples, stage)] as const);
  const times = stages.map((stage, i): Row => {
    const [measured, is_scaled] = walls[i] as (typeof walls)[number];
    return { request, what: `${stage}, ms`, measured, scaled: is_scaled, off: 100 * (is_scaled / measured - 1) };
  });
  const share_rows = (names: readonly string[], pairs: readonly (readonly [number, number])[]): Row[] => {
    const [measured_sum, scaled_sum] = [0, 1].map((i) => pairs.reduce((sum, pair) => sum + (pair[i] as number), 0));
    return names.map((what, i) => {
      const [measured_ms, scaled_ms] = pairs[i] as readonly [number, number];
      const [measured, is_scaled] = [100 * (measured_ms / (measured_sum ?? 1)), 100 * (scaled_ms / (scaled_sum ?? 1))];
      return { request, what: `${what}, %`, measured, scaled: is_scaled, off: is_scaled - measured };
    });
  };
  const runs = whole.instrumented?.runs ?? [];
  const parts = stages.flatMap((stage) => {
    const rows = scaled.parts.filter((row) => row.stage === stage);
    const of_whole = (part: string) =>
      runs
        .flatMap((run) => run.parts)
        .reduce((sum, p) => sum + (p.stage === stage && p.part === part ? p.gpu_ms : 0), 0);
    return share_rows(
      rows.map(({ part }) => `${stage} ${part}`),
      rows.map(({ part, gpu_ms }) => [of_whole(part) / runs.length, gpu_ms]),
    );
  });
  return { times, shares: [...share_rows(stages, walls), ...parts] };
}
