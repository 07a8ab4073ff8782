import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../engine/errors.ts';
import { config_to_json, type ModelConfig, parse_config } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_config, preset_names } from '../../engine/model/presets.ts';
import { parameter_counts, tensor_specs } from '../../engine/model/tensors.ts';
import { element_count } from '../../engine/weights/source.ts';
import { fixtures_dir, golden_json, golden_path } from '../support/golden.ts';

type Json = Record<string, unknown>;
const real_text = readFileSync(join(fixtures_dir, 'golden/model/config.real.json'), 'utf8');
const real = (): Json => JSON.parse(real_text);
const real_config = parse_config(real(), 'config.json');

/** The published configuration with one field changed; `undefined` removes it. */
function with_field(field: string, value: unknown): Json {
  const json = real();
  const path = field.split('.');
  const key = path.pop() as string;
  const target = path.length > 0 ? (json[path[0] as string] as Json) : json;
  if (value === undefined) delete target[key];
  else target[key] = value;
  return json;
}

it('says of a file of another model that it is one, not that the file is at fault', () => {
  const llama = { architectures: ['LlamaForCausalLM'], model_type: 'llama', hidden_size: 4096 };
  expect(() => parse_config(llama, 'here/config.json')).toThrow(
    /^here\/config\.json: model_type: expected "molmo" \(MolmoE\), found "llama": another architecture, .* name the folder/,
  );
});

