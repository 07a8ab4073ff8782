import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { context, context_vision, moe_topk, output_tokens } from '../../experiments/index.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import { find_published } from '../../experiments/lab/read.ts';
import type { Configuration, Finding, Settings } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const config = preset_config('molmoe-1b');
const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
const on = { config, tokenizer, asked: {}, tokens_per_readback: 1 };
const defaults = (one: Experiment) =>
  Object.fromEntries(Object.entries(one.options).map(([key, type]) => [key, type.parse(undefined)]));

describe('plans', () => {
  it('of context are the study lengths, exactly so many text tokens beside the same picture', () => {
    const { cells, skipped } = context.plan(on, defaults(context));
    expect(cells.map(({ settings }) => settings.num_input_tokens)).toEqual([
      ...Array.from({ length: 15 }, (_, i) => 50 + 100 * i),
      1500,
    ]);
    expect(skipped).toEqual([]);
    for (const { requests, settings } of cells) {
      const [{ request, image }] = requests as [(typeof requests)[number]];
      expect(tokenizer.encode(` User: ${request.prompt} Assistant:`).length).toBe(settings.num_input_tokens);
      expect(image).toBe('rings 336x336');
    }
  });

  it('of context go up to the longest in steps, the longest itself among them', () => {
    const lengths = (options: object) =>
      context.plan(on, { ...defaults(context), ...options }).cells.map(({ settings }) => settings.num_input_tokens);
    expect(lengths({ maxLength: 300, stepSize: 100 })).toEqual([50, 150, 250, 300]);
    expect(lengths({ maxLength: 250, stepSize: 100 })).toEqual([50, 150, 250]);
    expect(lengths({ maxLength: 30 })).toEqual([30]);
    expect(lengths({ lengths: [70, 60] })).toEqual([60, 70]);
    const given =
      (...names: string[]) =>
      () =>
        context.check({}, new Set(names));
    expect(given('lengths', 'stepSize')).toThrow(/^lengths: names each length/);
    expect(given('maxLength', 'stepSize')).not.toThrow();
  });

  it('of context-vision are rows of crops, as long as was asked, and no longer than the model cuts', () => {
    const { cells } = context_vision.plan(on, defaults(context_vision));
    expect(cells.map(({ requests }) => requests[0]?.image)).toEqual(
      Array.from({ length: 12 }, (_, i) => `rings ${224 * (i + 1) + 112}x336`),
    );
    const longer = context_vision.plan(on, { maxGridSize: 14 });
    expect([longer.cells.length, longer.skipped.length]).toEqual([12, 2]);
    expect(longer.skipped[0]?.reason).toMatch(/expected a tiling of 1x13 .* with at most 12 crops/);
    const asked = { ...on, asked: { knobs: { maxCrops: 14 } } };
    expect(context_vision.plan(asked, { maxGridSize: 14 }).cells.length).toBe(14);
    expect(context_vision.plan(on, { maxGridSize: 2 }).cells.map(({ key }) => key)).toEqual([
      'num_crops=2',
      'num_crops=3',
    ]);
  });

  it('of output-tokens force each length', () => {
    const { cells } = output_tokens.plan(on, defaults(output_tokens));
    expect(cells.map(({ requests }) => requests[0]?.request.maxNewTokens)).toEqual([1, 5, 10, 20, 50, 100, 200]);
    expect(cells.every(({ requests }) => requests[0]?.request.ignoreEos)).toBe(true);
  });

  it('of moe-topk take the FLOPs that the inventory of the study states', () => {
    // 316 + 10 positions: 249.2, 314.8, 446.1, 708.6 GFLOP of prefill for 1, 2, 4, 8 experts.
    const prefill = [1, 2, 4, 8].map(
      (top_k) => closed_form_flops(config, { views: 2, prompt_tokens: 326, new_tokens: 10, top_k }).totals.prefill,
    );
    expect(prefill.map((flops) => Number((flops / 1e9).toFixed(1)))).toEqual([249.2, 314.8, 446.1, 708.6]);
    expect(moe_topk.plan(on, { topK: [1, 65] }).skipped.map(({ reason }) => reason)).toEqual([
      'topK: expected a whole number from 1 to 64 (the experts of a block), found 65',
    ]);
  });
});

/** Cells along an axis whose prefill or decode takes this long. */
const cells_of = (axis: string, values: readonly number[], ms: (x: number) => number, runs = 10): Configuration[] =>
  values.map((x) => {
    const one = fake_configuration('low', 'short', 'short', runs);
    const settings: Settings = { [axis]: x };
    const tokens = { ...one.tokens, prompt_length: 317 + x, decode_steps: x - 1, num_output_tokens: x };
    const samples = one.clean.samples.map((s) => ({
      ...{ ...s, T_LLM_prefill: ms(x), T_LLM_decode: x > 1 ? ms(x) : null },
      T_decode_per_token: x > 1 ? ms(x) / (x - 1) : null,
    }));
    return { ...one, key: `${axis}=${x}`, settings, tokens, clean: { ...one.clean, samples } };
  });

