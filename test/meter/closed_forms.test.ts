import { describe, expect, it } from 'vitest';
import { dry_input } from '../../engine/dry_run.ts';
import type { RunOptions } from '../../engine/generate.ts';
import { dry_executor } from '../../engine/gpu/dry.ts';
import { cell_rows, vision_counts } from '../../engine/input/layout.ts';
import type { Tiling } from '../../engine/input/tiling.ts';
import { type ClosedForm, closed_form_flops, decode_step_flops } from '../../engine/meter/closed_forms.ts';
import type { Ledger, LedgerRow } from '../../engine/meter/ledger.ts';
import type { Context } from '../../engine/model/context.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { plan_blocks, plan_pictures } from '../../engine/model/knobs.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { dry_device } from '../support/dry.ts';
import { ANSWER_LENGTHS, DEPTHS, ONE_ROW, TEXT_LENGTHS } from '../support/golden_counts.ts';
import { test_executor } from '../support/gpu.ts';
import { run_to_end, some_ids, synthetic_context } from '../support/run.ts';

const SOFTWARE = { subgroup_size: 8, software: true };
const HARDWARE = { subgroup_size: 32, software: false };

/** The ledger's rows under the names of the closed forms: scores are what attention kernels do, the rest is projections. */
function counted(ledger: Ledger): Omit<ClosedForm, 'totals'> {
  const flops = (match: (row: LedgerRow) => boolean) => ledger.sum(match).flops;
  const of = (stage: string, component: string) => flops((r) => r.stage === stage && r.component === component);
  const split = (stage: string, component: string, scores: RegExp) => {
    const part = (is_score: boolean) =>
      flops((r) => r.stage === stage && r.component === component && scores.test(r.kernel) === is_score);
    return [part(false), part(true)] as [number, number];
  };
  const language = (stage: string) => {
    const [attention_projections, attention_scores] = split(stage, 'attention', /^attention/);
    return {
      attention_projections,
      attention_scores,
      router: of(stage, 'moe_router'),
      experts: of(stage, 'moe_experts'),
      head: of(stage, 'lm_head'),
    };
  };
  const [attention_projections, attention_scores] = split('vision_encoder', 'attention', /^attention/);
  const [pooling_projections, pooling_scores] = split('projector', 'pooling', /^pool_attention/);
  return {
    vision_encoder: {
      patch_embed: of('vision_encoder', 'patch_embed'),
      attention_projections,
      attention_scores,
      mlp: of('vision_encoder', 'mlp'),
    },
    projector: { pooling_projections, pooling_scores, mlp: of('projector', 'mlp') },
    prefill: language('prefill'),
    decode: language('decode'),
  };
}

interface Case {
  readonly views: number;
  /** Whose cells stand in the prompt; without it none do. */
  readonly tiling?: Tiling;
  readonly prompt: number;
  readonly options: RunOptions;
}

/** Runs it and compares every component, and that nothing else was counted. */
async function check(context: Context, { views, tiling, prompt, options }: Case): Promise<void> {
  const { config } = context;
  const index = tiling && cell_rows(tiling, geometry_of(config));
  const { crops } = dry_input(config, { prompt_tokens: prompt, views, index });
  const { result } = await run_to_end(context, { ids: some_ids(prompt, config.vocab_size), crops }, options);
  const { totals, ...parts } = closed_form_flops(config, {
    views,
    prompt_tokens: prompt,
    new_tokens: options.maxNewTokens,
    top_k: plan_blocks(config, options.knobs ?? {}),
    top_k_vision: plan_pictures(config, options.knobs ?? {}),
    vision_tokens: index?.filter((row) => row >= 0).length,
    keep_dead_blocks: options.keepDeadBlocks,
  });
  expect(counted(result.ledger)).toEqual(parts);
  expect(result.ledger.sum().flops).toBe(totals.all);
  for (const { stage, flops } of result.stages) expect([stage, flops]).toEqual([stage, totals[stage]]);
}

