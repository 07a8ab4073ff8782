import { describe, expect, it } from 'vitest';
import { type BatchItem, run_batch } from '../../engine/batch.ts';
import { type BatchAnswer, batch_of, run_requests } from '../../engine/batch_requests.ts';
import { OutOfMemoryError } from '../../engine/errors.ts';
import { make_executor } from '../../engine/gpu/executor.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import type { Context } from '../../engine/model/context.ts';
import type { Sampling } from '../../engine/model/decoder.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import type { RunResult } from '../../engine/model_request.ts';
import type { GenerateRequest } from '../../engine/molmoe.ts';
import { open_model } from '../../engine/node/load.ts';
import { test_executor } from '../support/gpu.ts';
import { ODD_CONFIG, some_crops } from '../support/requests.ts';
import { run_to_end, some_ids, synthetic_context, tiny_config } from '../support/run.ts';

interface Wanted {
  readonly ids: number;
  readonly crops?: number;
  readonly new_tokens: number;
  readonly sampling?: Sampling;
  /** Ends with the token of this index. */
  readonly ends_at?: number;
}

const input_of = (ctx: Context, { ids, crops = 0 }: Wanted, seed: number) => ({
  ids: some_ids(ids, 300, 100 * seed),
  ...(crops > 0 ? { crops: some_crops(ctx.config, crops, ids) } : {}),
});

/** Tokens of each request, all together; and what it cost. */
async function together(ctx: Context, wanted: readonly Wanted[], knobs: Knobs = {}) {
  const tokens: number[][] = wanted.map(() => []);
  const items = wanted.map((one, i): BatchItem => {
    const own = tokens[i] as number[];
    const until = (id: number) => own.push(id) === (one.ends_at ?? -1) + 1;
    return {
      input: input_of(ctx, one, i),
      maxNewTokens: one.new_tokens,
      sampling: one.sampling,
      until,
      left: () => false,
    };
  });
  const run = run_batch(ctx, items, { knobs });
  const told: number[][] = wanted.map(() => []);
  for (;;) {
    const next = await run.next();
    if (next.done) return { tokens, told, result: next.value };
    told[next.value.request]?.push(next.value.id);
  }
}

async function alone(ctx: Context, one: Wanted, i: number, knobs: Knobs = {}) {
  let made = 0;
  const until = () => made++ === one.ends_at;
  const { ids, ...options } = { ids: input_of(ctx, one, i), maxNewTokens: one.new_tokens, sampling: one.sampling };
  return run_to_end(ctx, ids, { ...options, knobs, until });
}

const FEW: Wanted[] = [
  { ids: 5, new_tokens: 8 },
  { ids: 23, crops: 1, new_tokens: 3 },
];
const MANY: Wanted[] = [
  { ids: 9, new_tokens: 6 },
  { ids: 2, new_tokens: 9, ends_at: 2 },
  { ids: 31, crops: 2, new_tokens: 1 },
  { ids: 1, new_tokens: 0 },
  { ids: 17, crops: 1, new_tokens: 9, sampling: { temperature: 1.5, seed: 3 } },
  { ids: 40, crops: 3, new_tokens: 7, sampling: { temperature: 0.9, topP: 0.8, topK: 20, seed: 3 } },
  { ids: 4, new_tokens: 9, sampling: { temperature: 0 } },
  { ids: 12, new_tokens: 9 },
];

