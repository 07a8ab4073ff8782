import { describe, expect, it } from 'vitest';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { legacy_flops, repository_parameters } from '../../engine/meter/legacy.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { ONE_ROW } from '../support/golden_counts.ts';

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

  it.each(ONE_ROW)('give the published totals with $crops crops and one token', ({ crops, prompt, legacy }) => {
    const { S1 } = legacy_flops(config, { views: crops, prompt_tokens: prompt, new_tokens: 1 });
    expect([S1.vision_encoder, S1.prefill, Object.values(S1).reduce((a, b) => a + b)].map(gf)).toEqual(legacy);
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
    [1, 371_329_024, 474_613_760, 577_636_352, 880_088_064],
    [2, 471_992_320, 575_277_056, 678_299_648, 980_751_360],
    [4, 673_318_912, 776_603_648, 879_626_240, 1_182_077_952],
    [8, 1_075_972_096, 1_179_256_832, 1_282_279_424, 1_584_731_136],
    [16, 1_881_278_464, 1_984_563_200, 2_087_585_792, 2_390_037_504],
    [32, 3_491_891_200, 3_595_175_936, 3_698_198_528, 4_000_650_240],
    [64, 6_713_116_672, 6_816_401_408, 6_919_424_000, 7_221_875_712],
  ])('with %i experts a token', (top_k, blocks, llm_active, with_head, true_active) => {
    const found = repository_parameters(config, top_k);
    const embeddings = 103_022_592 + 262_144;
    expect(found).toMatchObject({ params_llm_active: llm_active, true_active });
    expect(found.params_llm_active - embeddings).toBe(blocks);
    expect(found.params_llm_active + found.params_lm_head).toBe(with_head);
  });

  it('part by part, from the shapes of the tensors', () => {
    const sizes = tensor_specs(config).map(({ name, shape }) => [name, shape.reduce((a, b) => a * b, 1)] as const);
    const of = (pattern: RegExp) => sizes.reduce((sum, [name, size]) => sum + (pattern.test(name) ? size : 0), 0);
    expect(sizes.reduce((sum, [, size]) => sum + size, 0)).toBe(7_221_875_712);
    expect(of(/image_vit/)).toBe(290_909_184);
    expect(of(/image_vit.*resblocks\.0\./)).toBe(12_596_224);
    expect(of(/image_vit.*resblocks/)).toBe(289_713_152);
    expect(of(/image_vit\.patch_embedding/)).toBe(602_112);
    expect(of(/image_vit\.positional_embedding/)).toBe(590_848);
    expect(of(/image_pooling/)).toBe(7_344_128);
    expect(of(/image_projector/)).toBe(4_194_304);
    expect(of(/pad_embed/)).toBe(4096);
    expect(of(/\.blocks\.0\./)).toBe(419_569_664);
    expect(of(/\.blocks\.0\..*(att_proj|attn_out)/)).toBe(16_777_216);
    expect(of(/\.blocks\.\d+\..*gate\.weight/)).toBe(2_097_152);
  });
});
