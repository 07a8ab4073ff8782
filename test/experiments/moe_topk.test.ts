import { afterAll, expect, it } from 'vitest';
import { pass_weight_bytes } from '../../engine/meter/roofline.ts';
import { plan_blocks } from '../../engine/model/knobs.ts';
import { Molmoe } from '../../engine/node/load.ts';
import { floors_of } from '../../experiments/lab/conduct.ts';
import { latency } from '../../experiments/lab/instruments.ts';
import { moe_topk } from '../../experiments/profiling/moe_topk.ts';
import { FAKE_RUN } from '../support/records.ts';

const model = await Molmoe.load({ model: 'molmoe-tiny', hush: true });
afterAll(() => model.close());
const { config, dtype } = model.facts;
const on = { config, tokenizer: model.engine.tokenizer, asked: {}, tokens_per_readback: 1 };
const protocol = { ...FAKE_RUN.fingerprint.protocol, warmup: 0, runs: 1, instrumented: 1 };

it('turns the knob of each cell: pairs, bytes and floors go with the experts a token takes', async () => {
  const { cells, skipped } = moe_topk.plan(on, { topK: [1, 2, 8, 64] });
  expect(cells.map(({ settings, knobs }) => [settings.top_k, knobs.topK])).toEqual([
    [1, 1],
    [2, 2],
    [8, 8],
  ]);
  expect(skipped.map(({ key, reason }) => [key, reason])).toEqual([
    ['top_k=64', 'topK: expected a whole number from 1 to 8 (the experts of a block), found 64'],
  ]);
  const seen = [];
  for (const { requests, knobs } of cells) {
    const floor_of = floors_of(FAKE_RUN.ceilings, config, dtype, knobs);
    seen.push(await latency.observe(model.engine, requests, protocol, { floor_of, on_run: () => {} }));
  }
  const experts = seen.map(({ instrumented }) =>
    (instrumented?.kernels ?? [])
      .filter(({ stage, part }) => stage === 'prefill' && part === 'moe_experts')
      .reduce((sum, { flops, floor_ms }) => ({ flops: sum.flops + flops, floor_ms: sum.floor_ms + (floor_ms ?? 0) }), {
        flops: 0,
        floor_ms: 0,
      }),
  );
  const flops = experts.map((one) => one.flops);
  expect([flops[1], flops[2]]).toEqual([2 * (flops[0] as number), 8 * (flops[0] as number)]);
  expect(experts[1]?.floor_ms).toBeGreaterThan(experts[0]?.floor_ms as number);
  expect(experts[2]?.floor_ms).toBeGreaterThan(experts[1]?.floor_ms as number);
});

it('the floor of a cell rests on the weights that its own knobs read', () => {
  const row = { ...FLOORED, weight_bytes: 40 * 2 ** 20 };
  const floor = (topK: number, blocks?: number[]) =>
    floors_of(FAKE_RUN.ceilings, config, dtype, { topK, blocks })?.(row as never).floor_ms as number;
  const bytes = (topK: number) => pass_weight_bytes(config, dtype, plan_blocks(config, { topK })).decode;
  expect(bytes(8)).toBeGreaterThan(bytes(1));
  // What a whole pass reads fits the cache or does not: more of it streams when a pass is larger.
  const roof = { ...(FAKE_RUN.ceilings as object), cache_bytes: bytes(1) } as NonNullable<typeof FAKE_RUN.ceilings>;
  const under = (topK: number) => floors_of(roof, config, dtype, { topK })?.(row as never).floor_ms as number;
  expect(under(8)).toBeGreaterThan(under(1));
  expect(floor(1)).toBe(floor(1, [0, 1, 2, 3]));
});

const FLOORED = {
  stage: 'decode',
  part: 'moe_experts',
  kernel: 'expert_gate_up',
  variant: 'lanes',
  gpu_ms: 1,
  dispatches: 1,
  flops: 1,
  executed_flops: 1,
  other_ops: 0,
  read_bytes: 0,
  written_bytes: 0,
  kv_bytes: 0,
};
