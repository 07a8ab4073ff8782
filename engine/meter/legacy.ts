import type { ModelConfig } from '../model/config.ts';
import { geometry_of } from '../model/geometry.ts';
import { parameter_counts } from '../model/tensors.ts';

/**
 * FLOP formulas and parameter counts as published profiles of this model state them. They are kept to show how far they
 * are from what runs (closed_forms.ts); nothing here is used to judge speed.
 */
export interface LegacyRequest {
  /** Crops the encoder sees, the overview included. */
  readonly views: number;
  readonly prompt_tokens: number;
  readonly new_tokens: number;
  /** For `parameters: 'active'` and the active counts: the model's own where left out. */
  readonly top_k?: number;
  /** The formulas count all experts of a block, as if each token went through every one; `active` counts what it takes. */
  readonly parameters?: 'total' | 'active';
}

export type LegacyStages = Readonly<Record<'vision_encoder' | 'projector' | 'prefill' | 'decode', number>>;

export interface LegacyFlops {
  /** The motivation document, and the code that follows it. */
  readonly S1: LegacyStages;
  /** The document of experiment E1. */
  readonly S4: LegacyStages;
}

/**
 * By stage, both formulas:
 * - vision_encoder, both: ViT parameters x patches x 2. Takes every parameter for a matrix that each patch passes once:
 *   counts position tables, leaves out attention's scores; 8 % low.
 * - projector, S1: MLP parameters x 2, as for one token: hundreds of times low. S4: x pooled tokens x 2. Neither knows
 *   attention pooling, five sixths of the work.
 * - prefill, S1: language parameters x prompt x 2, with all 64 experts where a token takes 8: 6 times high; scores are left
 *   out. S4 adds parameters x prompt^2 x 2, which no computation does: attention's square has layers x width, not every
 *   parameter; thousands of times high.
 * - decode, S1: parameters x new tokens x 2: all experts again, one step too many, no cache. S4: parameters x sequence
 *   length x 2 for each step, as if every step went through the whole sequence again: hundreds to thousands of times high.
 */
export function legacy_flops(config: ModelConfig, request: LegacyRequest): LegacyFlops {
  const { views, prompt_tokens, new_tokens, top_k, parameters = 'total' } = request;
  const count = parameter_counts(config, top_k);
  const llm = parameters === 'total' ? count.llm : count.llm_active;
  const steps = Math.max(0, new_tokens - 1);
  const sequence_lengths = steps * prompt_tokens + (steps * (steps + 1)) / 2; // summed over the steps
  const { patches, cells } = geometry_of(config);
  const vision_encoder = 2 * count.vit * patches * views;
  return {
    S1: {
      vision_encoder,
      projector: views > 0 ? 2 * count.projector_mlp : 0,
      prefill: 2 * llm * prompt_tokens,
      decode: 2 * llm * new_tokens,
    },
    S4: {
      vision_encoder,
      projector: 2 * count.projector * cells * views,
      prefill: 2 * llm * prompt_tokens ** 2 + 2 * llm * prompt_tokens,
      decode: 2 * llm * sequence_lengths,
    },
  };
}

/** Parameters under the names of published profiles. Their totals leave the output head out: true ones stand beside. */
export function repository_parameters(config: ModelConfig, top_k = config.top_k) {
  const count = parameter_counts(config, top_k);
  return {
    params_vision_encoder: count.vit,
    /** MLP, attention pooling and padding embeddings. */
    params_projector: count.projector,
    /** What one document means by the projector: its MLP alone. */
    params_image_projector: count.projector_mlp,
    params_connector: 0,
    params_llm: count.llm,
    params_llm_active: count.llm_active,
    params_llm_total: count.llm,
    moe_num_experts: config.n_experts,
    moe_top_k: top_k,
    moe_expert_params: count.experts,
    moe_gate_params: count.router,
    params_total: count.total_without_head,
    params_active: count.active_without_head,
    params_lm_head: count.lm_head,
    true_total: count.total,
    true_active: count.active,
  };
}
