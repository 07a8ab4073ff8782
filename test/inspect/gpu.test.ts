import { afterAll, describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { Engine, type GenerateRequest } from '../../engine/molmoe.ts';
import { fill, synthetic_source } from '../../engine/weights/formula.ts';
import type { CheckpointSource } from '../../engine/weights/source.ts';
import { trace_flow } from '../../tools/inspect/flow.ts';
import { prove } from '../../tools/inspect/routing_proof.ts';
import { verdicts_of } from '../../tools/inspect/routing_verdicts.ts';
import { read_words } from '../../tools/inspect/rows.ts';
import { check_sanity } from '../../tools/inspect/sanity.ts';
import { start_statistics } from '../../tools/inspect/statistics.ts';
import { picture_positions, prove_knob, settings_for } from '../../tools/inspect/topk.ts';
import { test_executor } from '../support/gpu.ts';
import { noise } from '../support/noise.ts';

const config = preset_config('molmoe-tiny');
const specs = tensor_specs(config);
const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
const executor = await test_executor('auto', { mode: 'release' });
const engine = await Engine.create({
  name: 'tiny',
  executor,
  config,
  source: synthetic_source(specs, 1, 'F32'),
  tokenizer,
  dtype: 'f32',
});
const image = formula_picture('rings', 336, 336);
const request = { prompt: 'Hi', image };
const nobody = () => undefined;
const held = executor.buffers.memory().total.current;
afterAll(() => expect(executor.buffers.memory().activations.current).toBe(0));

/** The same engine, but for what the host is told of a buffer. */
function told(label: string, change: (words: Uint32Array) => void): Engine {
  const read: Executor['read'] = async (buffer, ...range) => {
    const bytes = await executor.read(buffer, ...range);
    if (buffer.label === label) change(new Uint32Array(bytes));
    return bytes;
  };
  return Object.create(engine, {
    executor: { value: { ...executor, read } },
    generate: { value: (...args: Parameters<Engine['generate']>) => engine.generate(...args) },
  });
}

describe('statistics', () => {
  it('of a stream are those of its values, far from zero too', () => {
    const values = noise(1000, 5).map((x) => 1e4 + x);
    const sums = start_statistics();
    sums.add(values.subarray(0, 300));
    sums.add([Number.NaN, Number.NEGATIVE_INFINITY]);
    sums.add(values.subarray(300));
    const mean = values.reduce((sum, x) => sum + x, 0) / 1000;
    const { std, ...rest } = sums.result();
    expect(rest).toMatchObject({ count: 1002, non_finite: 2, min: Math.min(...values), max: Math.max(...values) });
    expect(rest.mean).toBeCloseTo(mean, 6);
    expect(std).toBeCloseTo(Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 1000), 6);
    expect(start_statistics().result()).toEqual({
      count: 0,
      non_finite: 0,
      mean: null,
      std: null,
      min: null,
      max: null,
    });
  });

  it('rows come in pieces of a mebibyte, whole and without their padding', async () => {
    const [rows, cols, stride] = [700, 600, 608];
    const data = noise(rows * stride, 2);
    const buffer = executor.buffers.create('rows', data.byteLength, 'activations');
    executor.write(buffer, 0, data);
    const sizes: number[] = [];
    const read: Executor['read'] = (from, offset, bytes) => {
      sizes.push(bytes);
      return executor.read(from, offset, bytes);
    };
    const words = await read_words({ read }, { buffer, rows, cols, stride });
    expect(new Float32Array(words.buffer).every((x, i) => x === data[Math.floor(i / cols) * stride + (i % cols)])).toBe(
      true,
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 ** 20);
    expect(sizes.length).toBe(2);
    executor.buffers.destroy(buffer);
  });
});

