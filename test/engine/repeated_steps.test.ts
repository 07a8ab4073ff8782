import { describe, expect, it } from 'vitest';
import { run_model } from '../../engine/generate.ts';
import type { DeviceOptions } from '../../engine/gpu/device.ts';
import type { Dispatch, Executor } from '../../engine/gpu/executor.ts';
import type { VariantChoice } from '../../engine/gpu/pipelines.ts';
import { test_executor } from '../support/gpu.ts';
import { ODD_CONFIG, type Request } from '../support/requests.ts';
import { some_ids, synthetic_context } from '../support/run.ts';

const LONG = 300;
const REQUESTS: readonly Omit<Request, 'crops'>[] = [
  { ids: 33, options: { maxNewTokens: 9 } },
  { ids: 21, options: { maxNewTokens: 9, sampling: { temperature: 2, topP: 0.95, topK: 50, seed: 7 } } },
  { ids: 7, options: { maxNewTokens: 12, tokensPerReadback: 4, knobs: { topK: 2, blocks: [0, 2] } } },
  { ids: LONG, options: { maxNewTokens: 5, sampling: { temperature: 3, seed: 1 } } },
];
const MACHINES: readonly [VariantChoice, Partial<DeviceOptions>][] = [
  ['lanes', {}],
  ['tiled', {}],
  ['auto', { without: ['immediates'] }],
];

/** All that a step says of itself. */
const told = ({ kernel, pipeline, options, params, buffers, tag, flops, bytes }: Dispatch) => ({
  ...{ kernel: kernel.name, pipeline: pipeline.id, options, params, buffers: buffers.map(({ label }) => label) },
  ...{ tag, flops, bytes },
});

/** An executor that keeps what it is told; `afresh`: it gives no step back to repeat, so each is recorded by the model. */
function watched(executor: Executor, afresh: boolean) {
  const launches: ReturnType<typeof told>[] = [];
  let repeated = 0;
  const own: Executor = {
    ...executor,
    observe: (observer) => {
      executor.observe(
        observer &&
          ((dispatch) => {
            launches.push(told(dispatch));
            observer(dispatch);
          }),
      );
    },
    again: (...launch) => {
      repeated++;
      return executor.again(...launch);
    },
    ...(afresh ? { recorded: () => undefined as never } : {}),
  };
  return { executor: own, launches, repeated: () => repeated };
}

for (const [variant, options] of MACHINES) {
  const executor = await test_executor(variant, options);
  const context = await synthetic_context(executor, ODD_CONFIG, 'f16');

  describe(`a decode step repeated from the last (${variant}${options.without ? ', no immediates' : ''})`, () => {
    it.each(REQUESTS)('is what the model would have recorded: %j', async ({ ids, options }) => {
      const run = async (afresh: boolean) => {
        const { executor: own, launches, repeated } = watched(executor, afresh);
        const running = run_model({ ...context, executor: own }, { ids: some_ids(ids, 300) }, options);
        const tokens: number[] = [];
        for (;;) {
          const next = await running.next();
          if (next.done) return { tokens, launches, rows: next.value.ledger.rows(), repeated: repeated() };
          tokens.push(next.value.id);
        }
      };
      const { repeated: none, ...afresh } = await run(true);
      const { repeated, ...again } = await run(false);
      expect([none, repeated]).toEqual([0, options.maxNewTokens - 2]);
      expect(again).toEqual(afresh);
      const kernels = new Set(afresh.launches.map(({ kernel }) => kernel));
      expect(kernels.has('attention_decode_combine')).toBe(ids === LONG); // its keys are split
      expect(new Set(afresh.tokens).size).toBeGreaterThan(2);
    });
  });
}