for (const variant of ['lanes', 'tiled'] as const) {
  describe(`requests that run together (${variant})`, async () => {
    const executor = await test_executor(variant);
    const contexts = {
      tiny: await synthetic_context(executor, tiny_config()),
      odd: await synthetic_context(executor, ODD_CONFIG, 'f16'),
    };
    const cases: [keyof typeof contexts, string, Wanted[], Knobs][] = [
      ['tiny', 'two', FEW, {}],
      ['tiny', 'eight', MANY, {}],
      ['odd', 'eight', MANY, {}],
      ['odd', 'eight, one expert, a block left out', MANY, { topK: 1, blocks: [0, 2] }],
      ['odd', 'eight, picture tokens with other experts', MANY, { topK: 3, topKVision: 1 }],
    ];
    // On a CPU the kernels for GPUs take ten times as long.
    it.each(variant === 'lanes' ? cases : cases.slice(2, 3))(
      '%s model, %s: each gives what it gives alone',
      async (which, _, wanted, knobs) => {
        const ctx = contexts[which];
        const { tokens, told } = await together(ctx, wanted, knobs);
        expect(told).toEqual(tokens);
        for (const [i, one] of wanted.entries()) {
          expect(tokens[i], `request ${i}`).toEqual((await alone(ctx, one, i, knobs)).tokens);
        }
      },
    );

    if (variant === 'tiled') return;

    it('costs in FLOPs what they cost alone, and is one launch where they were many', async () => {
      const ctx = contexts.odd;
      const { result } = await together(ctx, MANY);
      const singles: RunResult[] = [];
      for (const [i, one] of MANY.entries()) singles.push((await alone(ctx, one, i)).result);
      for (const stage of ['vision_encoder', 'projector', 'prefill', 'decode'] as const) {
        const of = (r: { stages: readonly { stage: string; flops: number; kv_bytes: number }[] }) =>
          r.stages.find((one) => one.stage === stage);
        const sum = (name: 'flops' | 'kv_bytes') => singles.reduce((all, one) => all + (of(one)?.[name] ?? 0), 0);
        expect(of(result)?.flops, stage).toBe(sum('flops'));
        expect(of(result)?.kv_bytes, stage).toBe(sum('kv_bytes'));
      }
      const launches = (r: { stages: readonly { dispatches: number }[] }) =>
        r.stages.reduce((sum, { dispatches }) => sum + dispatches, 0);
      expect(launches(result)).toBeLessThan(singles.reduce((sum, one) => sum + launches(one), 0) / 2);
      expect(result.decode_step_rows).toEqual([6, 6, 5, 5, 5, 4, 3, 3]);
      expect(result.decode_step_ms.length).toBe(8);
    });

    it('gives the same where the keys of three sequences fill a binding', async () => {
      const { odd } = contexts;
      const slot = 4 * 49 * 80; // positions of the longest, stride of a row
      const device = { ...executor.device, max_binding_bytes: 3 * slot };
      const all = await together(odd, MANY);
      const kv: number[] = [];
      const buffers = {
        ...executor.buffers,
        create: (...args: Parameters<typeof executor.buffers.create>) => {
          if (args[2] === 'kv') kv.push(args[1]);
          return executor.buffers.create(...args);
        },
      };
      const cut = await together({ ...odd, executor: { ...executor, device, buffers } }, MANY);
      expect(Math.max(...kv)).toBeLessThanOrEqual(3 * slot);
      expect(kv.length).toBe(3 * 3 * 2); // blocks, pairs, keys and values
      expect(cut.tokens).toEqual(all.tokens);
    });

    it('leaves nothing behind, however often', async () => {
      const ctx = contexts.tiny;
      await together(ctx, MANY);
      const before = executor.buffers.memory().total.current;
      for (let i = 0; i < 5; i++) await together(ctx, MANY.slice(i));
      expect(executor.buffers.memory().total.current).toBe(before);
    });
  });
}

