import { vision_counts } from '../../engine/input/layout.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { own_levels, type Setting, spread, TILINGS, tiling_of } from '../../experiments/estimator/spread.ts';
import { key_of } from '../../experiments/lab/plan.ts';
import { random_numbers } from '../../experiments/lab/random.ts';
import {
  type Configuration,
  type KernelRow,
  type Run,
  type Sample,
  STAGES,
  type StageName,
} from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration } from './records.ts';

/** Results of E3 on adapters that are made up: what time each kernel takes is known, and hidden from what is tested. */

/** How many times longer than the ceilings allow each kernel takes, what a launch and a pass cost, and how runs vary. */
export interface Truth {
  readonly slower: Readonly<Record<string, number>>;
  readonly launch_ms: number;
  readonly pass_ms: number;
  /** Deviation of a run's logarithm. */
  readonly noise: number;
  /** Runs that something else disturbs, and how much longer they take. */
  readonly disturbed?: { readonly share: number; readonly times: number };
}

export const LLVMPIPE: Truth = {
  slower: {
    matmul: 2.6,
    attention: 3.4,
    expert_matmul: 2.9,
    norm_matvec: 2,
    expert_gate_up: 2.4,
    attention_decode: 3,
    rms_norm: 4,
  },
  launch_ms: 0.03,
  pass_ms: 2,
  noise: 0.03,
};
/** Barriers are dear there: other proportions, and all of it slower. */
export const SWIFTSHADER: Truth = {
  slower: {
    matmul: 30,
    attention: 260,
    expert_matmul: 45,
    norm_matvec: 5,
    expert_gate_up: 8,
    attention_decode: 60,
    rms_norm: 900,
  },
  launch_ms: 0.05,
  pass_ms: 5,
  noise: 0.03,
};

const config = preset_config('molmoe-mini');
const { vit, d_model, expert_hidden, n_experts, embedding_size } = config;
const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
export const E3_SUBJECT = { config, tokenizer, asked: {}, tokens_per_readback: 1 };

export const settings_of = (count: number, seed: number): Setting[] =>
  spread(
    config,
    { ...own_levels(config), image: TILINGS, prompt: [20, 60, 150, 400], answer: [2, 8, 24, 64] },
    count,
    seed,
  );

/** Levels that no other draw has. */
export const fresh_settings = (count: number): Setting[] =>
  spread(
    config,
    {
      image: ['none', '1x1', '2x2', '3x3'],
      max_crops: [4, 9],
      prompt: [35, 90, 250],
      answer: [5, 14, 40],
      top_k: [3, 6, 12],
      blocks: [6, 10, 14],
    },
    count,
    7,
  );

const ROOF = FAKE_RUN.ceilings as NonNullable<Run['ceilings']>;

type Row = Pick<KernelRow, 'stage' | 'kernel' | 'dispatches' | 'executed_flops' | 'weight_bytes' | 'read_bytes'>;

/** Kernels of a request, by the mathematics alone. */
function rows_of(setting: Setting, views: number, positions: number): Row[] {
  const { blocks, top_k, answer } = setting;
  const plan = Array.from({ length: config.n_layers }, (_, block) => (block < blocks ? top_k : 0));
  const steps = answer - 1;
  const { vision_encoder, projector, prefill, decode } = closed_form_flops(config, {
    ...{ views, prompt_tokens: positions, new_tokens: answer, top_k: plan },
  });
  const row = (
    stage: StageName,
    kernel: string,
    dispatches: number,
    flops: number,
    weights: number,
    read: number,
  ): Row => ({
    ...{ stage, kernel, dispatches, executed_flops: flops, weight_bytes: weights, read_bytes: read },
  });
  const vit_blocks = 22;
  const met = Math.min(positions * top_k, n_experts);
  const expert = 6 * d_model * expert_hidden;
  const picture =
    views === 0
      ? []
      : [
          row(
            'vision_encoder',
            'matmul',
            6 * vit_blocks,
            vision_encoder.patch_embed + vision_encoder.attention_projections + vision_encoder.mlp,
            24 * vit_blocks * vit.emb ** 2,
            0,
          ),
          row('vision_encoder', 'attention', vit_blocks, vision_encoder.attention_scores, 0, 0),
          row('vision_encoder', 'rms_norm', 2 * vit_blocks, 0, 0, 8 * vit_blocks * views * vit.positions * vit.emb),
          row('projector', 'matmul', 5, projector.pooling_projections + projector.mlp, 20 * vit.emb ** 2, 0),
          row('projector', 'pool_attention', 1, projector.pooling_scores, 0, 0),
        ];
  const language = [
    row('prefill', 'matmul', 3 * blocks, prefill.attention_projections + prefill.router, 8 * blocks * d_model ** 2, 0),
    row('prefill', 'attention', blocks, prefill.attention_scores, 0, 0),
    row('prefill', 'expert_matmul', 2 * blocks, prefill.experts, blocks * met * expert, 0),
    row('prefill', 'rms_norm', 2 * blocks, 0, 0, 24 * blocks * positions * d_model),
    row('prefill', 'norm_matvec', 1, prefill.head, 2 * d_model * embedding_size, 0),
  ];
  const decoding =
    steps === 0
      ? []
      : [
          row(
            'decode',
            'norm_matvec',
            (2 * blocks + 1) * steps,
            decode.attention_projections + decode.head,
            decode.attention_projections + decode.head,
            0,
          ),
          row('decode', 'expert_gate_up', 2 * blocks * steps, decode.experts, decode.experts, 0),
          row('decode', 'attention_decode', blocks * steps, decode.attention_scores, 0, decode.attention_scores),
        ];
  return [...picture, ...language, ...decoding].filter(({ dispatches }) => dispatches > 0);
}