describe.each([
  ['context-vision', context_vision, 'num_crops', 'exp1_context_scaling_results', 'prefill_fit'],
  ['context', context, 'num_input_tokens', 'exp1_context_scaling_results', 'prefill_fit'],
  ['output-tokens', output_tokens, 'max_new_tokens', 'exp4_output_tokens_scaling_results', 'decode_fit'],
] as const)('%s', (_, experiment, axis, file, fit) => {
  const derived = (ms: (x: number) => number) =>
    experiment.derive({ run: FAKE_RUN, configurations: cells_of(axis, [10, 20, 40, 80], ms), skipped: [] });

  it('writes rows and samples by its schema, finds the line that times were made with, draws figures', () => {
    const { files, figures, findings, tables } = derived((x) => 100 + 3 * x);
    const body = experiment.schemas[file]?.parse(files[file]) as Record<string, unknown>;
    expect(body[fit]).toMatchObject({ slope: expect.closeTo(3, 6), n: 4 });
    expect((body.summary as { [axis: string]: number }[]).map((row) => row[axis])).toEqual([10, 20, 40, 80]);
    expect((body.all_samples as unknown[]).length).toBe(40);
    expect(line_in(findings)).toBe('confirmed');
    expect(figures.length).toBe(3);
    expect(tables[0]?.rows.length).toBe(4);
  });

  it('calls a curve no line', () => {
    expect(line_in(derived((x) => x ** 3).findings)).toBe('refuted');
    const few = cells_of(axis, [10, 20], (x) => x);
    const { findings } = experiment.derive({ run: FAKE_RUN, configurations: few, skipped: [] });
    expect(line_in(findings)).toBe('not tested');
  });
});

const line_in = (findings: readonly Finding[]) =>
  findings.find(({ expectation }) => /linearly/.test(expectation))?.outcome;

describe('published rows have the keys of the study', () => {
  const body_of = (experiment: Experiment, axis: string, file: string, runs = 3) => {
    const cells = cells_of(axis, [1, 2], (x) => 10 * x, runs);
    const { files } = experiment.derive({ run: FAKE_RUN, configurations: cells, skipped: [] });
    return files[file] as { summary: Record<string, unknown>[]; all_samples: Record<string, unknown>[] };
  };
  const PERCENTILES = ['P50', 'P95', 'P99', 'mean', 'std', 'min', 'max'];
  const TOKENS = ['num_vision_tokens', 'num_input_text_tokens', 'num_output_tokens'];

  it('context: statistics of prefill beside the text and the whole prompt', () => {
    const { summary, all_samples } = body_of(context, 'num_input_tokens', 'exp1_context_scaling_results');
    expect(Object.keys(summary[0] ?? {})).toEqual(
      expect.arrayContaining(['num_input_tokens', 'num_input_text_tokens', 'prompt_length', ...PERCENTILES]),
    );
    expect([summary[1]?.P50, summary[1]?.std]).toEqual([20, 0]);
    expect(all_samples[4]).toMatchObject({ sample_id: 1, num_input_tokens: 2, T_LLM_prefill: 20 });
  });

  it('context-vision: what the picture is, in each sample too', () => {
    const { summary, all_samples } = body_of(context_vision, 'num_crops', 'exp1_context_scaling_results');
    const cell = { resolution: '336x336', grid: '1x1', num_crops: 1, num_vision_tokens: 288 };
    expect(summary[0]).toMatchObject({ ...cell, num_vit_patches: 1152, num_pooled_tokens: 288, P50: 10 });
    expect(all_samples[0]).toMatchObject({ ...cell, sample_id: 0, num_input_text_tokens: 20 });
  });

  it('output-tokens: decode and the whole request; nothing where nothing was decoded', () => {
    const { summary, all_samples } = body_of(output_tokens, 'max_new_tokens', 'exp4_output_tokens_scaling_results');
    expect(summary.map(({ decode }) => decode)).toEqual([null, expect.objectContaining({ P50: 20, n: 3 })]);
    expect(summary[0]).toMatchObject({ total: expect.objectContaining({ n: 3 }), decode_step: null });
    expect(Object.keys(all_samples[0] ?? {})).toEqual(expect.arrayContaining(['max_new_tokens', ...TOKENS]));
  });

  it('moe-topk: prefill and decode by experts', () => {
    const { summary, all_samples } = body_of(moe_topk, 'top_k', 'exp2_moe_topk_results');
    expect(summary[1]).toMatchObject({ top_k: 2, prefill: { P50: 20 }, decode: { P50: 20 } });
    expect(Object.keys(all_samples[0] ?? {})).toEqual(expect.arrayContaining(['sample_id', 'top_k', ...TOKENS]));
  });
});

describe('two experiments that publish a file of one name', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'molmoe-published-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const file = 'exp1_context_scaling_results';
  const write = (value: unknown) => writeFileSync(join(scratch, `${file}.json`), JSON.stringify(value));
  const all = [context, context_vision, moe_topk];

  it.each([
    [context, 'num_input_tokens'],
    [context_vision, 'num_crops'],
  ])('are told apart by the schema of the file', async (experiment, axis) => {
    const configurations = cells_of(axis, [1, 2], (x) => x);
    write(experiment.derive({ run: FAKE_RUN, configurations, skipped: [] }).files[file]);
    const found = await find_published(scratch, all);
    expect(found.map((one) => one.experiment.name)).toEqual([experiment.name]);
    expect(experiment.draw(found[0]?.files ?? {}).figures.length).toBe(3);
  });

  it('and a file of neither is refused', async () => {
    write({ schema: 'molmoe.other/2' });
    await expect(find_published(scratch, all)).rejects.toThrow(/expected schema molmoe\.exp1\.context_scaling_results/);
    expect(context.schema_names[file]).not.toBe(context_vision.schema_names[file]);
  });
});
