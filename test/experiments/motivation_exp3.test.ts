import { describe, expect, it } from 'vitest';
import { dry_model } from '../../engine/dry_run.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { legacy_flops } from '../../engine/meter/legacy.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { motivation_exp3 } from '../../experiments/index.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import type { VisionTokensFile } from '../../experiments/motivation/vision_tokens_file.ts';
import { dry_device } from '../support/dry.ts';
import { vision_cell } from '../support/motivation.ts';
import { FAKE_RUN } from '../support/records.ts';

const subject = (name: string) => {
  const config = preset_config(name);
  const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
  return { config, tokenizer, asked: {}, tokens_per_readback: 1 };
};
const on = subject('molmoe-1b');
const { config } = on;
const plan = (over: Readonly<Record<string, unknown>> = {}) =>
  motivation_exp3.plan(on, { maxGridSize: undefined, widths: 'tiles', ...over });
const columns = (over = {}) =>
  plan(over).cells.map(({ requests }) => {
    const { width = 0, height = 0 } = requests[0]?.request.image ?? {};
    const { rows, cols } = choose_tiling(width, height, { max_crops: config.max_crops }, geometry_of(config));
    return [rows, cols];
  });

describe('pictures', () => {
  it('are one row of 1 to as many tiles as the model takes, and no token is made', () => {
    const { cells, skipped } = plan();
    expect(cells.map(({ requests }) => requests[0]?.image)).toEqual(
      Array.from({ length: 12 }, (_, i) => `rings ${224 * (i + 1) + 112}x336`),
    );
    expect(columns()).toEqual(Array.from({ length: 12 }, (_, i) => [1, i + 1]));
    expect(cells.every(({ requests }) => requests[0]?.request.maxNewTokens === 0)).toBe(true);
    expect(skipped).toEqual([]);
  });

  it('by the study’s other rule have other tilings: 1, 3, 4, 6, 7, 9, 10 and 12 columns', () => {
    expect(columns({ widths: 'study' })).toEqual([1, 3, 4, 6, 7, 9, 10, 12, 12, 12, 12, 12].map((cols) => [1, cols]));
  });

  it('that the model does not take are left out, with the reason', () => {
    const { cells, skipped } = plan({ maxGridSize: 13 });
    expect([cells.length, skipped.map(({ key }) => key)]).toEqual([12, ['k=13']]);
    expect(skipped[0]?.reason).toContain('expected a tiling of 1x13');
  });
});

/** crops, positions, GFLOP of the ViT with its dead block, connector, prefill, and by S1: ViT, prefill, all with one more token. */
const COUNTS = [
  [2, 326, 732.1, 13.9, 708.6, 670.3, 4444.3, 5128.2],
  [3, 422, 1098.1, 20.8, 919.9, 1005.4, 5753.0, 6772.1],
  [4, 518, 1464.1, 27.8, 1132.4, 1340.5, 7061.8, 8415.9],
  [5, 614, 1830.2, 34.7, 1346.1, 1675.6, 8370.5, 10059.8],
  [6, 710, 2196.2, 41.7, 1561.0, 2010.8, 9679.3, 11703.7],
  [7, 806, 2562.2, 48.6, 1777.1, 2345.9, 10988.0, 13347.6],
  [8, 902, 2928.3, 55.6, 1994.4, 2681.0, 12296.8, 14991.4],
  [9, 998, 3294.3, 62.5, 2212.9, 3016.1, 13605.5, 16635.3],
  [10, 1094, 3660.3, 69.5, 2432.6, 3351.3, 14914.3, 18279.2],
  [11, 1190, 4026.4, 76.4, 2653.6, 3686.4, 16223.0, 19923.1],
  [12, 1286, 4392.4, 83.4, 2875.7, 4021.5, 17531.8, 21567.0],
  [13, 1382, 4758.4, 90.3, 3099.1, 4356.7, 18840.5, 23210.8],
] as const;