describe('the ledger of a run equals the closed forms, component by component', () => {
  const knobs = { topK: [1, 2, 3, 4], blocks: [0, 2] };
  it.each<[string, Case]>([
    ['text alone', { views: 0, prompt: 11, options: { maxNewTokens: 4 } }],
    ['one tile', { views: 2, prompt: 19, options: { maxNewTokens: 2 } }],
    ['two tiles, knobs', { views: 3, prompt: 7, options: { maxNewTokens: 3, knobs } }],
    ['three tiles, dead blocks', { views: 4, prompt: 6, options: { maxNewTokens: 1, keepDeadBlocks: true } }],
    ['no token', { views: 0, prompt: 5, options: { maxNewTokens: 0 } }],
    ['no block', { views: 0, prompt: 5, options: { maxNewTokens: 3, knobs: { blocks: [] } } }],
  ])('molmoe-tiny on the GPU: %s', async (_, one) => {
    await check(await tiny, one);
  });
  const tiny = test_executor().then((executor) => synthetic_context(executor, preset_config('molmoe-tiny')));

  it('molmoe-mini on the GPU, one tile', async () => {
    const context = await synthetic_context(
      await test_executor('auto', { mode: 'release' }),
      preset_config('molmoe-mini'),
      'f16',
    );
    await check(context, { views: 2, prompt: 40, options: { maxNewTokens: 4 } });
    await check(context, { views: 0, prompt: 3, options: { maxNewTokens: 3, knobs: { topK: 32, blocks: [1, 15] } } });
  });

  for (const preset of ['molmoe-tiny', 'molmoe-mini', 'molmoe-slice', 'molmoe-1b'] as const) {
    it.each([
      ['software', SOFTWARE, 128 * 2 ** 20],
      ['hardware', HARDWARE, 2 ** 31],
    ])(`${preset}, all regimes, without a GPU, as on %s adapters`, async (_, traits, binding) => {
      const context = await synthetic_context(dry_executor(dry_device(traits, binding)), preset_config(preset), 'f16');
      for (const [rows, cols] of [
        [1, 1],
        [2, 2],
        [3, 4],
      ] as const) {
        const prompt = prompt_of(rows, cols);
        await check(context, { views: rows * cols + 1, prompt, options: { maxNewTokens: 5 } });
        const options = {
          maxNewTokens: 2,
          keepDeadBlocks: true,
          knobs: { topK: 4, blocks: [0, context.config.n_layers - 1] },
        };
        await check(context, { views: rows * cols + 1, prompt, options });
        const apart = { maxNewTokens: 2, knobs: { topK: 4, topKVision: 1, blocks: [1] } };
        await check(context, { views: rows * cols + 1, tiling: { rows, cols }, prompt, options: apart });
      }
    });
  }
});

/** Prompt positions of a picture of this tiling and some text; "Describe this image." is 9 tokens. */
const prompt_of = (rows: number, cols: number, text = 9): number =>
  1 + vision_counts({ rows, cols }, geometry_of(config)).image_tokens + text;

const config = preset_config('molmoe-1b');
const gf = (flops: number, places: number): number => Number((flops / 1e9).toFixed(places));
const total = (parts: object): number => Object.values(parts).reduce((sum, part) => sum + part, 0);
const first_step = (prompt_tokens: number) => total(decode_step_flops(config, prompt_tokens + 1));