describe('flow', () => {
  it('shows every step in its order and shape, one block in detail', async () => {
    const { rows, first_non_finite, fault } = await trace_flow(engine, request, 2);
    expect([first_non_finite, fault]).toEqual([null, null]);
    const line = ({ point, block, shape }: (typeof rows)[number]) =>
      `${point}${block === null ? '' : ` ${block}`} ${shape.join('x')}`;
    const of = (stage: string) => rows.filter((row) => row.stage === stage).map(line);
    const blocks = [...Array(9).keys()].map((block) => `vit.block ${block} 1154x64`);
    expect(of('vision_encoder')).toEqual([
      'vit.patches 1152x64',
      'vit.embedded 1154x64',
      ...blocks,
      'vision.prepool 1152x128',
    ]);
    expect(of('projector')).toEqual(['vision.pooled 288x64', 'vision.features 288x64']);
    const language = (rows: number) => [
      `llm.embeds ${rows}x64`,
      ...[0, 1].map((block) => `llm.hidden ${block} ${rows}x64`),
      ...[`attn.qkv 2 ${rows}x192`, `attn.q 2 ${rows}x64`, `attn.heads 2 ${rows}x64`, `attn.residual 2 ${rows}x64`],
      ...[
        `moe.normed 2 ${rows}x64`,
        `router.logits 2 ${rows}x8`,
        `router.experts 2 ${rows}x2`,
        `router.weights 2 ${rows}x2`,
      ],
      ...[
        `moe.hidden 2 ${2 * rows}x32`,
        ...[2, 3].map((block) => `llm.hidden ${block} ${rows}x64`),
        'llm.ln_f 1x64',
        'logits 1x512',
      ],
    ];
    const prompt = 1 + 316 + ' User: Hi Assistant:'.length;
    expect(of('prefill')).toEqual([...language(prompt), `llm.k 0 ${prompt}x64`, `llm.v 0 ${prompt}x64`]);
    expect(of('decode')).toEqual(language(1));
    expect(
      rows.every(({ count, shape, min, max }) => count === shape[0] * shape[1] && (min as number) <= (max as number)),
    ).toBe(true);
    expect(rows.find(({ point }) => point === 'router.experts')).toMatchObject({
      mean: null,
      std: null,
      non_finite: 0,
    });
    expect((rows.find(({ point }) => point === 'moe.normed')?.std as number) / 1).toBeCloseTo(1, 1);
    expect(executor.buffers.memory().total.current - held).toBeLessThan(2 ** 21); // what readbacks keep
  });

  it('of tokens that leave slots empty, only what they took is counted', async () => {
    const knobs = { topK: 4, topKVision: 1 } as const;
    const { rows, first_non_finite } = await trace_flow(engine, { ...request, knobs }, 0);
    expect(first_non_finite).toBeNull();
    const prompt = 1 + 316 + ' User: Hi Assistant:'.length;
    const of = (point: string) => rows.find((row) => row.stage === 'prefill' && row.point === point);
    const pairs = 288 + 4 * (prompt - 288);
    expect(of('router.experts')).toMatchObject({ count: pairs, shape: [prompt, 4] });
    expect(of('router.experts')?.max).toBeLessThan(8);
    expect(of('router.weights')?.count).toBe(pairs);
    expect(of('router.weights')?.min).toBeGreaterThan(0);
    expect(of('moe.hidden')).toMatchObject({ count: 32 * pairs, shape: [4 * prompt, 32] });
  });

  it('a masked block changes nothing, and shows so', async () => {
    const { rows } = await trace_flow(engine, { prompt: 'Hi', knobs: { blocks: [0, 2] } }, 1);
    const [a, b] = [0, 1].map((block) => rows.find((row) => row.point === 'llm.hidden' && row.block === block));
    expect({ ...b, block: 0 }).toEqual(a);
    expect(rows.some(({ point }) => point.startsWith('attn'))).toBe(false);
  });
});