/** Small products run worse than large ones, an expert's tile is computed whole: no sum of terms has just this form. */
function cost(row: Row, truth: Truth): number {
  const compute = row.executed_flops / ROOF.fma_f32_flops;
  const memory = (row.weight_bytes + row.read_bytes) / ROOF.stream_read_bytes;
  const worse = 1 + 0.15 / (1 + row.executed_flops / row.dispatches / 1e8);
  const whole_tiles = row.kernel === 'expert_matmul' ? 0.6 * memory : 0;
  const slower = truth.slower[row.kernel] ?? truth.slower.attention ?? 1;
  return 1000 * slower * (worse * Math.max(compute, memory) + whole_tiles) + row.dispatches * truth.launch_ms;
}

const NONE = { flops: 0, other_ops: 0, written_bytes: 0, kv_bytes: 0 };
const PART = { matmul: 'mlp', rms_norm: 'norm', expert_matmul: 'moe_experts', expert_gate_up: 'moe_experts' } as const;

export function e3_configuration(setting: Setting, truth: Truth, random: () => number, runs = 3): Configuration {
  const geometry = geometry_of(config);
  const tiling = tiling_of(setting.image);
  const side = (tiles: number) => geometry.margin_px + tiles * geometry.tile_px;
  const cut = tiling && choose_tiling(side(tiling[1]), side(tiling[0]), { max_crops: setting.max_crops }, geometry);
  const counts = cut && vision_counts(cut, geometry);
  const views = cut === null ? 0 : cut.rows * cut.cols + 1;
  const positions = 1 + (counts?.image_tokens ?? 0) + setting.prompt;
  const rows = rows_of(setting, views, positions);
  const steps = setting.answer - 1;
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const sample = (): Sample => {
    const disturbed = truth.disturbed && random() < truth.disturbed.share ? truth.disturbed.times : 1;
    const times = STAGES.map((stage) => {
      const own = rows.filter((row) => row.stage === stage);
      if (own.length === 0) return null;
      const passes = stage === 'decode' ? steps : 1;
      const ms = own.reduce((sum, row) => sum + cost(row, truth), passes * truth.pass_ms);
      return ms * disturbed * Math.exp(truth.noise * normal());
    });
    const [T_vision_encoder, T_projector, T_LLM_prefill, T_LLM_decode] = times as [
      number | null,
      number | null,
      number,
      number | null,
    ];
    const T_gaps = 1.5;
    const T_total = T_gaps + times.reduce((sum: number, ms) => sum + (ms ?? 0), 0);
    return {
      ...{ T_data_processing: 10, T_vision_encoder, T_projector, T_LLM_prefill, T_LLM_decode, T_gaps, T_total },
      T_vision_total: T_vision_encoder === null ? null : T_vision_encoder + (T_projector ?? 0),
      T_decode_per_step: Array.from({ length: steps }, () => (T_LLM_decode ?? 0) / steps),
      T_decode_per_token: T_LLM_decode === null ? null : T_LLM_decode / steps,
      T_first_token: T_total - (T_LLM_decode ?? 0),
      T_system_total: T_total + 10,
    };
  };
  const base = fake_configuration('low', 'short', 'short', 1);
  const kernels = rows.map(
    (row): KernelRow => ({
      ...{ ...NONE, ...row, part: PART[row.kernel as keyof typeof PART] ?? 'attention', variant: 'lanes' },
      ...{ gpu_ms: cost(row, truth), floor_ms: null, bound: null },
    }),
  );
  return {
    ...base,
    experiment: 'e3',
    key: key_of({ ...setting }),
    settings: { ...setting },
    tokens: {
      image_size: cut === null ? null : `${side(cut.cols)}x${side(cut.rows)}`,
      tiling: cut && [cut.rows, cut.cols],
      num_crops: views,
      vit_patches: counts?.vit_patches ?? 0,
      pooled_vision_tokens: counts?.pooled_cells ?? 0,
      inserted_vision_tokens: counts?.inserted_cells ?? 0,
      special_image_tokens: (counts?.image_tokens ?? 0) - (counts?.inserted_cells ?? 0),
      text_tokens: setting.prompt,
      prompt_length: positions,
      num_output_tokens: setting.answer,
      decode_steps: steps,
    },
    clean: { ...base.clean, samples: Array.from({ length: runs }, sample) },
    instrumented: base.instrumented && { ...base.instrumented, kernels },
    counters: counters_of(rows),
  };
}

const counters_of = (rows: readonly Row[]): Configuration['counters'] =>
  Object.fromEntries(
    STAGES.flatMap((stage) => {
      const own = rows.filter((row) => row.stage === stage);
      const sum = (of: (row: Row) => number) => own.reduce((total, row) => total + of(row), 0);
      const flops = sum((row) => row.executed_flops);
      const counts = { ...NONE, flops, executed_flops: flops, dispatches: sum((row) => row.dispatches) };
      const bytes = { weight_bytes: sum((row) => row.weight_bytes), read_bytes: sum((row) => row.read_bytes) };
      return own.length === 0 ? [] : [[stage, { ...counts, ...bytes }]];
    }),
  );

export function e3_configurations(settings: readonly Setting[], truth: Truth, seed = 1): Configuration[] {
  const random = random_numbers(seed);
  return settings.map((setting) => e3_configuration(setting, truth, random));
}

/** A run on an adapter of this name. */
export function e3_run(description = FAKE_RUN.fingerprint.provenance.adapter.description): Run {
  const { fingerprint } = FAKE_RUN;
  const { provenance } = fingerprint;
  const adapter = { ...provenance.adapter, description };
  return { ...FAKE_RUN, experiment: 'e3', fingerprint: { ...fingerprint, provenance: { ...provenance, adapter } } };
}