describe('parse_config', () => {
  it('reads the published configuration', () => {
    expect(real_config).toMatchObject({
      d_model: 2048,
      n_heads: 16,
      head_dim: 128,
      n_layers: 16,
      n_experts: 64,
      top_k: 8,
      expert_hidden: 1024,
      projector_hidden: 1024,
      vocab_size: 50280,
      embedding_size: 50304,
      additional_vocab_size: 128,
      bos_id: 50279,
      eos_id: 50279,
      pad_id: 1,
      special: { im_start: 50280, im_end: 50281, im_patch: 50282, im_col: 50283, image: 50284 },
      norm_eps: 1e-5,
      rope_theta: 10000,
      max_sequence_length: 4096,
      max_position_embeddings: 32768,
      vit: { emb: 1024, heads: 16, head_dim: 64, layers: 23, mlp: 4096, positions: 577, norm_eps: 1e-5 },
      vit_layers: [21, 14],
      max_crops: 12,
      overlap_margins: [4, 4],
      always_start_with_space: true,
    });
    expect(Object.isFrozen(real_config)).toBe(true);
    expect(Object.isFrozen(real_config.vit)).toBe(true);
    expect(Object.isFrozen(real_config.vit_layers)).toBe(true);
  });

  const wrong: [field: string, value: unknown][] = [
    ['model_type', 'llama'],
    ['activation_type', 'gelu'],
    ['alibi', true],
    ['attention_layer_norm', false],
    ['attention_layer_norm_with_affine', false],
    ['attn_logit_softcapping', 50],
    ['bias_for_layer_norm', true],
    ['block_group_size', 2],
    ['block_type', 'sequential'],
    ['clip_qkv', 8],
    ['clip_qkv', Number.POSITIVE_INFINITY],
    ['crop_mode', 'resize'],
    ['final_logit_softcapping', 30],
    ['fix_image_input_idx', 1],
    ['float32_attention', false],
    ['image_padding_embed', null],
    ['image_padding_embed', 'regress'],
    ['image_pooling_2d', 'stack'],
    ['image_pooling_h', 3],
    ['image_pooling_w', 1],
    ['image_projector', 'linear'],
    ['include_bias', true],
    ['layer_norm_type', 'default'],
    ['layer_norm_with_affine', false],
    ['message_formatting', 'none'],
    ['moe_dropless', false],
    ['moe_interleave', true],
    ['moe_shared_expert', true],
    ['multi_query_attention', true],
    ['n_kv_heads', 4],
    ['norm_after', true],
    ['normalize_input_embeds', true],
    ['qkv_bias', true],
    ['rope', false],
    ['rope', undefined],
    ['rope_full_precision', false],
    ['rope_impl', 'interleave'],
    ['rope_scaling', { type: 'linear' }],
    ['scale_logits', true],
    ['unconditioned', true],
    ['use_cls_feature', true],
    ['use_col_tokens', false],
    ['use_position_ids', false],
    ['weight_tying', true],
    ['d_model', 2047],
    ['d_model', 0],
    ['d_model', -64],
    ['d_model', '2048'],
    ['d_model', undefined],
    ['d_model', 2 ** 40],
    ['n_heads', 3],
    ['n_heads', 1.5],
    ['n_heads', 0],
    ['head_dim', 64],
    ['n_layers', 0],
    ['n_layers', 1e9],
    ['moe_num_experts', 0],
    ['moe_num_experts', 1e6],
    ['moe_top_k', 65],
    ['moe_top_k', 0],
    ['mlp_hidden_size', 2049],
    ['mlp_hidden_size', 'big'],
    ['mlp_ratio', 0],
    ['mlp_ratio', 0.0001],
    ['mlp_ratio', null],
    ['vocab_size', 50305],
    ['vocab_size', 1],
    ['embedding_size', 50279],
    ['embedding_size', 1e12],
    ['additional_vocab_size', 0],
    ['additional_vocab_size', 1e7],
    ['bos_token_id', 50432],
    ['eos_token_id', -1],
    ['eos_token_id', [1, 2]],
    ['pad_token_id', 0.5],
    ['layer_norm_eps', 0],
    ['layer_norm_eps', '1e-5'],
    ['rope_theta', 0],
    ['rope_theta', Number.NaN],
    ['rope_theta', Number.POSITIVE_INFINITY],
    ['max_sequence_length', 0],
    ['max_position_embeddings', null],
    ['max_crops', 0],
    ['max_crops', 1000],
    ['overlap_margins', [4]],
    ['overlap_margins', [3, 4]],
    ['overlap_margins', [12, 12]],
    ['overlap_margins', [4, 3]],
    ['overlap_margins', [-2, 4]],
    ['overlap_margins', null],
    ['vit_layers', [-2]],
    ['vit_layers', [-2, -24]],
    ['vit_layers', [23, 1]],
    ['vit_layers', [-2, 21]],
    ['vit_layers', '-2,-9'],
    ['always_start_with_space', 'yes'],
    ['vision_backbone', null],
    ['vision_backbone', []],
    ['vision_backbone.image_default_input_size', [100, 100]],
    ['vision_backbone.image_default_input_size', [336, 672]],
    ['vision_backbone.image_default_input_size', [42, 42]],
    ['vision_backbone.image_default_input_size', [14 * 130, 14 * 130]],
    ['vision_backbone.image_default_input_size', [336]],
    ['vision_backbone.image_default_input_size', 336],
    ['vision_backbone.image_emb_dim', 1022],
    ['vision_backbone.image_head_dim', 32],
    ['vision_backbone.image_mlp_activations', 'gelu'],
    ['vision_backbone.image_mlp_dim', 4094],
    ['vision_backbone.image_model_type', 'siglip'],
    ['vision_backbone.image_norm_eps', 1],
    ['vision_backbone.image_num_heads', 7],
    ['vision_backbone.image_num_key_value_heads', 8],
    ['vision_backbone.image_num_layers', 0],
    ['vision_backbone.image_num_pos', 576],
    ['vision_backbone.image_num_pos', null],
    ['vision_backbone.image_patch_size', 7],
    ['vision_backbone.image_patch_size', 0],
    ['vision_backbone.image_patch_size', '14'],
    ['vision_backbone.resize_mode', 'siglip'],
  ];
  // A value may clash with the field it depends on; then the message names that one.
  const blamed: Record<string, string> = { vocab_size: '(vocab_size|embedding_size)', mlp_ratio: 'mlp_ratio' };
  it.each(wrong)('refuses %s = %j', (field, value) => {
    const parse = () => parse_config(with_field(field, value), 'here/config.json');
    expect(parse).toThrow(InputError);
    expect(parse).toThrow(new RegExp(`^here/config\\.json: ${blamed[field] ?? field}: expected .+, found .+; .+$`));
  });

  it.each([
    [60, 6, 10],
    [2048, 8, 256],
  ])('names heads that kernels cannot take: %i / %i', (d_model, n_heads, size) => {
    expect(() => parse_config({ ...real(), d_model, n_heads }, 'c')).toThrow(
      `n_heads: expected heads of a multiple of 8 up to 128 (d_model / n_heads), found ${size}`,
    );
  });

  it('takes experts of any multiple of 4, as docs/weights.md says', () => {
    expect(parse_config({ ...real(), mlp_hidden_size: 40 }, 'c').expert_hidden).toBe(20);
    expect(() => parse_config({ ...real(), mlp_hidden_size: 36 }, 'c')).toThrow(
      "mlp_hidden_size: expected twice an expert's hidden size, a multiple of 8 from 8 to 131072, found 36",
    );
  });

  it('reads absent optional fields as null, and ignores what it does not know', () => {
    for (const field of ['clip_qkv', 'n_kv_heads', 'head_dim', 'multi_query_attention', 'mlp_hidden_size']) {
      expect(parse_config(with_field(field, undefined), 'c')).toEqual(real_config);
    }
    expect(parse_config({ ...real(), torch_dtype: 'float32', _name_or_path: 'x' }, 'c')).toEqual(real_config);
    expect(parse_config(with_field('embedding_size', null), 'c').embedding_size).toBe(50280);
  });

  it('takes no field from a prototype', () => {
    const { d_model, ...rest } = real();
    const json = JSON.parse(JSON.stringify(rest).replace('{', '{"__proto__":{"d_model":2048},'));
    expect(() => parse_config(json, 'c')).toThrow(/d_model: .* found nothing/);
    expect(() => parse_config(Object.create({ ...rest, d_model }), 'c')).toThrow(InputError);
  });

  it('refuses a file that is no object', () => {
    for (const json of [null, undefined, 1, 'x', [], true]) expect(() => parse_config(json, 'c')).toThrow(InputError);
  });

  it('survives hostile configurations: an InputError of one line, or a config whose numbers fit together', () => {
    const fields = [
      ...Object.keys(real()),
      ...Object.keys(real().vision_backbone as Json).map((k) => `vision_backbone.${k}`),
    ];
    const number = fc.oneof(
      fc.integer({ min: -4, max: 4096 }),
      fc.integer({ min: 1, max: 512 }).map((n) => 8 * n),
      fc.double(),
    );
    const value = fc.oneof(
      { weight: 4, arbitrary: number },
      fc.constantFrom<unknown>(
        null,
        true,
        false,
        undefined,
        '',
        'x\ny',
        [],
        {},
        [-1, -3],
        [0, 2],
        10n,
        '9'.repeat(1e5),
      ),
      fc.jsonValue(),
    );
    let parsed = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...fields), value), { minLength: 1, maxLength: 3 }), (changes) => {
        const json = real();
        for (const [field, changed] of changes) {
          const [parent, child] = field.split('.') as [string, string | undefined];
          const target = child === undefined ? json : (json[parent] as Json);
          if (typeof target === 'object' && target !== null) target[child ?? parent] = changed;
        }
        let config: ModelConfig;
        try {
          config = parse_config(json, 'c');
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).not.toMatch(/[\n\r]/);
          expect((error as Error).message.length).toBeLessThan(500);
          return;
        }
        parsed++;
        expect(config.n_heads * config.head_dim).toBe(config.d_model);
        expect(config.vit.heads * config.vit.head_dim).toBe(config.vit.emb);
        const { d_model, head_dim, expert_hidden, vit } = config;
        for (const size of [d_model, head_dim, expert_hidden, vit.emb, vit.head_dim, vit.mlp]) {
          expect(size > 0 && size % 4 === 0).toBe(true);
        }
        const g = geometry_of(config);
        expect(g.patches_per_side * g.patch_px).toBe(g.crop_px);
        expect(2 * g.cells_per_side).toBe(g.patches_per_side);
        expect(vit.positions).toBe(g.patches + 1);
        expect(g.patch_values % 4).toBe(0);
        expect(g.tile_px > 0 && g.tile_px % (2 * g.patch_px) === 0).toBe(true);
        expect(config.top_k).toBeLessThanOrEqual(config.n_experts);
        for (const block of config.vit_layers) expect(block >= 0 && block < vit.layers).toBe(true);
        expect(parse_config(JSON.parse(JSON.stringify(config_to_json(config))), 'c')).toEqual(config);
      }),
      { numRuns: 5000 },
    );
    expect(parsed).toBeGreaterThan(500);
  });
});

