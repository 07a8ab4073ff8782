import type { ModelInput, RunOptions } from '../../engine/generate.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import type { Context } from '../../engine/model/context.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { noise } from './noise.ts';
import { run_to_end, some_ids, tiny_config } from './run.ts';

/** So many prompt ids and crops: the same ones each time, for any of the small models. */
export interface Request {
  readonly ids: number;
  readonly crops: number;
  readonly options: RunOptions;
}

/** Nothing a multiple of anything. */
export const ODD_CONFIG = tiny_config({
  ...{ d_model: 72, n_heads: 3, n_layers: 3, mlp_hidden_size: 40, moe_num_experts: 5, moe_top_k: 3 },
  ...{ vocab_size: 323, embedding_size: 331, bos_token_id: 322, eos_token_id: 322 },
  vision_backbone: {
    image_emb_dim: 48,
    image_num_heads: 3,
    image_num_key_value_heads: 3,
    image_num_layers: 9,
    image_mlp_dim: 100,
  },
});

/** Inputs of whole groups of 32, and nothing else a multiple of much: what quantised weights can have. */
export const QUANTISED_CONFIG = tiny_config({
  ...{ d_model: 96, n_heads: 3, n_layers: 3, mlp_hidden_size: 64, moe_num_experts: 5, moe_top_k: 3 },
  ...{ vocab_size: 323, embedding_size: 331, bos_token_id: 322, eos_token_id: 322 },
  vision_backbone: {
    image_emb_dim: 96,
    image_num_heads: 6,
    image_num_key_value_heads: 6,
    image_num_layers: 9,
    image_mlp_dim: 160,
  },
});

/** Crops of noise, partly padded; the last of several is padding altogether. Some cells go to a prompt row. */
export function some_crops(config: ModelConfig, count: number, ids: number): NonNullable<ModelInput['crops']> {
  const { patches, patch_values, cells } = geometry_of(config);
  const images = noise(count * patches * patch_values, count);
  if (count > 2) images.fill(-1, (count - 1) * patches * patch_values);
  const masks = noise(count * patches, 9).map((x) => (x < -0.5 ? 0 : x < 0 ? 0.4 : 1));
  const index = Int32Array.from({ length: count * cells }, (_, cell) => {
    const row = cell / 7;
    return Number.isInteger(row) && row < ids ? row : -100;
  });
  return { count, images, masks, index };
}

/** The tokens, and the bits of the logits they were chosen from. */
export async function run_request(ctx: Context, { ids, crops, options }: Request) {
  const input = { ids: some_ids(ids, 300), ...(crops > 0 ? { crops: some_crops(ctx.config, crops, ids) } : {}) };
  const { tokens, logits } = await run_to_end(ctx, input, options);
  return { tokens, bits: logits.map((row) => new Uint32Array(row.buffer)) };
}
