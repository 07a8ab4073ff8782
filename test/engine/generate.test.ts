import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { make_executor } from '../../engine/gpu/executor.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { Engine, type GenerateRequest } from '../../engine/molmoe.ts';
import { node_folder } from '../../engine/node/files.ts';
import { open_checkpoint } from '../../engine/weights/checkpoint.ts';
import { synthetic_source } from '../../engine/weights/formula.ts';
import type { WeightSource } from '../../engine/weights/source.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { write_synthetic_checkpoint } from '../../tools/synth_checkpoint.ts';
import { test_executor } from '../support/gpu.ts';

const config = preset_config('molmoe-tiny');
const specs = tensor_specs(config);
const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
const executor = await test_executor('auto', { mode: 'release' });

const engine_of = (source: WeightSource, dtype: WeightFormat): Promise<Engine> =>
  Engine.create({ name: 'tiny', executor, config, source, tokenizer, dtype });
const engine = await engine_of(synthetic_source(specs, 1, 'F32'), 'f32');
const prompt = 'Once upon a time';
const run = (request: Partial<GenerateRequest>) => engine.generate({ prompt, ignoreEos: true, ...request }).result;
const bytes_held = () => executor.buffers.memory().total.current;

describe('a generation', () => {
  it('streams tokens whose texts add up, with counts and times of each stage', async () => {
    const image = formula_picture('rings', 400, 300);
    const generation = engine.generate({ prompt, image, maxNewTokens: 12, ignoreEos: true });
    const tokens = [];
    for await (const token of generation) tokens.push(token);
    const result = await generation.result;
    expect(tokens.map((t) => t.text).join('')).toBe(result.text);
    expect(result.tokens.length).toBe(12);
    expect(result.decode_step_ms.length).toBe(11);
    expect(result.stages.map((s) => s.stage)).toEqual(['vision_encoder', 'projector', 'prefill', 'decode']);
    for (const stage of result.stages) expect(stage.flops > 0 && stage.wall_ms > 0 && stage.dispatches > 0).toBe(true);
    const { counts, tiling } = result;
    expect(counts.crops).toBe((tiling?.rows ?? 0) * (tiling?.cols ?? 0));
    expect(counts.pooled_cells).toBe(144 * counts.views);
    expect(counts.vit_patches).toBe(576 * counts.views);
    expect(counts.prompt_tokens).toBe(1 + (counts.image_tokens ?? 0) + counts.text_tokens);
  });

  it('is the same for the same request, and the knobs of one request do not reach the next', async () => {
    const plain = await run({ maxNewTokens: 10 });
    const fewer = await run({ maxNewTokens: 10, knobs: { topK: 1, blocks: [0, 2] } });
    const again = await run({ maxNewTokens: 10 });
    expect(again.tokens).toEqual(plain.tokens);
    expect(fewer.tokens).not.toEqual(plain.tokens);
    const layers = new Set(fewer.ledger.rows().flatMap((row) => (row.layer === undefined ? [] : [row.layer])));
    expect([...layers].sort()).toEqual([0, 2]);
  });

  it('makes the same tokens however many are read back at once', async () => {
    const one = await run({ maxNewTokens: 11 });
    for (const tokensPerReadback of [2, 4, 100]) {
      expect((await run({ maxNewTokens: 11, tokensPerReadback })).tokens).toEqual(one.tokens);
    }
  });

  it('makes the same tokens where steps are submitted ahead, as on a real GPU, and gives every readback buffer back', async () => {
    const device = { ...executor.device, traits: { ...executor.device.traits, software: false } };
    const ahead = make_executor(device, 'lanes');
    const source = synthetic_source(specs, 1, 'F32');
    const other = await Engine.create({ name: 'tiny', executor: ahead, config, source, tokenizer, dtype: 'f32' });
    const plain = await run({ maxNewTokens: 12 });
    expect((await other.generate({ prompt, ignoreEos: true, maxNewTokens: 12 }).result).tokens).toEqual(plain.tokens);
    const grouped = { prompt, ignoreEos: true, maxNewTokens: 12, tokensPerReadback: 5 };
    expect((await other.generate(grouped).result).tokens).toEqual(plain.tokens);
    const held = ahead.buffers.memory().total.current;
    for (let leave = 1; leave < 6; leave++) {
      let seen = 0;
      for await (const _ of other.generate({ prompt, ignoreEos: true, maxNewTokens: 12 })) {
        seen += 1;
        if (seen === leave) break;
      }
    }
    expect(ahead.buffers.memory().total.current).toBe(held);
    const stopped = await other.generate({ prompt, maxNewTokens: 12, stop: [plain.text.slice(0, 3)], ignoreEos: true })
      .result;
    expect(stopped.finish).toBe('stop');
    expect(ahead.buffers.memory().total.current).toBe(held);
  });

  it('counts which experts the tokens went to', async () => {
    const image = formula_picture('rings', 336, 336);
    const { routing, counts, tokens } = await run({ image, maxNewTokens: 4, routing: true });
    const sum = (pairs: readonly number[]) => pairs.reduce((total, n) => total + n, 0);
    expect(routing?.layers.map((layer) => layer.layer)).toEqual([0, 1, 2, 3]);
    for (const { prefill, decode } of routing?.layers ?? []) {
      expect([prefill.length, sum(prefill), sum(decode)]).toEqual([8, 2 * counts.prompt_tokens, 2 * 3]);
    }
    expect(routing?.imbalance.prefill).toBeGreaterThan(1);
    expect(routing?.imbalance.prefill).toBeLessThanOrEqual(4); // two of eight experts take everything
    const one = await run({ maxNewTokens: 1, routing: true, knobs: { topK: 8, blocks: [1] } });
    expect(one.routing?.layers.map((layer) => layer.layer)).toEqual([1]);
    expect(one.routing?.imbalance).toEqual({ prefill: 1, decode: undefined });
    expect((await run({ image, maxNewTokens: 4 })).tokens).toEqual(tokens);
  });

  it('ends after the stage it is told to, with nothing generated', async () => {
    const image = formula_picture('rings', 336, 336);
    for (const stopAfter of ['vision_encoder', 'projector'] as const) {
      const { stages, tokens } = await run({ image, stopAfter });
      expect([stages.at(-1)?.stage, tokens.length]).toEqual([stopAfter, 0]);
    }
  });

  it('takes every number of experts, no blocks at all, and no new tokens', async () => {
    const counted: number[] = [];
    for (let topK = 1; topK <= config.n_experts; topK++) {
      const { ledger } = await run({ maxNewTokens: 1, knobs: { topK } });
      counted.push(ledger.sum((row) => row.component === 'moe_experts').flops);
    }
    expect(counted).toEqual(counted.map((_, i) => (counted[0] as number) * (i + 1)));
    const none = await run({ maxNewTokens: 3, knobs: { blocks: [] } });
    expect(none.tokens.length).toBe(3);
    expect(none.ledger.sum((row) => row.component === 'attention').dispatches).toBe(0);
    const nothing = await run({ maxNewTokens: 0 });
    expect([nothing.tokens.length, nothing.stages.length]).toEqual([0, 1]);
  });

  it('samples by its seed', async () => {
    const sampled = (seed: number) =>
      run({ maxNewTokens: 16, sampling: { temperature: 1.5, topP: 0.95, topK: 50, seed } });
    const [a, b, c] = [await sampled(1), await sampled(1), await sampled(2)];
    expect(b.tokens).toEqual(a.tokens);
    expect(c.tokens).not.toEqual(a.tokens);
    const greedy = await run({ maxNewTokens: 8 });
    expect((await run({ maxNewTokens: 8, sampling: { temperature: 1, topK: 1, seed: 9 } })).tokens).toEqual(
      greedy.tokens,
    );
    expect((await run({ maxNewTokens: 8, sampling: { temperature: 0 } })).tokens).toEqual(greedy.tokens);
  });

  it('ends before a stop text, even one that spans tokens, and says so', async () => {
    const free = await run({ maxNewTokens: 60 });
    const seam = free.text.indexOf('><'); // unknown ids read <id>
    expect(seam).toBeGreaterThan(0);
    const stop = free.text.slice(seam, seam + 4);
    const at = free.text.indexOf(stop);
    const stopped = await run({ maxNewTokens: 60, stop: ['not there', stop] });
    expect(stopped.finish).toBe('stop');
    expect(stopped.text).toBe(free.text.slice(0, at));
    const pieces: string[] = [];
    for await (const token of engine.generate({ prompt, ignoreEos: true, maxNewTokens: 60, stop: [stop] }))
      pieces.push(token.text);
    expect(pieces.join('')).toBe(free.text.slice(0, at)); // nothing of it was shown early
  });

  it('ends at the end-of-text token unless told to go on', async () => {
    const free = await run({ maxNewTokens: 6 });
    const eos = free.tokens[3] as number;
    const other = await Engine.create({
      name: 'tiny',
      executor,
      config: { ...config, eos_id: eos },
      source: synthetic_source(specs, 1, 'F32'),
      tokenizer,
      dtype: 'f32',
    });
    const ended = await other.generate({ prompt, maxNewTokens: 6 }).result;
    expect([ended.finish, ended.tokens]).toEqual(['eos', free.tokens.slice(0, free.tokens.indexOf(eos))]);
    expect((await other.generate({ prompt, maxNewTokens: 6, ignoreEos: true }).result).tokens).toEqual(free.tokens);
  });
});