describe('presets', () => {
  it('molmoe-1b is the published configuration', () => {
    expect(preset_config('molmoe-1b')).toEqual(real_config);
  });

  it('molmoe-slice differs from molmoe-1b in depth alone: 2 blocks, 3 of the ViT that count', () => {
    const { n_layers, vit_layers, vit, ...slice } = preset_config('molmoe-slice');
    const { n_layers: _, vit_layers: __, vit: real_vit, ...real } = real_config;
    expect(slice).toEqual(real);
    expect(n_layers).toBe(2);
    expect({ ...vit, layers: 0 }).toEqual({ ...real_vit, layers: 0 });
    // As the real one: the later tap first, the last block dead.
    expect({ vit_layers, layers: vit.layers }).toEqual({ vit_layers: [2, 1], layers: 4 });
  });

  it('molmoe-mini keeps depth, experts, crops and vocabulary', () => {
    const { vit, ...mini } = preset_config('molmoe-mini');
    const same = [
      'n_layers',
      'n_experts',
      'top_k',
      'max_crops',
      'vocab_size',
      'embedding_size',
      'special',
      'vit_layers',
    ] as const;
    for (const key of same) expect(mini[key]).toEqual(real_config[key]);
    expect(mini).toMatchObject({ d_model: 256, n_heads: 2, head_dim: 128, expert_hidden: 128, projector_hidden: 128 });
    expect(vit).toMatchObject({ emb: 128, heads: 2, head_dim: 64, mlp: 512, layers: 23 });
  });

  it.skipIf(!golden_path('model/tiny/config.json'))('molmoe-tiny is the recorded tiny set (model/tiny)', () => {
    expect(preset_config('molmoe-tiny')).toEqual(parse_config(golden_json('model/tiny/config.json'), 'tiny'));
  });

  it('all survive the way to config.json and back', () => {
    for (const name of preset_names) {
      const config = preset_config(name);
      expect(parse_config(config_to_json(config), name)).toEqual(config);
    }
  });

  it('refuses an unknown name', () => {
    for (const name of ['molmo', 'toString', '__proto__']) expect(() => preset_config(name)).toThrow(UsageError);
    expect(() => preset_config('7b')).toThrow(
      /expected one of molmoe-1b, molmoe-slice, molmoe-mini, molmoe-tiny, found "7b"/,
    );
  });
});

