import { beforeAll, describe, expect, it } from 'vitest';
import type { VariantChoice } from '../../engine/gpu/pipelines.ts';
import { start_timeline, type Timing } from '../../engine/gpu/timeline.ts';
import type { Context } from '../../engine/model/context.ts';
import { test_executor } from '../support/gpu.ts';
import { ODD_CONFIG, type Request, run_request } from '../support/requests.ts';
import { synthetic_context } from '../support/run.ts';

const TEXT: Request = { ids: 90, crops: 0, options: { maxNewTokens: 6 } };
const SAMPLED: Request = {
  ...{ ids: 21, crops: 0 },
  options: { maxNewTokens: 6, sampling: { temperature: 1.5, topP: 0.95, topK: 50, seed: 7 } },
};
const PICTURE: Request = { ids: 70, crops: 1, options: { maxNewTokens: 3 } };
const ALL = [TEXT, SAMPLED, PICTURE];

type Results = Awaited<ReturnType<typeof run_request>>[];

async function run_all(ctx: Context, requests: readonly Request[] = ALL): Promise<Results> {
  const results: Results = [];
  for (const request of requests) results.push(await run_request(ctx, request));
  return results;
}

async function open(
  variant: VariantChoice,
  without: readonly ['timestamp-query'] | readonly [] = [],
): Promise<Context> {
  return synthetic_context(await test_executor(variant, { mode: 'release', without }), ODD_CONFIG, 'bf16');
}

/** All requests with every kernel or stage timed; stamps must really have been taken. */
async function run_timed(ctx: Context, timing: Timing): Promise<{ clock: string; results: Results }> {
  const timeline = await start_timeline(ctx.executor, timing);
  try {
    const results = await run_all(ctx);
    const { clock, spans } = await timeline.collect();
    expect(spans.length).toBeGreaterThan(timing === 'kernel' ? 500 : 5);
    return { clock, results };
  } finally {
    timeline.close();
  }
}

for (const variant of ['lanes', 'tiled'] as const) {
  describe(`the same request gives the same tokens and the same bits of every logit (${variant})`, () => {
    let ctx: Context;
    let first: Results;
    beforeAll(async () => {
      ctx = await open(variant);
      first = await run_all(ctx);
      for (const [i, { options }] of ALL.entries()) expect(first[i]?.bits.length).toBe(options.maxNewTokens);
    });

    it('again, and after other requests', async () => {
      expect(await run_all(ctx)).toEqual(first);
      for (const between of [
        { ids: 1, crops: 0, options: { maxNewTokens: 2, knobs: { topK: 1, blocks: [1] } } },
        { ids: 200, crops: 0, options: { maxNewTokens: 0 } },
        { ids: 9, crops: 1, options: { maxNewTokens: 1 } },
      ]) {
        await run_request(ctx, between);
        expect(await run_request(ctx, SAMPLED)).toEqual(first[1]);
      }
      expect((await run_all(ctx, ALL.toReversed())).toReversed()).toEqual(first);
    });

    it('with several tokens a readback', async () => {
      const texts = [TEXT, SAMPLED].map(({ options, ...rest }) => ({
        ...rest,
        options: { ...options, tokensPerReadback: 4 },
      }));
      expect(await run_all(ctx, texts)).toEqual(first.slice(0, 2));
    });

    it('with time stamps around every kernel, and without them again', async () => {
      expect(await run_timed(ctx, 'kernel')).toEqual({ clock: 'gpu', results: first });
      expect(await run_all(ctx)).toEqual(first);
      expect(await run_timed(ctx, 'stage')).toEqual({ clock: 'gpu', results: first });
    });

    it('on another device, which has no time stamps and waits for every kernel', async () => {
      const other = await open(variant, ['timestamp-query']);
      expect(await run_all(other)).toEqual(first);
      expect(await run_timed(other, 'kernel')).toEqual({ clock: 'host', results: first });
    });
  });
}
