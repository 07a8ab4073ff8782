/** Files of the original study with every key that its documents and programs give, and made-up numbers. */

const near = (i: number): number => 1 + 0.02 * Math.sin(7 * i);

const FLOPS = {
  flops_vision: 7.3e11,
  flops_projector: 1.4e10,
  flops_llm_prefill: 7e11,
  flops_llm_decode: 0,
  flops_total: 1.5e12,
};

/** A prompt pass over a picture of one row of k crops. */
export function pass(k: number, over: object = {}): Record<string, unknown> {
  const T_vision_encoder = 9 * (k + 1) * near(k);
  const T_LLM_prefill = 40 + 0.2 * (192 + 96 * k) * near(k + 1);
  return {
    num_crops: k + 1,
    num_vision_tokens: 192 + 96 * k,
    num_language_tokens: 10,
    num_total_tokens: 202 + 96 * k,
    T_data_processing: null,
    T_vision_encoder,
    T_vision_total: T_vision_encoder + 1.5,
    T_projector: 1.5,
    T_vision: T_vision_encoder + 1.5,
    T_LLM_prefill,
    T_LLM_decode: null,
    T_total: T_vision_encoder + 1.5 + T_LLM_prefill,
    ...FLOPS,
    image_id: 42,
    example_id: 7,
    answers: null,
    image_size: [224 * k + 112, 336],
    T_system_total: null,
    ...over,
  };
}

export const stats = (ms: number) => ({
  P50: ms,
  P95: 1.1 * ms,
  P99: 1.2 * ms,
  mean: 1.02 * ms,
  std: 0.05 * ms,
  min: 0.9 * ms,
  max: 1.3 * ms,
});

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const unmeasured = {
  T_vision_encoder: null,
  T_vision_total: null,
  T_projector: null,
  T_vision: null,
  T_LLM_prefill: null,
};
const answer = (n: number, query_id = 0) =>
  pass(6, {
    ...{ query_id, max_new_tokens: n, num_output_tokens: n, T_LLM_decode: 36 * (n - 1) * near(query_id) },
    ...{
      T_total: 250 + 36 * (n - 1),
      generated_text: 'a cat',
      generated_text_full: 'a cat</s>',
      generated_text_preview: 'a cat',
    },
  });
const sample = (over: object) => ({ sample_id: 0, num_input_text_tokens: 10, ...pass(1), ...over });
const blocks = (n: number) => ({ num_active_blocks: n, num_total_blocks: 16, active_block_indices: range(n) });

const LENGTHS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
const answers = { results: LENGTHS.flatMap((n) => range(3).map((query) => answer(n, query))), use_eos_token: false };
const passes = range(40).map((i) => pass(1 + (i % 12)));