describe('tensor_specs', () => {
  type Recorded = Record<string, { shape: number[]; role: string }>;
  const as_recorded = (config: ModelConfig) =>
    tensor_specs(config).map(({ name, shape, role }): [string, Recorded[string]] => [
      name,
      { shape: [...shape], role },
    ]);

  it('are the 3573 tensors of the published configuration, in order', () => {
    expect(as_recorded(real_config)).toEqual(Object.entries(golden_json<Recorded>('model/tensors.json')));
  });

  for (const set of ['tiny', 'odd', 'geo', 'real2', 'tiny-bf16', 'tiny-f16']) {
    it.skipIf(!golden_path(`model/${set}/tensors.json`))(`are those of the recorded set model/${set}`, () => {
      const config = parse_config(golden_json(`model/${set}/config.json`), set);
      expect(as_recorded(config)).toEqual(Object.entries(golden_json<Recorded>(`model/${set}/tensors.json`)));
    });
  }
});

describe('parameter_counts', () => {
  it('are the published ones, part by part', () => {
    expect(parameter_counts(real_config)).toEqual({
      vit: 290_909_184,
      pooling: 7_344_128,
      projector_mlp: 4_194_304,
      pad_embed: 4_096,
      projector: 11_542_528,
      token_embedding: 103_022_592,
      new_embedding: 262_144,
      attention: 16 * 16_777_216,
      norms: 16 * 8_192 + 2_048,
      router: 2_097_152,
      experts: 6_442_450_944,
      lm_head: 103_022_592,
      llm: 6_816_401_408,
      llm_active: 1_179_256_832,
      total_without_head: 7_118_853_120,
      active_without_head: 1_481_708_544,
      total: 7_221_875_712,
      active: 1_584_731_136,
    });
  });

  it.each([
    [1, 474_613_760, 880_088_064],
    [2, 575_277_056, 980_751_360],
    [4, 776_603_648, 1_182_077_952],
    [16, 1_984_563_200, 2_390_037_504],
    [32, 3_595_175_936, 4_000_650_240],
    [64, 6_816_401_408, 7_221_875_712],
  ])('with top_k %i', (top_k, llm_active, active) => {
    expect(parameter_counts(real_config, top_k)).toMatchObject({ llm_active, active });
  });

  it('leave no tensor out', () => {
    for (const name of preset_names) {
      const config = preset_config(name);
      const sum = tensor_specs(config).reduce((n, spec) => n + element_count(spec.shape), 0);
      expect(parameter_counts(config).total).toBe(sum);
    }
  });
});
