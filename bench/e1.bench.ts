import { open_model } from '../engine/node/load.ts';
import { plan_e1 } from '../experiments/core/e1.ts';
import { run_protocol } from '../experiments/lab/protocol.ts';
import { type Protocol, STAGES, type StageName } from '../experiments/lab/schema.ts';
import { percentile } from '../experiments/lab/stats.ts';
import { STAGE_TIME } from '../experiments/lab/times.ts';
import type { Bench } from './main.ts';
import { aligned } from './table.ts';

interface E1Cell {
  readonly key: string;
  readonly prompt_tokens: number;
  readonly new_tokens: number;
  readonly runs: number;
  /** Medians of wall time between fences. */
  readonly median_ms: Readonly<Partial<Record<StageName | 'total', number>>>;
}

/** E1's high regime by its own protocol, with few repetitions: what a change of a kernel does to each stage of a request. */
export async function bench_e1({ say, quick }: Bench) {
  const model = await open_model({ model: 'molmoe-mini', hush: true });
  const protocol: Protocol = {
    ...{ batch: 1, warmup: 1, runs: quick ? 1 : 3, instrumented: 0, order_seed: null, tokens_per_readback: 1 },
    ...{ order: 'fixed', method: 'direct' },
  };
  const cells: E1Cell[] = [];
  const loaded = await model.load();
  try {
    const { config } = model.facts;
    const planned = plan_e1(
      { config, tokenizer: model.tokenizer },
      {
        regimes: ['high'],
        knobs: {},
        tokens_per_readback: 1,
        ...(quick ? { decodes: ['short'], prompts: ['short'] } : {}),
      },
    );
    for (const { key, request } of planned) {
      const { clean, tokens } = await run_protocol(loaded.engine, request, protocol, { on_run: () => {} });
      const median = (name: keyof (typeof clean.samples)[number]) =>
        percentile(
          clean.samples.map((sample) => Number(sample[name])),
          50,
        );
      const stages = STAGES.map((stage) => [stage, median(STAGE_TIME[stage])]);
      cells.push({
        ...{ key, prompt_tokens: tokens.prompt_length, new_tokens: tokens.num_output_tokens, runs: protocol.runs },
        median_ms: { ...Object.fromEntries(stages), total: median('T_total') },
      });
    }
  } finally {
    loaded.close();
    await model.close();
  }
  const head = ['cell', 'prompt', 'new', ...STAGES, 'total ms'];
  const rows = cells.map(({ key, prompt_tokens, new_tokens, median_ms }) => [
    ...[key, String(prompt_tokens), String(new_tokens)],
    ...[...STAGES, 'total' as const].map((name) => (median_ms[name] ?? 0).toFixed(0)),
  ]);
  for (const line of aligned([head, ...rows])) say(line);
  return { preset: 'molmoe-mini', cells };
}
