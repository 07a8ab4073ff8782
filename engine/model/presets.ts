import { UsageError } from '../errors.ts';
import { fixed_config_json, type JsonObject, type ModelConfig, merge_config, parse_config } from './config.ts';

const molmoe_1b = {
  d_model: 2048,
  n_heads: 16,
  n_layers: 16,
  moe_num_experts: 64,
  moe_top_k: 8,
  mlp_ratio: 1,
  vocab_size: 50280,
  embedding_size: 50304,
  additional_vocab_size: 128,
  pad_token_id: 1,
  layer_norm_eps: 1e-5,
  rope_theta: 10000,
  max_sequence_length: 4096,
  max_position_embeddings: 32768,
  vit_layers: [-2, -9],
  max_crops: 12,
  overlap_margins: [4, 4],
  always_start_with_space: true,
  vision_backbone: {
    image_emb_dim: 1024,
    image_num_heads: 16,
    image_num_layers: 23,
    image_mlp_dim: 4096,
    image_norm_eps: 1e-5,
    image_default_input_size: [336, 336],
    image_patch_size: 14,
    image_pos_patch_size: 14,
    image_num_pos: 577,
  },
};

const overrides = {
  'molmoe-1b': {},
  /**
   * The real model cut in depth alone: 2 of 16 blocks, and of the ViT 3 of the 22 that count, with two taps and a dead block
   * behind them as it has. Blocks are alike, so the whole model's time follows from it; from thinner ones it does not.
   */
  'molmoe-slice': { n_layers: 2, vit_layers: [-2, -3], vision_backbone: { image_num_layers: 4 } },
  /** Real depth, experts, crops and vocabulary, so that every knob has its real range; thin enough for any machine. */
  'molmoe-mini': {
    d_model: 256,
    n_heads: 2,
    vision_backbone: { image_emb_dim: 128, image_num_heads: 2, image_mlp_dim: 512 },
  },
  /** For tests. */
  'molmoe-tiny': {
    d_model: 64,
    n_heads: 4,
    n_layers: 4,
    moe_num_experts: 8,
    moe_top_k: 2,
    vocab_size: 500,
    embedding_size: 512,
    vision_backbone: { image_emb_dim: 64, image_num_heads: 4, image_num_layers: 10, image_mlp_dim: 128 },
  },
};

export type PresetName = keyof typeof overrides;

/** The preset that another is cut from in depth. */
const WHOLES: Readonly<Partial<Record<PresetName, PresetName>>> = { 'molmoe-slice': 'molmoe-1b' };

export const whole_of = (name: string): PresetName | undefined => WHOLES[name as PresetName];

export const preset_names = Object.keys(overrides) as PresetName[];

/** The parts that a preset's config.json is put together from, the first below the others. */
export function preset_layers(name: string): readonly { readonly from: string; readonly json: JsonObject }[] {
  if (!Object.hasOwn(overrides, name)) {
    throw new UsageError(
      `preset: expected one of ${preset_names.join(', ')}, found ${JSON.stringify(name)}; choose one`,
    );
  }
  const own = { from: `preset ${name}`, json: overrides[name as PresetName] };
  const whole = { from: 'preset molmoe-1b', json: molmoe_1b };
  return [{ from: 'the architecture', json: fixed_config_json() }, whole, ...(name === 'molmoe-1b' ? [] : [own])];
}

export function preset_config(name: string): ModelConfig {
  const json = preset_layers(name).reduce<JsonObject>((base, layer) => merge_config(base, layer.json), {});
  return parse_config(json, `preset ${name}`);
}