describe('Engine.generate_batch', async () => {
  const model = await open_model({ model: 'molmoe-tiny' });
  const { engine } = await model.load();
  const picture = formula_picture('rings', 200, 120);
  const requests: GenerateRequest[] = [
    { prompt: 'Hello', maxNewTokens: 5 },
    { prompt: 'What is this?', image: picture, maxNewTokens: 9, ignoreEos: true },
    { prompt: 'Stop', maxNewTokens: 12, sampling: { temperature: 1, seed: 5 } },
  ];
  const run = async (some: readonly GenerateRequest[]) => (await engine.generate_batch(some).result).answers;

  it('answers as generate does, whatever the neighbours', async () => {
    const answers = await run(requests);
    for (const [i, request] of requests.entries()) {
      const { text, tokens, finish, counts } = await engine.generate(request).result;
      expect(answers[i]).toMatchObject({ text, tokens, finish, counts });
    }
    expect((await run([requests[2] as GenerateRequest]))[0]).toMatchObject({
      tokens: (answers[2] as BatchAnswer).tokens,
    });
  });

  it('streams the tokens of each with its place', async () => {
    const texts = ['', '', ''];
    const batch = engine.generate_batch(requests);
    for await (const { request, text } of batch) texts[request] += text;
    const { answers } = await batch.result;
    expect(texts).toEqual(answers.map((answer) => (answer as BatchAnswer).text));
  });

  it('ends an answer before its stop text, and the others go on', async () => {
    const [plain] = (await run(requests)) as BatchAnswer[];
    const stop = [plain?.text.trim().slice(0, 3) as string];
    const answers = (await run([{ ...(requests[0] as GenerateRequest), stop }, ...requests.slice(1)])) as BatchAnswer[];
    expect(answers[0]?.finish).toBe('stop');
    expect(answers[1]?.tokens.length).toBe(9);
  });

  it('tells one that cannot run by its place, and runs the others', async () => {
    const long = { prompt: 'word '.repeat(9000), maxNewTokens: 1 };
    const answers = await run([long, requests[0] as GenerateRequest]);
    expect(answers[0]).toMatchObject({ error: { message: expect.stringMatching(/positions/) } });
    expect(answers[1]).toMatchObject({ tokens: expect.any(Array) });
    await expect(run([long])).rejects.toThrow(/none of 1 requests can run; request 0: .*positions/);
  });

  it('refuses what is no batch', async () => {
    expect(() => engine.generate_batch([])).toThrow(/expected a list of requests, found none/);
    const other = { ...(requests[0] as GenerateRequest), knobs: { topK: 1 } };
    expect(() => engine.generate_batch([requests[0] as GenerateRequest, other])).toThrow(
      /request 1: expected the knobs of request 0/,
    );
    const timed = { ...(requests[0] as GenerateRequest), timing: 'kernel' as const };
    expect(() => engine.generate_batch([timed])).toThrow(/request 0: timing is for a request alone/);
  });

  it('ends one alone by its own signal, and all by the batch', async () => {
    const own = new AbortController();
    const batch = engine.generate_batch([
      { ...(requests[1] as GenerateRequest), signal: own.signal },
      requests[1] as GenerateRequest,
    ]);
    for await (const { request, index } of batch) if (request === 0 && index === 1) own.abort();
    const { answers } = await batch.result;
    expect(answers[0]).toMatchObject({ error: { name: 'AbortError' } });
    expect(answers[1]).toMatchObject({ tokens: { length: 9 } });
    const all = new AbortController();
    const ended = engine.generate_batch(requests, { signal: all.signal });
    await expect(async () => {
      for await (const _ of ended) all.abort();
    }).rejects.toThrow(/abort/i);
    expect((await run(requests)).length).toBe(3); // and the engine still works
  });

  it('says how many fit where memory ends', async () => {
    const { executor } = engine;
    const held = executor.buffers.memory().total.current;
    const device = { ...executor.device, memory_limit_bytes: held + 3_000_000 };
    const small = make_executor(device);
    const ctx = { ...engine.context, executor: small };
    const many = Array.from({ length: 64 }, () => ({ ...(requests[0] as GenerateRequest), maxNewTokens: 500 }));
    const batch = batch_of(many, engine.facts.config, engine.tokenizer, {});
    const failed = await (async () => {
      const run = run_requests(ctx, engine.tokenizer, batch);
      try {
        for (;;) if ((await run.next()).done) return undefined;
      } catch (error) {
        return error;
      }
    })();
    expect(failed).toBeInstanceOf(OutOfMemoryError);
    expect((failed as Error).message).toMatch(
      /a batch of 64: out of GPU memory .*; the keys and values of \d+ of these requests fit/,
    );
  });
});