describe('requests in a row', () => {
  it('200 generations hold no more memory than the first few', async () => {
    const image = formula_picture('ramp', 200, 200);
    const once = (i: number) =>
      run({ maxNewTokens: 3, image: i % 10 === 0 ? image : undefined, prompt: 'x'.repeat(1 + (i % 7)) });
    for (let i = 0; i < 40; i++) await once(i);
    globalThis.gc?.();
    const held = bytes_held();
    const rss = process.memoryUsage.rss();
    for (let i = 0; i < 200; i++) await once(i);
    globalThis.gc?.();
    expect(bytes_held()).toBe(held);
    expect(process.memoryUsage.rss() - rss).toBeLessThan(100e6);
  });

  it('started together run one after the other', async () => {
    const requests = [3, 5, 4].map((maxNewTokens) => run({ maxNewTokens }));
    const alone = await run({ maxNewTokens: 5 });
    const together = await Promise.all(requests);
    expect(together.map((r) => r.tokens)).toEqual([3, 5, 4].map((n) => alone.tokens.slice(0, n)));
  });

  it('one that was begun and forgotten ends by itself when another waits, and keeps its tokens for a late reader', async () => {
    const whole = await run({ maxNewTokens: 6 });
    const held = bytes_held();
    const forgotten = engine.generate({ prompt, ignoreEos: true, maxNewTokens: 6 });
    const reader = forgotten[Symbol.asyncIterator]();
    const ids: number[] = []; // by their places: what a stop text held back comes with the last token once more
    const first = await reader.next();
    if (!first.done) ids[first.value.index] = first.value.id;
    expect(bytes_held()).toBeGreaterThan(held); // it waits for its reader
    const [a, b] = await Promise.all([run({ maxNewTokens: 6 }), run({ maxNewTokens: 4 })]);
    expect([a.tokens, b.tokens]).toEqual([whole.tokens, whole.tokens.slice(0, 4)]);
    expect(bytes_held()).toBe(held);
    for await (const token of { [Symbol.asyncIterator]: () => reader }) ids[token.index] = token.id;
    expect(ids).toEqual(whole.tokens);
    expect((await forgotten.result).tokens).toEqual(whole.tokens);
  });

  it('the result of one that was begun and left waiting comes without a reader', async () => {
    const generation = engine.generate({ prompt, ignoreEos: true, maxNewTokens: 5 });
    await generation[Symbol.asyncIterator]().next();
    const { tokens, first_token_ms, preprocess_ms } = await generation.result;
    expect(tokens.length).toBe(5);
    expect(first_token_ms).toBeGreaterThan(preprocess_ms);
  });

  it('a reader that takes the result first misses no token', async () => {
    const generation = engine.generate({ prompt, ignoreEos: true, maxNewTokens: 5 });
    const { result } = generation;
    const seen: number[] = [];
    for await (const { id, index } of generation) seen[index] = id;
    expect(seen).toEqual((await result).tokens);
  });

  it('leaving the loop early or aborting frees everything, and the next request runs', async () => {
    await run({ maxNewTokens: 2 });
    const held = bytes_held();
    for await (const token of engine.generate({ prompt, maxNewTokens: 50, ignoreEos: true }))
      if (token.index === 2) break;
    expect(bytes_held()).toBe(held);
    const controller = new AbortController();
    const seen: number[] = [];
    const aborted = (async () => {
      for await (const token of engine.generate({
        prompt,
        maxNewTokens: 50,
        ignoreEos: true,
        signal: controller.signal,
      })) {
        seen.push(token.id);
        if (seen.length === 3) controller.abort();
      }
    })();
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen.length).toBe(3);
    expect(bytes_held()).toBe(held);
    expect((await run({ maxNewTokens: 3 })).tokens.length).toBe(3);
  });
});

