import { describe, expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { context, moe_topk, output_tokens } from '../../experiments/index.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import type { Configuration, Settings } from '../../experiments/lab/schema.ts';
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
const cells_of = (axis: string, values: readonly number[], ms: (x: number) => number): Configuration[] =>
  values.map((x) => {
    const one = fake_configuration('low', 'short', 'short');
    const settings: Settings = { [axis]: x };
    const tokens = { ...one.tokens, prompt_length: 317 + x, decode_steps: x - 1, num_output_tokens: x };
    const samples = one.clean.samples.map((s) => ({ ...s, T_LLM_prefill: ms(x), T_LLM_decode: x > 1 ? ms(x) : null }));
    return { ...one, key: `${axis}=${x}`, settings, tokens, clean: { ...one.clean, samples } };
  });

describe.each([
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
    expect(findings.at(-1)?.outcome).toBe('confirmed');
    expect(figures.length).toBe(3);
    expect(tables[0]?.rows.length).toBe(4);
  });

  it('calls a curve no line', () => {
    expect(derived((x) => x ** 3).findings.at(-1)?.outcome).toBe('refuted');
    const few = cells_of(axis, [10, 20], (x) => x);
    const { findings } = experiment.derive({ run: FAKE_RUN, configurations: few, skipped: [] });
    expect(findings.at(-1)?.outcome).toBe('not tested');
  });
});