describe('topk', () => {
  it('proves every k, by block and by stage, and that the knob leaves nothing behind', async () => {
    const { passed, runs, between } = await prove_knob(engine, { prompt: 'Hi', maxNewTokens: 3 }, undefined, nobody);
    expect([...between, ...runs.flatMap(({ verdicts }) => verdicts)].filter(({ ok }) => !ok)).toEqual([]);
    expect(passed).toBe(true);
    expect(runs.map(({ name }) => name)).toEqual([
      'left alone',
      ...[1, 2, 4, 8].map((k) => `k = ${k}`),
      'k = 1, 2, 4, 8 by block',
      'left alone',
    ]);
    for (const { plan, blocks, prompt_tokens } of runs) {
      expect(blocks.map(({ stage, block, pairs }) => [stage, block, pairs])).toEqual([
        ...plan.map((k, block) => ['prefill', block, k * prompt_tokens]),
        ...plan.map((k, block) => ['decode', block, k * 2]),
      ]);
    }
    expect(runs[4]?.blocks[0]?.weight_sum.min).toBeCloseTo(1, 5); // all eight
  });

  it('proves it on real depth and 64 experts', async () => {
    const mini = preset_config('molmoe-mini');
    const source = synthetic_source(tensor_specs(mini), 1, 'F32');
    const special = { bos: mini.bos_id, eos: mini.eos_id, ...mini.special };
    const deep = await Engine.create({
      ...{ name: 'mini', executor, config: mini, source, tokenizer: byte_tokenizer(special), dtype: 'q8' },
    });
    const { passed, runs } = await prove_knob(deep, { prompt: 'Hi', maxNewTokens: 2 }, [64], nobody);
    expect(passed).toBe(true);
    expect(runs[1]?.blocks.map(({ pairs }) => pairs)).toEqual([
      ...new Array<number>(16).fill(64 * 21),
      ...new Array<number>(16).fill(64),
    ]);
  });

  it('asks for others for the picture than for text, where there is a picture and a choice', () => {
    const apart = (...args: Parameters<typeof settings_for>) =>
      settings_for(...args).filter(({ topKVision }) => topKVision !== undefined);
    expect(apart(4, [1, 3], true)).toEqual([
      { topK: 3, topKVision: 1 },
      { topK: 1, topKVision: 3 },
      { topK: [1, 3, 1, 3], topKVision: [3, 1, 3, 1] },
    ]);
    expect([apart(4, [1, 3], false), apart(4, [2], true)]).toEqual([[], []]);
  });

  it('proves other numbers for picture tokens, token by token, and sees where they are not taken', async () => {
    const asked = { topK: [1, 3, 1, 3], topKVision: [3, 1, 3, 1] };
    const places = picture_positions(engine, request);
    expect(places.filter((cell) => cell).length).toBe(288);
    const proof = await prove(engine, { ...request, maxNewTokens: 2 }, asked, places);
    expect(verdicts_of(proof).filter(({ ok }) => !ok)).toEqual([]);
    const text = places.length - 288;
    expect(proof.blocks.map(({ stage, pairs }) => `${stage} ${pairs}`)).toEqual([
      ...[1, 3, 1, 3].map((k) => `prefill ${(4 - k) * 288 + k * text}`),
      ...[1, 3, 1, 3].map((k) => `decode ${k}`),
    ]);
    const deaf: Engine = Object.create(engine, {
      executor: { value: executor },
      generate: {
        value: (one: GenerateRequest) =>
          engine.generate({ ...one, knobs: { ...one.knobs, topKVision: undefined } as typeof one.knobs }),
      },
    });
    const unheard = verdicts_of(await prove(deaf, { ...request, maxNewTokens: 1 }, asked, places));
    expect(unheard.find(({ ok }) => !ok)?.what).toContain('k different experts');
    expect(unheard.at(-1)).toMatchObject({ ok: false, because: expect.stringContaining('prefill, block 0') });
  });

  it('fails where the GPU says that an expert was taken twice', async () => {
    const twice = told('chosen experts', (words) => words.set([words[0] as number], 1));
    const { passed, runs } = await prove_knob(twice, { prompt: 'Hi', maxNewTokens: 1 }, [2], nobody);
    expect(passed).toBe(false);
    const wrong = runs[1]?.verdicts.filter(({ ok }) => !ok).map(({ because }) => because);
    expect(wrong?.[0]).toBe('an expert twice in 4 of 84, first in prefill, block 0');
  });

  it('fails where weights are not those of the logits', async () => {
    const other = told('router logits', (words) => new Float32Array(words.buffer).fill(0.5, 0, 1));
    expect((await prove_knob(other, { prompt: 'Hi', maxNewTokens: 1 }, [8], nobody)).passed).toBe(false);
  });
});

describe('sanity', () => {
  it('passes, with tokens and their probabilities', async () => {
    const { passed, steps, result, verdicts } = await check_sanity(engine, { prompt: 'Hi', maxNewTokens: 4 });
    expect(verdicts.filter(({ ok }) => !ok)).toEqual([]);
    expect(passed).toBe(true);
    expect(steps.map(({ top }) => top[0]?.id)).toEqual(result?.tokens);
    for (const { top } of steps)
      expect(top.map(({ probability }) => probability)).toEqual(
        [...top.map(({ probability }) => probability)].sort((a, b) => b - a),
      );
  });

  it('fails, and flow says where, when values overflow', async () => {
    const source = enormous('lm_head.weight');
    const broken = await Engine.create({ name: 'tiny', executor, config, source, tokenizer, dtype: 'f32' });
    const { passed, verdicts, result } = await check_sanity(broken, { prompt: 'Hi', maxNewTokens: 4 });
    expect([passed, result]).toEqual([false, null]);
    expect(verdicts[0]).toMatchObject({ what: 'all logits are numbers', ok: false });
    const { first_non_finite, fault } = await trace_flow(broken, { prompt: 'Hi' }, undefined);
    expect(first_non_finite).toMatchObject({ stage: 'prefill', point: 'logits' });
    expect(fault).toMatch(/logits are not numbers/);
    expect(verdicts.at(-1)).toMatchObject({ ok: false, because: expect.stringContaining('not run') });
  });
});

/** The formula's weights as a checkpoint has them, one tensor so large that its sums overflow in both directions. */
function enormous(tensor: string): CheckpointSource {
  const source = synthetic_source(specs, 1, 'F32');
  const read: CheckpointSource['read'] = async (name, offset, into) => {
    const spec = specs.find((one) => one.name === name) as (typeof specs)[number];
    const values = new Float32Array(into.length / 4);
    fill(spec, 1, offset / 4, values);
    if (name === tensor) for (let i = 0; i < values.length; i++) values[i] = (i % 2 === 0 ? 1 : -1) * 3e38;
    into.set(new Uint8Array(values.buffer));
  };
  return { kind: 'checkpoint', label: 'enormous', tensors: source.tensors, read, close: async () => undefined };
}