describe('requests that cannot be', () => {
  const refused: [string, Partial<GenerateRequest>, RegExp][] = [
    ['no experts', { knobs: { topK: 0 } }, /topK: expected a whole number from 1 to 8/],
    ['more experts than there are', { knobs: { topK: 9 } }, /from 1 to 8.*found 9/],
    ['a block too many', { knobs: { blocks: [0, 4] } }, /blocks: expected numbers from 0 to 3, found 4/],
    ['a list of the wrong length', { knobs: { topK: [1, 2] } }, /one number or 4/],
    ['half a token', { maxNewTokens: 1.5 }, /maxNewTokens: expected a whole number/],
    ['a mass of 0', { sampling: { temperature: 1, topP: 0 } }, /topP/],
    ['a temperature that is no number', { sampling: { temperature: Number.NaN } }, /temperature/],
    ['an empty stop text', { stop: [''] }, /stop/],
    ['a forged image', { prompt: 'a <im_patch> b' }, /<im_patch>/],
    ['more positions than the model has', { maxNewTokens: 40_000 }, /positions .*32768/],
    [
      'two crop knobs',
      { image: formula_picture('ramp', 9, 9), knobs: { crops: 1, maxCrops: 2 } as never },
      /maxCrops, crops, tier: expected one of them, found maxCrops and crops/,
    ],
    [
      'a knob beside its place',
      { topk: 4 } as never,
      /^topk: no option of a request; did you mean knobs.topK or sampling.topK\?/,
    ],
    ['another spelling', { max_new_tokens: 4 } as never, /^max_new_tokens: .* did you mean maxNewTokens\?/],
    ['a slip in a knob', { knobs: { block: [0] } as never }, /^knobs.block: .* did you mean knobs.blocks\?/],
    [
      'a word that is like none',
      { beam_width: 4 } as never,
      /^beam_width: no option of a request; there are prompt, image/,
    ],
    ['one stop text', { stop: 'abc' as never }, /^stop: expected a list of texts that are not empty, found "abc"/],
    [
      'a path for a picture',
      { image: 'photo.jpg' as never },
      /^image: expected a decoded picture .*decode_image.*found "photo.jpg"/,
    ],
    [
      'a file for a picture',
      { image: new Uint8Array(9) as never },
      /^image: expected a decoded picture .*found 9 bytes/,
    ],
    ['an unknown timing', { timing: 'nope' as never }, /^timing: expected one of stage, kernel, found "nope"/],
    ['an unknown resize', { resize: 'bogus' as never }, /^resize: expected one of pad, fill, found "bogus"/],
    [
      'an unknown tier',
      { knobs: { tier: 'huge' as never } },
      /^knobs.tier: expected one of low, medium, high, found "huge"/,
    ],
    ['a prompt that is none', { prompt: 7 as never }, /^prompt: expected a text, found 7/],
    [
      'sampling without a temperature',
      { sampling: { topP: 0.5 } as never },
      /^sampling.temperature: expected .* found none/,
    ],
    ['text for a number', { maxNewTokens: '8' as never }, /^maxNewTokens: expected a whole number .* found "8"/],
  ];
  for (const [what, request, message] of refused) {
    it(what, async () => {
      const held = bytes_held();
      await expect((async () => run(request))()).rejects.toThrow(message);
      expect(bytes_held()).toBe(held);
    });
  }

  it('warns beyond the trained length', async () => {
    const { warnings } = await run({ maxNewTokens: 4080, stop: ['<'], prompt: 'x' });
    expect(warnings).toEqual([expect.stringContaining('beyond the 4096')]);
  });

  it('a cache that does not fit is one clear line', async () => {
    const small = await test_executor('auto', { max_binding_bytes: 200 * 1024 });
    const source = synthetic_source(specs, 1, 'F32');
    const other = await Engine.create({ name: 'tiny', executor: small, config, source, tokenizer, dtype: 'f32' });
    const held = small.buffers.memory().total.current;
    await expect(other.generate({ prompt, maxNewTokens: 2000 }).result).rejects.toThrow(/keys 0.*can bind 0.195 MiB/);
    expect(small.buffers.memory().total.current).toBe(held);
  });

  it('a device lost in the middle is an error, not a hang', async () => {
    const doomed = await test_executor('auto', { mode: 'release' });
    const source = synthetic_source(specs, 1, 'F32');
    const other = await Engine.create({ name: 'tiny', executor: doomed, config, source, tokenizer, dtype: 'f32' });
    const lost = (async () => {
      for await (const token of other.generate({ prompt, maxNewTokens: 200, ignoreEos: true })) {
        if (token.index === 3) doomed.device.gpu.destroy();
      }
    })();
    await expect(lost).rejects.toThrow(/lost|destroyed/i);
  });
});

describe('a checkpoint of the synthetic weights', () => {
  const folder = mkdtempSync(join(tmpdir(), 'molmoe-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const [dtype, format, shard_bytes] of [
    ['F32', 'f32', 1e9],
    ['F32', 'f32', 4e5],
    ['F16', 'f16', 1e9],
    ['BF16', 'bf16', 4e5],
  ] as const) {
    it(`${dtype} in shards of ${shard_bytes} bytes gives identical tokens`, async () => {
      const out = join(folder, `${dtype}-${shard_bytes}`);
      await write_synthetic_checkpoint({ config, seed: 3, dtype, out, shard_bytes });
      const source = await open_checkpoint(node_folder(out), specs);
      const request = { prompt, maxNewTokens: 16, ignoreEos: true, image: formula_picture('hash', 90, 60) };
      const read = await (await engine_of(source, format)).generate(request).result;
      await source.close();
      const made = await (await engine_of(synthetic_source(specs, 3, dtype), format)).generate(request).result;
      expect(read.tokens).toEqual(made.tokens);
    });
  }
});
