import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { dry_executor } from '../../engine/gpu/dry.ts';
import { byte_tokenizer, type Tokenizer } from '../../engine/input/tokenizer.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { type Ledger, make_ledger } from '../../engine/meter/ledger.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { Engine, type GenerateRequest } from '../../engine/molmoe.ts';
import { synthetic_source } from '../../engine/weights/formula.ts';
import {
  block_mask,
  context,
  context_vision,
  flops_scaling,
  moe_topk,
  output_tokens,
} from '../../experiments/index.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import type { depth_schema } from '../../experiments/lab/depth.ts';
import type { Ask } from '../../experiments/lab/inputs.ts';
import { counts } from '../../experiments/lab/instruments.ts';
import type { Cell } from '../../experiments/lab/plan.ts';
import { whole_counter } from '../../experiments/lab/scale.ts';
import { work_ratios } from '../../experiments/profiling/flops_scaling_ratios.ts';
import { dry_device } from '../support/dry.ts';
import {
  ANSWER_LENGTHS,
  DEPTHS,
  EXPERTS,
  ONE_ROW,
  ONE_ROW_TOKENS,
  STEP_WEIGHTS,
  TEXT_LENGTHS,
} from '../support/golden_counts.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

/** The cells of each experiment as it plans them, on molmoe-1b without a GPU: what the ledger counts, row by row. */

const config = preset_config('molmoe-1b');
const special = { bos: config.bos_id, eos: config.eos_id, ...config.special };
/** Cuts what is asked here as the published tokenizer does: words with their space, marks, and "Assistant" in two. */
const tokenizer: Tokenizer = {
  ...byte_tokenizer(special),
  encode: (text) => [...text.matchAll(/ ?Ass|istant| ?[a-zA-Z]+|[^\sa-zA-Z]/g)].map((_, i) => i % 100),
};
const dry = dry_executor(dry_device({ subgroup_size: 8, software: true }, 2 ** 31));
/** Sees what the ledger of a request sees, while it runs. */
let watch: Ledger | undefined;
const engine = await Engine.create({
  ...{ name: 'molmoe-1b', config, tokenizer, dtype: 'f16' },
  executor: {
    ...dry,
    observe: (observer) =>
      dry.observe(
        observer &&
          ((dispatch) => {
            watch?.record(dispatch);
            observer(dispatch);
          }),
      ),
  },
  source: synthetic_source(tensor_specs(config), 0, 'F32'),
});

const defaults = (one: Experiment) =>
  Object.fromEntries(Object.entries(one.options).map(([key, type]) => [key, type.parse(undefined)]));
const cells_of = (one: Experiment, options: object = {}, asked: Ask = {}): readonly Cell[] =>
  one.plan({ config, tokenizer, asked, tokens_per_readback: 1 }, { ...defaults(one), ...options }).cells;
const request_of = (cell: Cell): GenerateRequest => (cell.requests[0] as Cell['requests'][number]).request;
const observe = ({ requests }: Pick<Cell, 'requests'>) =>
  counts.observe(engine, requests, FAKE_RUN.fingerprint.protocol, { on_run: () => {} });
const ran = (cell: Cell) => engine.generate(request_of(cell)).result;
const gf = (flops: number | undefined, places: number): number => Number(((flops ?? 0) / 1e9).toFixed(places));
const percent = (part: number | undefined, whole: number | undefined, places: number): number =>
  Number(((100 * (part ?? 0)) / (whole ?? 1)).toFixed(places));

it('context-vision: one row of 1 to 12 crops', async () => {
  const cells = cells_of(context_vision, {}, { new_tokens: 1 });
  expect(cells.length).toBe(ONE_ROW.length);
  for (const [i, cell] of cells.entries()) {
    // The tables count the encoder's last block too, whose output nobody reads.
    const request = { ...request_of(cell), keepDeadBlocks: true };
    const { tokens, counters, flops } = await observe({ requests: [{ id: '', image: null, request }] });
    const { S1 } = flops.legacy;
    const { num_crops: views, prompt_length: prompt_tokens } = tokens;
    // No kernel of ours computes the masked half: this column is the closed form's.
    const square = closed_form_flops(config, { views, prompt_tokens, new_tokens: 1, full_square: true });
    const legacy = [S1.vision_encoder, S1.prefill, Object.values(S1).reduce((a, b) => a + b)];
    expect({
      k: tokens.tiling?.[1],
      crops: tokens.num_crops,
      prompt: tokens.prompt_length,
      vit: gf(counters.vision_encoder?.flops, 1),
      connector: gf(counters.projector?.flops, 1),
      prefill: gf(counters.prefill?.flops, 1),
      square: gf(square.totals.prefill, 1),
      legacy: legacy.map((value) => gf(value, 1)),
    }).toEqual(ONE_ROW[i]);
    const { inserted_vision_tokens: inserted, special_image_tokens } = tokens;
    expect([inserted, inserted + special_image_tokens]).toEqual(ONE_ROW_TOKENS[i]);
    expect([tokens.vit_patches, tokens.pooled_vision_tokens]).toEqual([576 * (i + 2), 144 * (i + 2)]);
    expect(counters.decode).toBeUndefined();
  }
});