it('the ledger of the real model counts every row of the study’s inventory', async () => {
  const model = await dry_model(config, 'f16', { device: dry_device({ subgroup_size: 32, software: false }, 2 ** 31) });
  const gflop = (flops: number | undefined) => Number(((flops ?? 0) / 1e9).toFixed(1));
  for (const [views, prompt_tokens, vit, connector, prefill, s1_vit, s1_prefill, s1_all] of COUNTS) {
    const { stages } = await model.run({ views, prompt_tokens, maxNewTokens: 0, keepDeadBlocks: true });
    const of = (name: string) => gflop(stages.find(({ stage }) => stage === name)?.flops);
    expect([of('vision_encoder'), of('projector'), of('prefill')], `${views} views`).toEqual([vit, connector, prefill]);
    const { S1 } = legacy_flops(config, { views, prompt_tokens, new_tokens: 1 });
    const all = Object.values(S1).reduce((sum, flops) => sum + flops, 0);
    expect([gflop(S1.vision_encoder), gflop(S1.prefill), gflop(all)]).toEqual([s1_vit, s1_prefill, s1_all]);
  }
});

const derived = (configurations: readonly Configuration[]) => {
  const all = motivation_exp3.derive({
    run: FAKE_RUN,
    configurations: motivation_exp3.sorted(configurations),
    skipped: [],
  });
  const parsed = motivation_exp3.schemas.exp3_vision_tokens_vs_latency?.safeParse(
    all.files.exp3_vision_tokens_vs_latency,
  );
  expect(parsed?.error).toBeUndefined();
  return { ...all, file: all.files.exp3_vision_tokens_vs_latency as VisionTokensFile };
};

describe('results', () => {
  const cells = [12, 1, 4, 8].map((k) => vision_cell(k));

  it('find the cost of a token that times were made with, in all and by component', () => {
    const { file, findings, figures, tables } = derived(cells);
    expect(
      file.results.map(({ grid, resolution, num_vision_tokens, image_size }) => [
        grid,
        resolution,
        num_vision_tokens,
        image_size,
      ]),
    ).toEqual([
      ['1×1', '336x336', 288, [336, 336]],
      ['1×4', '1008x336', 576, [1008, 336]],
      ['1×8', '1904x336', 960, [1904, 336]],
      ['1×12', '2800x336', 1344, [2800, 336]],
    ]);
    // 300 and 8 ms a crop of 96 tokens, 2 ms a position.
    const { total, vision_encoder, projector, llm_prefill } = file.cost_per_vision_token;
    const slopes = [vision_encoder, projector, llm_prefill, total].map((fit) => fit?.slope as number);
    for (const [i, expected] of [300 / 96, 8 / 96, 2, 308 / 96 + 2].entries()) {
      expect((slopes[i] as number) / expected).toBeCloseTo(1, 1);
    }
    expect(total?.slope_ci95?.[0]).toBeLessThan(total?.slope as number);
    expect(file.vision_encoder_per_crop?.r_squared).toBeGreaterThan(0.999);
    // The encoder sees 6.5 times the crops for 4.7 times the tokens.
    expect(findings.map(({ outcome }) => outcome)).toEqual(['confirmed', 'refuted', 'confirmed']);
    expect(figures.map(({ name, panels }) => [name, panels.length])).toEqual([
      ['exp3_vision_tokens_vs_latency', 3],
      ['exp3_vision_tokens_vs_latency_breakdown', 2],
    ]);
    expect(tables.map(({ rows }) => rows.length)).toEqual([4, 5]);
  });

  it('keep older methods beside the direct times, signed', () => {
    const by = { T_vision_encoder: 1, T_projector: -2, T_vision_total: -1, T_LLM_decode: 0, T_total: 3 };
    const methods = [-30, -10, -20].map((T_LLM_prefill) => ({ method: 'subtraction' as const, ...by, T_LLM_prefill }));
    const { file, tables } = derived(cells.map((one) => ({ ...one, methods })));
    expect(file.results[0]?.by_method).toEqual({ method: 'subtraction', ...by, T_LLM_prefill: -20 });
    expect(tables[0]?.columns.map(({ name }) => name)).toContain('prefill by subtraction');
  });

  it('count a number of tokens once, however many widths give it', () => {
    const same = [8, 9, 10].map((k) => ({ ...vision_cell(12), key: `k=${k}_study`, settings: { k, widths: 'study' } }));
    const { findings } = derived([vision_cell(1), ...same]);
    expect(findings[0]).toMatchObject({ outcome: 'confirmed', because: expect.stringMatching(/^1 of 1 steps/) });
  });

  it('of one width have no slope and no verdict', () => {
    const { file, findings } = derived(cells.slice(0, 1));
    expect(Object.values(file.cost_per_vision_token)).toEqual([null, null, null, null]);
    expect(findings.map(({ outcome }) => outcome)).toEqual(['not tested', 'not tested', 'not tested']);
    expect(derived([]).figures).toEqual([]);
  });
});