/** By file name; each as its program wrote it. */
export const STUDY: Readonly<Record<string, unknown>> = {
  exp1_latency_distribution: {
    results: range(500).map((i) =>
      pass(1 + (i % 12), {
        ...unmeasured,
        T_data_processing: 12,
        T_total: 250 * near(i) + (i % 50),
        T_system_total: 300,
      }),
    ),
  },
  exp2_component_profiling: {
    results: passes,
    average_latencies: {
      T_vision_encoder: 62.1,
      T_vision_total: 63.6,
      T_projector: 1.5,
      T_LLM_prefill: 201.4,
      T_total: 265,
    },
    parameters: {
      ...{ params_vision_encoder: 289e6, params_projector: 14e6, params_connector: 0, params_llm: 6.82e9 },
      ...{ params_llm_active: 1.2e9, params_llm_total: 6.82e9, moe_num_experts: 64, moe_top_k: 8 },
      ...{ moe_expert_params: 6.44e9, moe_gate_params: 2.1e6, params_total: 7.12e9, params_active: 1.5e9 },
    },
  },
  exp3_vision_tokens_vs_latency: {
    results: range(12).map((i) => ({ resolution: `${224 * i + 336}x336`, grid: `1×${i + 1}`, ...pass(i + 1) })),
  },
  exp4_language_tokens_vs_latency: answers,
  exp4_language_tokens_vs_latency_no_eos: answers,
  exp4_language_tokens_vs_latency_with_eos: { ...answers, use_eos_token: true },
  exp5_flops_vs_latency: {
    exp3: {
      flops: range(12).map((i) => 1e12 * (i + 1)),
      latencies: range(12).map((i) => 80 + 20 * i),
      vision_tokens: range(12).map((i) => 288 + 96 * i),
    },
    exp4: {
      flops: LENGTHS.map((n) => 5e12 + 1.4e10 * n),
      latencies: LENGTHS.map((n) => 250 + 36 * n),
      output_tokens: LENGTHS,
    },
    statistics: { exp3: { r_squared: 0.99 }, exp4: { r_squared: 0.999 } },
  },
  exp6_crop_overlap_analysis: {
    results: range(3).map((i) => ({
      ...{
        image_id: 100 + i,
        example_id: i,
        original_size: { height: 300, width: 400 },
        resized_size: { height: 560, width: 784 },
      },
      ...{
        tiling: { rows: 2, cols: 3, total_crops: 6 },
        crop_config: { max_crops: 12 },
        crops: [],
        crop_image_paths: [],
      },
      overlap_statistics: {
        ...{ total_patch_area: 3456, unique_patch_area: 800 + 100 * i, overlap_ratio: 0.7, redundancy_ratio: 0.3 },
        ...{ overlapping_patches: 500, avg_overlap_count: 2.1 },
      },
    })),
    summary: {
      num_analyzed: 3,
      max_size_threshold: 500,
      num_samples_searched: 100,
      exp2_results_path: null,
      num_images: 5,
    },
  },
  exp1_context_scaling_results: {
    summary: range(12).map((i) => ({
      ...stats(60 + 20 * i),
      resolution: 'x',
      grid: `1×${i + 1}`,
      num_crops: i + 2,
      num_vision_tokens: 288 + 96 * i,
    })),
    all_samples: range(36).map((i) => sample({ ...pass(1 + (i % 12)), grid: 'x', resolution: 'x' })),
  },
  exp2_moe_topk_results: {
    summary: [1, 2, 4, 8].map((k) => ({ top_k: k, prefill: stats(50 + 8 * k), decode: stats(300 + 10 * k) })),
    all_samples: [1, 2, 4, 8].map((k) => sample({ top_k: k, T_LLM_decode: 300 + 10 * k })),
  },
  exp3_transformer_blocks_mask_results: {
    summary: [4, 8, 12, 16].map((n) => ({ ...blocks(n), prefill: stats(8 * n + 10), decode: stats(3 * n) })),
    all_samples: [4, 8, 12, 16].map((n) => sample({ ...blocks(n), T_LLM_decode: 3 * n })),
  },
  exp_layer_skipping_results: [6, 12].map((n) => ({ num_layers: n, prefill: stats(8 * n), decode: stats(3 * n) })),
  exp4_output_tokens_scaling_results: {
    summary: [1, 5, 10, 20].map((n) => ({
      max_new_tokens: n,
      decode: stats(36 * (n - 1)),
      total: stats(120 + 36 * (n - 1)),
    })),
    all_samples: [1, 5, 10, 20].map((n) =>
      sample({ max_new_tokens: n, num_output_tokens: n, T_LLM_decode: 36 * (n - 1) }),
    ),
  },
  flops_scaling_analysis: {
    1: { mean: 50, median: 49, std: 1, min: 48, max: 55 },
    8: { mean: 90, median: 88, std: 2, min: 85, max: 99 },
  },
  'coco-2014-vqa_imgsizetier-low_crops3_topk8_blocks16': {
    ...{
      tier: 'low',
      tier_range: { min_crops: 1, max_crops: 3 },
      max_crops: 3,
      top_k: 8,
      num_active_blocks: 16,
      num_total_blocks: 16,
    },
    ...{ num_samples: 1000, accuracy: 0.7, per_sample_results: [] },
    latency_stats: {
      T_vision_total_mean: 50,
      T_vision_total_std: 5,
      T_LLM_prefill_mean: 60,
      T_LLM_decode_mean: 200,
      T_total_mean: 310,
    },
  },
};

/** The older file of the same name: a plain list over text lengths. */
export const CONTEXT_TEXT = range(15).map((i) => ({ ...stats(70 + 12 * i), num_input_tokens: 50 + 100 * i }));