it('context: texts of 50 to 1,500 tokens', async () => {
  const rows = [];
  for (const cell of cells_of(context)) {
    const { ledger, counts: of } = await ran(cell);
    const prefill = ledger.sum(({ stage }) => stage === 'prefill').flops;
    const scores = ledger.sum(({ stage, kernel }) => stage === 'prefill' && kernel.startsWith('attention')).flops;
    rows.push([of.text_tokens, of.prompt_tokens, gf(prefill, 1), percent(scores, prefill, 2)]);
  }
  expect(rows).toEqual(TEXT_LENGTHS);
});

it('output-tokens: one token comes out of prefill, each further one is a step', async () => {
  for (const cell of cells_of(output_tokens)) {
    const { tokens, counters } = await observe(cell);
    const { num_output_tokens: made, decode_steps: steps, prompt_length } = tokens;
    const row = ANSWER_LENGTHS.find(([of]) => of === made);
    expect([prompt_length, made, steps, gf(counters.decode?.flops, 2)]).toEqual([326, ...(row ?? []).slice(0, 3)]);
    // There is no decode stage then, not one of 0.
    expect(counters.decode === undefined).toBe(made === 1);
  }
});

it('output-tokens: every length up to 4,096 on the way to the longest', async () => {
  const [cell] = cells_of(output_tokens, { newTokens: [4096] }) as [Cell];
  watch = make_ledger();
  const rows = [];
  for await (const { index } of engine.generate(request_of(cell))) {
    if (!ANSWER_LENGTHS.some(([tokens]) => tokens === index + 1)) continue;
    const { flops } = watch.sum(({ stage }) => stage === 'decode');
    rows.push([index + 1, index, gf(flops, 2), gf(flops / Math.max(1, index), 4)]);
  }
  watch = undefined;
  expect(rows).toEqual(ANSWER_LENGTHS);
});

describe('block-mask', () => {
  /** Blocks in which the language model dispatched anything. */
  const blocks_in = async (cell: Cell, stage: string) => {
    const { ledger } = await ran(cell);
    const layers = ledger.rows().flatMap((row) => (row.stage === stage && row.dispatches > 0 ? (row.layer ?? []) : []));
    return [...new Set(layers)].sort((a, b) => a - b);
  };

  it('1 to 16 blocks: prefill, and the first decode step', async () => {
    const cells = cells_of(block_mask, {}, { new_tokens: 2 });
    const seen = [];
    for (const cell of cells) seen.push(await observe(cell));
    const all = seen.at(-1)?.counters;
    const rows = seen.map(({ counters: { prefill, decode } }, i) => [
      cells[i]?.settings.num_active_blocks,
      gf(prefill?.flops, 2),
      percent(prefill?.flops, all?.prefill?.flops, 1),
      gf(decode?.flops, 4),
      percent(decode?.flops, all?.decode?.flops, 1),
    ]);
    expect(rows).toEqual(DEPTHS);
    const launches = seen.map(({ counters }) => counters.decode?.dispatches ?? 0);
    const of_block = (launches[1] as number) - (launches[0] as number);
    expect(launches.slice(1).map((count, i) => count - (launches[i] as number))).toEqual(Array(15).fill(of_block));
  });

  it.each([[[4, 8, 12, 15]], [[15]], [[0, 1, 2, 3]]])('blocks %j: the others dispatch nothing', async (blocks) => {
    const [cell] = cells_of(block_mask, { activeBlockIndices: [blocks] }, { new_tokens: 3 }) as [Cell];
    expect(await blocks_in(cell, 'prefill')).toEqual(blocks);
    expect(await blocks_in(cell, 'decode')).toEqual(blocks);
    // Any blocks of the same number cost the same.
    const { counters } = await observe(cell);
    expect(gf(counters.prefill?.flops, 2)).toBe(DEPTHS[blocks.length - 1]?.[1]);
  });
});

