import { describe, expect, it } from 'vitest';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { legacy_flops, repository_parameters } from '../../engine/meter/legacy.ts';
import { preset_config } from '../../engine/model/presets.ts';

const config = preset_config('molmoe-1b');
const gf = (flops: number): number => Number((flops / 1e9).toFixed(1));

describe('published formulas', () => {
  it.each([
    ['low', 2, 326, [670.3, 4444.3, 768.9]],
    ['medium', 5, 590, [1675.6, 8043.4, 1391.5]],
    ['high', 13, 1206, [4356.7, 16441.2, 2844.4]],
  ])('give the published numbers of the %s regime', (_, views, prompt_tokens, table) => {
    const request = { views, prompt_tokens, new_tokens: 1 };
    const { S1, S4 } = legacy_flops(config, request);
    const active = legacy_flops(config, { ...request, parameters: 'active' });
    expect([gf(S1.vision_encoder), gf(S1.prefill), gf(active.S1.prefill)]).toEqual(table);
    expect(S1.projector).toBe(8_388_608);
    expect(S4.vision_encoder).toBe(S1.vision_encoder);
    expect(S4.projector).toBe(11_542_528 * 144 * views * 2);
    expect(S4.prefill).toBe(2 * 6_816_401_408 * prompt_tokens ** 2 + S1.prefill);
  });

  it.each([
    [2, 326, 670.3, 4444.3, 5128.2],
    [3, 422, 1005.4, 5753.0, 6772.1],
    [4, 518, 1340.5, 7061.8, 8415.9],
    [5, 614, 1675.6, 8370.5, 10059.8],
    [6, 710, 2010.8, 9679.3, 11703.7],
    [7, 806, 2345.9, 10988.0, 13347.6],
    [8, 902, 2681.0, 12296.8, 14991.4],
    [9, 998, 3016.1, 13605.5, 16635.3],
    [10, 1094, 3351.3, 14914.3, 18279.2],
    [11, 1190, 3686.4, 16223.0, 19923.1],
    [12, 1286, 4021.5, 17531.8, 21567.0],
    [13, 1382, 4356.7, 18840.5, 23210.8],
  ])('give the published totals with %i crops and one token', (views, prompt_tokens, vision, prefill, all) => {
    const { S1 } = legacy_flops(config, { views, prompt_tokens, new_tokens: 1 });
    expect([S1.vision_encoder, S1.prefill, Object.values(S1).reduce((a, b) => a + b)].map(gf)).toEqual([
      vision,
      prefill,
      all,
    ]);
  });

  it('are as wrong as the documentation of `legacy_flops` says', () => {
    const request = { views: 2, prompt_tokens: 326, new_tokens: 100 };
    const { totals } = closed_form_flops(config, { ...request, keep_dead_blocks: true });
    const { S1, S4 } = legacy_flops(config, request);
    expect(S1.vision_encoder / totals.vision_encoder).toBeCloseTo(0.92, 2);
    expect(totals.projector / S1.projector).toBeGreaterThan(300);
    expect(S1.prefill / totals.prefill).toBeCloseTo(6.3, 1);
    expect(S4.prefill / totals.prefill).toBeGreaterThan(1e3);
    expect(S4.decode / totals.decode).toBeGreaterThan(300);
    // 251 TFLOP for attention's square, with active parameters, where the causal half has 0.007.
    const active = legacy_flops(config, { ...request, parameters: 'active' });
    expect(Math.round((active.S4.prefill - active.S1.prefill) / 1e12)).toBe(251);
  });

  it('sum S4 decode over the steps, each with the sequence it sees', () => {
    const { S4, S1 } = legacy_flops(config, { views: 0, prompt_tokens: 10, new_tokens: 4 });
    expect(S4.decode).toBe(2 * 6_816_401_408 * (11 + 12 + 13));
    expect(S1.decode).toBe(2 * 6_816_401_408 * 4);
    expect([S1.projector, S4.projector, S1.vision_encoder]).toEqual([0, 0, 0]);
    expect(legacy_flops(config, { views: 0, prompt_tokens: 10, new_tokens: 1 }).S4.decode).toBe(0);
  });
});

describe('published parameter counts', () => {
  it('of molmoe-1b', () => {
    expect(repository_parameters(config)).toEqual({
      params_vision_encoder: 290_909_184,
      params_projector: 11_542_528,
      params_image_projector: 4_194_304,
      params_connector: 0,
      params_llm: 6_816_401_408,
      params_llm_active: 1_179_256_832,
      params_llm_total: 6_816_401_408,
      moe_num_experts: 64,
      moe_top_k: 8,
      moe_expert_params: 6_442_450_944,
      moe_gate_params: 2_097_152,
      params_total: 7_118_853_120,
      params_active: 1_481_708_544,
      params_lm_head: 103_022_592,
      true_total: 7_221_875_712,
      true_active: 1_584_731_136,
    });
  });

  it.each([
    [1, 474_613_760, 880_088_064],
    [2, 575_277_056, 980_751_360],
    [4, 776_603_648, 1_182_077_952],
    [16, 1_984_563_200, 2_390_037_504],
    [32, 3_595_175_936, 4_000_650_240],
    [64, 6_816_401_408, 7_221_875_712],
  ])('with %i experts a token', (top_k, llm_active, true_active) => {
    expect(repository_parameters(config, top_k)).toMatchObject({ params_llm_active: llm_active, true_active });
  });
});
