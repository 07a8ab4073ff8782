import { describe, expect, it } from 'vitest';
import { type DryRequest, dry_input, dry_model, dry_run } from '../../engine/dry_run.ts';
import { type RunResult, run_model } from '../../engine/generate.ts';
import { cell_rows } from '../../engine/input/layout.ts';
import type { Context } from '../../engine/model/context.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { dry_device } from '../support/dry.ts';
import { test_executor } from '../support/gpu.ts';
import { synthetic_context, tiny_config } from '../support/run.ts';

const REQUESTS: readonly [string, DryRequest][] = [
  ['a picture', { prompt_tokens: 340, views: 2, maxNewTokens: 5 }],
  ['text and knobs', { prompt_tokens: 23, views: 0, maxNewTokens: 3, knobs: { topK: [1, 2, 3, 4], blocks: [0, 2] } }],
  [
    'experts of picture tokens apart',
    {
      ...{ prompt_tokens: 350, views: 2, maxNewTokens: 2, knobs: { topK: 3, topKVision: 1 } },
      index: cell_rows({ rows: 1, cols: 1 }, geometry_of(preset_config('molmoe-tiny'))),
    },
  ],
  ['no token', { prompt_tokens: 5, views: 0, maxNewTokens: 0 }],
];
const MACHINES = [
  ['auto', {}],
  ['tiled', { max_binding_bytes: 1536 * 1024, without: ['immediates', 'subgroups'] }],
] as const;

async function run_plainly(context: Context, request: DryRequest): Promise<RunResult> {
  const run = run_model(context, dry_input(context.config, request), request);
  let next = await run.next();
  while (!next.done) next = await run.next();
  return next.value;
}

describe('a dry run counts what a run on the adapter counts', () => {
  for (const [variant, options] of MACHINES) {
    it(`${variant}, ${JSON.stringify(options)}`, async () => {
      const executor = await test_executor(variant, options);
      const context = await synthetic_context(executor, tiny_config(), 'f16');
      const dry = await dry_model(context.config, 'f16', executor);
      for (const [name, request] of REQUESTS) {
        const ran = await run_plainly(context, request);
        const counted = await dry.run(request);
        expect(counted.ledger.rows(), name).toEqual(ran.ledger.rows());
        expect(counted.stages, name).toEqual(ran.stages.map(({ started_ms, wall_ms, ...counts }) => counts));
        expect(counted.memory, name).toEqual(executor.buffers.memory());
      }
    });
  }
});

describe('molmoe-1b without a GPU', () => {
  const machine = { device: dry_device({ subgroup_size: 32, software: false }, 2 ** 31) };
  const config = preset_config('molmoe-1b');
  const small = { prompt_tokens: 20, views: 0, maxNewTokens: 4 };
  const large = { prompt_tokens: 1400, views: 13, maxNewTokens: 4 };

  it('weighs what its weights weigh, and a request what its cache and activations do', async () => {
    const { memory, stages } = await dry_run(config, 'f16', machine, small);
    expect(memory.weights.peak / 1e9).toBeCloseTo(14.4, 1);
    expect(memory.total.peak).toBeGreaterThan(memory.weights.peak + memory.kv.peak);
    expect(stages.map(({ stage }) => stage)).toEqual(['prefill', 'decode']);
  });

  it('peaks are those of the request, whatever ran before it', async () => {
    const alone = await dry_run(config, 'f16', machine, small);
    const model = await dry_model(config, 'f16', machine);
    const before = await model.run(large);
    const after = await model.run(small);
    expect(after.memory.kv).toEqual(alone.memory.kv);
    expect(after.memory.activations).toEqual(alone.memory.activations);
    // All that stays of the request before it: small buffers that readbacks use again.
    expect(Math.abs(after.memory.total.peak - alone.memory.total.peak)).toBeLessThan(4096);
    expect(before.memory.activations.peak).toBeGreaterThan(10 * after.memory.activations.peak);
  });
});
