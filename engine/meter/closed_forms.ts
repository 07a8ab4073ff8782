import type { ModelConfig } from '../model/config.ts';
import { geometry_of } from '../model/geometry.ts';

/** What FLOPs depend on. */
export interface FlopRequest {
  /** Crops the encoder sees, the overview included; 0 without a picture. */
  readonly views: number;
  readonly prompt_tokens: number;
  /** The first comes out of prefill; each further one is a decode step. */
  readonly new_tokens: number;
  /** Experts a token takes: one number for every block, or one a block with 0 where the block is skipped. */
  readonly top_k?: number | readonly number[];
  /** Tokens of the prompt that hold a cell of the picture, and the experts those take, where it is not the same. */
  readonly vision_tokens?: number;
  readonly top_k_vision?: number | readonly number[];
  /** Also counts the ViT blocks whose output nobody reads, as implementations that run them spend it. */
  readonly keep_dead_blocks?: boolean;
  /** Counts masked pairs of prefill attention too, as implementations that mask a full square spend it. */
  readonly full_square?: boolean;
}

export type LanguageFlops = Readonly<
  Record<'attention_projections' | 'attention_scores' | 'router' | 'experts' | 'head', number>
>;

export interface ClosedForm {
  readonly vision_encoder: Readonly<
    Record<'patch_embed' | 'attention_projections' | 'attention_scores' | 'mlp', number>
  >;
  readonly projector: Readonly<Record<'pooling_projections' | 'pooling_scores' | 'mlp', number>>;
  readonly prefill: LanguageFlops;
  readonly decode: LanguageFlops;
  readonly totals: Readonly<Record<'vision_encoder' | 'projector' | 'prefill' | 'decode' | 'all', number>>;
}

/**
 * Exact FLOPs of a request, 2 a multiply-add, matrix work only, written down from the model's mathematics without looking
 * at any kernel: what the ledger counts must equal this to the last digit.
 */
export function closed_form_flops(config: ModelConfig, request: FlopRequest): ClosedForm {
  const { views, prompt_tokens, new_tokens } = request;
  const plan = block_plan(config, request.top_k);
  const steps = Math.max(0, new_tokens - 1);
  const vision_encoder = vision_flops(config, views, request.keep_dead_blocks === true);
  const projector = projector_flops(config, geometry_of(config).cells * views);
  const pairs = request.full_square ? prompt_tokens ** 2 : (prompt_tokens * (prompt_tokens + 1)) / 2;
  const vision = { tokens: request.vision_tokens ?? 0, plan: block_plan(config, request.top_k_vision ?? plan) };
  const prefill = language_flops(config, plan, { tokens: prompt_tokens, pairs, scored: 1, vision });
  // Step s attends to the prompt and the s tokens before and at it.
  const decode_pairs = steps * prompt_tokens + (steps * (steps + 1)) / 2;
  const decode = language_flops(config, plan, { tokens: steps, pairs: decode_pairs, scored: steps });
  const totals = {
    vision_encoder: sum(vision_encoder),
    projector: sum(projector),
    prefill: sum(prefill),
    decode: sum(decode),
  };
  return { vision_encoder, projector, prefill, decode, totals: { ...totals, all: sum(totals) } };
}

/** FLOPs of one decode step that attends to `keys` positions, its own included. */
export const decode_step_flops = (config: ModelConfig, keys: number, top_k?: FlopRequest['top_k']): LanguageFlops =>
  language_flops(config, block_plan(config, top_k), { tokens: 1, pairs: keys, scored: 1 });

function vision_flops({ vit, vit_layers }: ModelConfig, views: number, keep_dead_blocks: boolean) {
  const { emb, positions, mlp, patch } = vit;
  const blocks = keep_dead_blocks ? vit.layers : Math.max(...vit_layers) + 1;
  return {
    patch_embed: views * 2 * (positions - 1) * (3 * patch ** 2) * emb,
    attention_projections: blocks * views * 8 * positions * emb ** 2,
    attention_scores: blocks * views * 4 * positions ** 2 * emb,
    mlp: blocks * views * 4 * positions * emb * mlp,
  };
}

/** Queries and outputs are one a cell, keys and values four; then a gated MLP of three matrices. */
function projector_flops({ vit: { emb }, vit_layers, projector_hidden, d_model }: ModelConfig, cells: number) {
  const features = vit_layers.length * emb;
  return {
    pooling_projections: 2 * cells * features * emb + 2 * (2 * 4 * cells * features * emb) + 2 * cells * emb ** 2,
    pooling_scores: 4 * 4 * cells * emb,
    mlp: 2 * cells * (2 * emb * projector_hidden + projector_hidden * d_model),
  };
}

function language_flops(
  config: ModelConfig,
  plan: readonly number[],
  {
    tokens,
    pairs,
    scored,
    vision,
  }: {
    readonly tokens: number;
    readonly pairs: number;
    readonly scored: number;
    /** Those of the tokens that take other experts. */
    readonly vision?: { readonly tokens: number; readonly plan: readonly number[] };
  },
): LanguageFlops {
  const { d_model, n_experts, expert_hidden, embedding_size } = config;
  const blocks = plan.filter((k) => k > 0).length;
  const experts = (of: readonly number[]) => of.reduce((total, k) => total + k, 0);
  const other = vision?.tokens ?? 0;
  const token_experts = experts(plan) * (tokens - other) + experts(vision?.plan ?? []) * other;
  return {
    attention_projections: blocks * 8 * tokens * d_model ** 2,
    attention_scores: blocks * 4 * pairs * d_model,
    router: blocks * 2 * tokens * d_model * n_experts,
    experts: token_experts * 2 * 3 * d_model * expert_hidden,
    head: 2 * d_model * embedding_size * scored,
  };
}

/** Experts a token takes in each block, 0 where it is skipped. */
export function block_plan(
  { n_layers, top_k: own }: ModelConfig,
  top_k: FlopRequest['top_k'] = own,
): readonly number[] {
  return typeof top_k === 'number' ? new Array<number>(n_layers).fill(top_k) : top_k;
}

const sum = (parts: Readonly<Record<string, number>>): number =>
  Object.values(parts).reduce((total, part) => total + part, 0);
