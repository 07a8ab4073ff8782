import {
  type Configuration,
  type KernelRow,
  PARTS,
  type Provenance,
  type Run,
  type Sample,
  type StageName,
} from '../../experiments/lab/schema.ts';
import { noise } from './noise.ts';

/** Results as an experiment would write them, with made-up but repeatable numbers: for tests of what reads results. */
const REGIMES = {
  low: { image_size: '336x336', tiling: [1, 1], inserted: 288, special: 28 },
  medium: { image_size: '560x560', tiling: [2, 2], inserted: 544, special: 36 },
  high: { image_size: '1008x784', tiling: [3, 4], inserted: 1152, special: 44 },
} as const;
const PROMPTS = { short: 20, medium: 40, long: 128 } as const;
const DECODES = { short: 8, medium: 32, long: 128 } as const;

export const PROVENANCE: Provenance = {
  package_version: '0.1.0',
  commit: '0123456789abcdef0123456789abcdef01234567',
  dirty: false,
  build: 'feedbeef',
  adapter: {
    vendor: 'mesa',
    architecture: '',
    device: 'llvmpipe',
    description: 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1',
    type: 'software',
    subgroup_min_size: 8,
    subgroup_max_size: 8,
    features: ['shader-f16', 'subgroups', 'timestamp-query'],
  },
  backend: 'vulkan',
  toggles: { enable: ['allow_unsafe_apis'], disable: ['timestamp_quantization'] },
  mode: 'release',
  variant: 'auto',
  tuning: { from: 'off', choices: {} },
  model: {
    name: 'molmoe-mini',
    weights: 'synthetic, seed 1',
    weights_kind: 'synthetic',
    seed: 1,
    weights_digest: null,
    dtype: 'f16',
    tokenizer: 'bytes',
    layers: 16,
    experts: 64,
    parameters: { params_vision_encoder: 4_800_000, params_llm: 240_000_000 },
  },
  host: { name: 'bench', os: 'linux 6.1', cpu: 'some CPU', cores: 2, memory_bytes: 24e9, node: 'v20.20.2' },
};

const COUNTS = {
  dispatches: 100,
  flops: 0,
  executed_flops: 0,
  other_ops: 1e6,
  weight_bytes: 1e8,
  read_bytes: 5e7,
  written_bytes: 2e7,
  kv_bytes: 1e6,
};