describe('molmoe-1b, against tables worked out by hand', () => {
  // In GFLOP, to the last digit printed there.
  it.each([
    ['low', 1, 1, [732.07, 700.3, 11.48, 2.42, 175.02, 6.99, 13.93, 1.37, 525.06, 0.206, 708.64, 2.4006]],
    ['medium', 2, 2, [1830.17, 1750.75, 28.7, 6.04, 316.75, 22.85, 45.63, 2.47, 950.26, 0.206, 1292.55, 2.4352]],
    ['high', 3, 4, [4758.44, 4551.94, 74.62, 15.7, 647.47, 95.4, 190.64, 5.06, 1942.4, 0.206, 2690.53, 2.5159]],
  ])('%s regime', (_, rows, cols, table) => {
    const prompt_tokens = prompt_of(rows, cols);
    const request = { views: rows * cols + 1, prompt_tokens, new_tokens: 1 };
    const all = closed_form_flops(config, { ...request, keep_dead_blocks: true });
    const { totals, projector, prefill } = closed_form_flops(config, request);
    const square = closed_form_flops(config, { ...request, full_square: true });
    expect([
      gf(all.totals.vision_encoder, 2),
      gf(totals.vision_encoder, 2),
      gf(projector.pooling_projections + projector.pooling_scores, 2),
      gf(projector.mlp, 2),
      gf(prefill.attention_projections, 2),
      gf(prefill.attention_scores, 2),
      gf(square.prefill.attention_scores, 2),
      gf(prefill.router, 2),
      gf(prefill.experts, 2),
      gf(prefill.head, 3),
      gf(totals.prefill, 2),
      gf(first_step(prompt_tokens), 4),
    ]).toEqual(table);
  });

  it('prompts of common pictures', () => {
    const tilings = [
      [1, 1],
      [2, 2],
      [3, 4],
      [4, 3],
    ] as const;
    expect(tilings.map(([rows, cols]) => prompt_of(rows, cols))).toEqual([326, 590, 1206, 1214]);
    const tokens = tilings.map(([rows, cols]) => vision_counts({ rows, cols }, geometry_of(config)));
    expect(tokens.map(({ inserted_cells }) => inserted_cells)).toEqual([288, 544, 1152, 1152]);
    expect(tokens.map(({ image_tokens, inserted_cells }) => image_tokens - inserted_cells)).toEqual([28, 36, 44, 52]);
  });

  it.each(ONE_ROW)('one row of $k crops', ({ k, crops, prompt, vit, connector, prefill, square }) => {
    expect([k + 1, prompt_of(1, k)]).toEqual([crops, prompt]);
    const request = { views: crops, prompt_tokens: prompt, new_tokens: 1, keep_dead_blocks: true };
    const { totals } = closed_form_flops(config, request);
    const full = closed_form_flops(config, { ...request, full_square: true });
    const found = [totals.vision_encoder, totals.projector, totals.prefill, full.totals.prefill];
    expect(found.map((flops) => gf(flops, 1))).toEqual([vit, connector, prefill, square]);
  });

  it.each(TEXT_LENGTHS)('%i text tokens, %i positions', (text, positions, causal, share) => {
    expect(prompt_of(1, 1, text)).toBe(positions);
    const request = { views: 2, prompt_tokens: prompt_of(1, 1, text), new_tokens: 1 };
    const { prefill, totals } = closed_form_flops(config, request);
    expect(gf(totals.prefill, 1)).toBe(causal);
    expect(Number(((100 * prefill.attention_scores) / totals.prefill).toFixed(2))).toBe(share);
  });

  it.each(ANSWER_LENGTHS)('%i new tokens, %i steps', (new_tokens, steps, decode, mean) => {
    const { totals } = closed_form_flops(config, { views: 2, prompt_tokens: 326, new_tokens });
    expect(gf(totals.decode, 2)).toBe(decode);
    expect([steps, gf(totals.decode / Math.max(1, steps), 4)]).toEqual([new_tokens - 1, mean]);
  });

  it.each(DEPTHS)('%i active blocks', (blocks, prefill, prefill_percent, step, step_percent) => {
    const some = Array.from({ length: 16 }, (_, block) => (block >= 16 - blocks ? 8 : 0));
    const of = (top_k: number[] | number) =>
      closed_form_flops(config, { views: 0, prompt_tokens: 326, new_tokens: 1, top_k }).totals.prefill;
    const step_of = (top_k: number[] | number) => total(decode_step_flops(config, 327, top_k));
    const percent = (part: number, whole: number) => Number(((100 * part) / whole).toFixed(1));
    expect([gf(of(some), 2), percent(of(some), of(8))]).toEqual([prefill, prefill_percent]);
    expect([gf(step_of(some), 4), percent(step_of(some), step_of(8))]).toEqual([step, step_percent]);
  });
});