it('block-mask on a slice: two depths that ran give every depth of the whole, exactly', async () => {
  const slice = preset_config('molmoe-slice');
  const executor = dry_executor(dry_device({ subgroup_size: 8, software: true }, 2 ** 31));
  const source = synthetic_source(tensor_specs(slice), 0, 'F32');
  const small = await Engine.create({ name: 'molmoe-slice', config: slice, tokenizer, dtype: 'f16', executor, source });
  const scaler = await whole_counter(config, 'f16', executor);
  const on = { config: slice, tokenizer, asked: { new_tokens: 2 }, tokens_per_readback: 1 };
  const fake = fake_configuration('low', 'short', 'short');
  const configurations = [];
  for (const { requests, settings, knobs } of block_mask.plan(on, defaults(block_mask)).cells) {
    const seen = await counts.observe(small, requests, FAKE_RUN.fingerprint.protocol, { on_run: () => {} });
    const whole = {
      ...{ model: 'molmoe-1b', from: 'molmoe-slice', method: 'stamps by layer', stages: {}, parts: [] },
      blocks: { language: [2, 16] as [number, number], vision: [3, 22] as [number, number] },
      ...{ samples: fake.clean.samples, counters: await scaler(seen.tokens, {}), flops: seen.flops },
    };
    const scaled = (knobs.blocks ?? []).length === 2 ? whole : { why_not: 'blocks were masked' };
    configurations.push({ ...fake, ...seen, clean: fake.clean, settings, knobs: { ...knobs }, scaled });
  }
  const { files } = block_mask.derive({ run: FAKE_RUN, configurations, skipped: [] });
  const { depth } = files.exp3_transformer_blocks_mask_results as { depth: z.infer<typeof depth_schema> };
  expect(
    depth.rows.map((row) => [row.num_active_blocks, gf(row.prefill_flops ?? 0, 2), gf(row.decode_step_flops ?? 0, 4)]),
  ).toEqual(DEPTHS.map(([blocks, prefill, , step]) => [blocks, prefill, step]));
});

it('moe-topk: token-expert pairs, and with them the FLOPs of experts, go with the experts a token takes', async () => {
  const rows = [];
  const of_experts: number[][] = [];
  for (const cell of cells_of(moe_topk, { topK: EXPERTS.map(([k]) => k) }, { new_tokens: 2 })) {
    const { ledger } = await ran(cell);
    const k = Number(cell.settings.top_k);
    const of = (stage: string) => ledger.sum((row) => row.stage === stage);
    const experts = (stage: string) =>
      ledger.sum((row) => row.stage === stage && row.component === 'moe_experts').flops / k;
    rows.push([k, gf(of('prefill').flops, 1), gf(of('decode').flops, 3)]);
    of_experts.push([experts('prefill'), experts('decode')]);
    // A pair is three matrices of 2048 by 1024.
    expect(experts('decode')).toBe(16 * 2 * 3 * 2048 * 1024);
    const gb = STEP_WEIGHTS.find(([top_k]) => top_k === k)?.[1];
    if (gb !== undefined) expect(of('decode').weight_bytes / 1e9).toBeCloseTo(gb, 2);
  }
  expect(rows).toEqual(EXPERTS);
  expect(new Set(of_experts.map(String)).size).toBe(1);
});

it('flops-scaling: what theory says of each stage', async () => {
  const fake = fake_configuration('low', 'short', 'short');
  const seen = [];
  for (const cell of cells_of(flops_scaling)) seen.push({ ...fake, ...(await observe(cell)) });
  const ratios = work_ratios(seen[0] as typeof fake, seen[1] as typeof fake);
  const of = (name: string) => ratios.find((row) => row.of === name);
  expect(of('prefill')?.flops_ratio).toBeCloseTo(2.84, 2);
  expect(of('decode_step')?.flops_ratio).toBeCloseTo(2.42, 2);
  // Weights alone 2.49; the cache that both read is in it too.
  expect(of('decode_step')?.bytes_ratio).toBeCloseTo(2.36, 2);
  // 1.46 where the encoder also runs its last block, which nobody reads.
  expect(of('whole_forward')?.flops_ratio).toBeCloseTo(1.477, 3);
  expect(of('prefill')?.ratio).toBeNull();
});