export function fake_configuration(
  regime: keyof typeof REGIMES,
  prompt: keyof typeof PROMPTS,
  decode: keyof typeof DECODES,
  runs = 10,
  slower = 1,
): Configuration {
  const { image_size, tiling, inserted, special } = REGIMES[regime];
  const [rows, cols] = tiling;
  const num_crops = rows * cols + 1;
  const text = PROMPTS[prompt];
  const steps = DECODES[decode] - 1;
  const prompt_length = 1 + inserted + special + text;
  const jitter = noise(1000, num_crops * 31 + text + steps);
  const flops: Record<StageName, number> = {
    vision_encoder: num_crops * 8.8e9,
    projector: num_crops * 1.1e8,
    prefill: prompt_length * 4e7,
    decode: steps * 7e7,
  };
  const samples = Array.from({ length: runs }, (_, run): Sample => {
    const near = (ms: number, i: number) => slower * ms * (1 + 0.02 * (jitter[run * 8 + i] as number));
    const T_vision_encoder = near(num_crops * 300, 0);
    const T_projector = near(num_crops * 4, 1);
    const T_LLM_prefill = near(prompt_length * 1.75, 2);
    const T_decode_per_step = Array.from({ length: steps }, (_, i) => near(24, 3 + (i % 4)));
    const T_LLM_decode = T_decode_per_step.reduce((sum, x) => sum + x, 0);
    const T_gaps = 1.5;
    const T_total = T_vision_encoder + T_projector + T_LLM_prefill + T_LLM_decode + T_gaps;
    return {
      T_data_processing: near(90, 7),
      T_vision_encoder,
      T_projector,
      T_vision_total: T_vision_encoder + T_projector,
      T_LLM_prefill,
      T_LLM_decode,
      T_decode_per_step,
      T_decode_per_token: T_LLM_decode / steps,
      T_first_token: near(90, 7) + T_vision_encoder + T_projector + T_LLM_prefill,
      T_total,
      T_system_total: T_total + near(90, 7),
      T_gaps,
    };
  });
  const ms = (samples[0] as Sample).T_total;
  const row = (stage: StageName, part: KernelRow['part'], kernel: string, share: number): KernelRow => ({
    ...COUNTS,
    stage,
    part,
    kernel,
    variant: 'lanes',
    flops: flops[stage] * share,
    executed_flops: flops[stage] * share * 1.1,
    gpu_ms: stage_ms(stage) * share,
    floor_ms: stage_ms(stage) * share * 0.4,
    bound: stage === 'decode' ? 'memory' : 'compute',
  });
  const first = samples[0] as Sample;
  const stage_ms = (stage: StageName): number =>
    ({
      vision_encoder: first.T_vision_encoder as number,
      projector: first.T_projector as number,
      prefill: first.T_LLM_prefill as number,
      decode: first.T_LLM_decode as number,
    })[stage];
  const kernels = [
    row('vision_encoder', 'attention', 'attention', 0.6),
    row('vision_encoder', 'mlp', 'matmul', 0.3),
    row('vision_encoder', 'norm', 'norm', 0.06),
    row('vision_encoder', 'embed', 'vit_embed', 0.04),
    row('projector', 'pooling', 'pool_attention', 0.5),
    row('projector', 'mlp', 'matmul', 0.5),
    row('prefill', 'attention', 'attention', 0.3),
    row('prefill', 'moe_routing', 'moe_route', 0.05),
    row('prefill', 'moe_experts', 'expert_matmul', 0.55),
    row('prefill', 'norm', 'norm', 0.06),
    row('prefill', 'head', 'matvec', 0.04),
    row('decode', 'attention', 'attention_decode', 0.4),
    row('decode', 'moe_routing', 'moe_route', 0.1),
    row('decode', 'moe_experts', 'expert_gate_up', 0.3),
    row('decode', 'norm', 'norm', 0.05),
    row('decode', 'head', 'matvec', 0.15),
  ];
  const stages = (Object.keys(flops) as StageName[]).map((stage) => ({
    stage,
    gpu_ms: stage_ms(stage) * 0.96,
    span_ms: stage_ms(stage) * 0.97,
  }));
  let at = 0;
  const strip = kernels.flatMap(({ stage, part, gpu_ms }) =>
    Array.from({ length: 16 }, (_, layer): [number, number, number, number, number] => {
      const begin = at;
      at += gpu_ms / 16;
      const stage_index = (Object.keys(flops) as StageName[]).indexOf(stage);
      return [stage_index, layer, PARTS.indexOf(part), begin, gpu_ms / 16];
    }),
  );
  return {
    schema: 'molmoe.configuration/2',
    experiment: 'e1',
    key: `${regime}_${prompt}_${decode}`,
    run: 'abcdef',
    settings: { regime, prompt, decode },
    knobs: {},
    asked: 'feed',
    prompt: 'What is this?',
    image: `rings ${image_size}`,
    started: '2026-01-01T00:00:00.000Z',
    ended: '2026-01-01T00:01:00.000Z',
    tokens: {
      image_size,
      tiling: [rows, cols],
      num_crops,
      vit_patches: 576 * num_crops,
      pooled_vision_tokens: 144 * num_crops,
      inserted_vision_tokens: inserted,
      special_image_tokens: special,
      text_tokens: text,
      prompt_length,
      num_output_tokens: steps + 1,
      decode_steps: steps,
    },
    clean: { clock: 'host wall time between fences', samples },
    methods: [],
    instrumented: {
      clock: 'GPU timestamps, a pass a kernel',
      anchor_error_ms: 0.4,
      self_test_ratio: 3.9,
      runs: [
        {
          wall_ms: ms * 1.05,
          span_ms: ms * 1.02,
          sum_ms: ms,
          gaps_ms: ms * 0.02,
          stages,
          parts: kernels.map(({ stage, part, gpu_ms }) => ({ stage, part, gpu_ms })),
          faults: { negative: 0, zero: 0, quantised: false },
        },
      ],
      kernels,
      strip: {
        columns: ['stage', 'layer', 'part', 'begin_ms', 'gpu_ms'],
        rows: strip,
      },
    },
    counters: Object.fromEntries(
      Object.entries(flops).map(([stage, value]) => [stage, { ...COUNTS, flops: value, executed_flops: 1.1 * value }]),
    ),
    flops: {
      exact: flops,
      legacy: {
        S1: { ...flops, prefill: flops.prefill * 5.8, decode: flops.decode * 5.8 },
        S4: { ...flops, prefill: flops.prefill * 36_000, decode: flops.decode * prompt_length },
      },
    },
    routing: {
      layers: Array.from({ length: 16 }, (_, layer) => ({
        layer,
        pairs: Array.from({ length: 64 }, (_, e) =>
          Math.round((prompt_length / 8) * (1 + 0.5 * (jitter[layer * 8 + (e % 8)] as number))),
        ),
      })),
      imbalance: 1.4,
    },
    requests: [],
    memory: { weights: 4e8, kv: 1e6, activations: 5e7, tables: 1e4, staging: 2e6, total: 4.5e8 },
    scaled: null,
    warnings: [],
  };
}

export const FAKE_RUN: Run = {
  schema: 'molmoe.run/1',
  experiment: 'e1',
  fingerprint: {
    provenance: PROVENANCE,
    protocol: {
      batch: 1,
      warmup: 3,
      runs: 10,
      instrumented: 1,
      order: 'fixed',
      order_seed: null,
      method: 'direct',
      tokens_per_readback: 1,
    },
    knobs: {},
  },
  run: 'abcdef',
  started: '2026-01-01T00:00:00.000Z',
  ceilings: {
    schema: 'molmoe.ceilings/1',
    adapter: PROVENANCE.adapter.description,
    date: '2026-01-01T00:00:00.000Z',
    build: 'feedbeef',
    fma_f32_flops: 110e9,
    fma_f16_flops: 60e9,
    matrix_f16_flops: null,
    stream_read_bytes: 12e9,
    stream_write_bytes: 8e9,
    cache_read_bytes: 20e9,
    cache_bytes: 16 * 2 ** 20,
    dispatch_ms: 0.006,
    readback_ms: 0.15,
  },
};

/** The fifteen cells of the default plan. */
export function fake_configurations(slower = 1): Configuration[] {
  const cells = new Map<string, Configuration>();
  for (const regime of ['low', 'medium', 'high'] as const) {
    for (const decode of ['short', 'medium', 'long'] as const) {
      const one = fake_configuration(regime, 'short', decode, 10, slower);
      cells.set(one.key, one);
    }
    for (const prompt of ['medium', 'long'] as const) {
      const one = fake_configuration(regime, prompt, 'short', 10, slower);
      cells.set(one.key, one);
    }
  }
  return [...cells.values()];
}
