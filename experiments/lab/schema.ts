import { z } from 'zod';
import { machine_schema } from './machine.ts';
import { answers_schema } from './schema_answers.ts';
import { budget_schema } from './schema_budget.ts';
import { ceilings_schema } from './schema_ceilings.ts';
import { answer_schema, dataset_schema, sample_source_schema } from './schema_dataset.ts';
import {
  amount,
  by_stage,
  count,
  finite,
  key,
  MOST_LAUNCHES,
  ms,
  plain,
  signed_ms,
  stage_schema,
  strings,
} from './schema_values.ts';

export { type Ceilings, ceilings_schema } from './schema_ceilings.ts';
export type { AnswerRecord, DatasetRecord, SampleSource } from './schema_dataset.ts';
export { by_stage, count, finite, plain, stage_schema, strings } from './schema_values.ts';

/**
 * What results look like. Every file says which of these it is in `schema`; results/schema/*.json is made from them.
 * Names that published studies use (T_LLM_prefill, P95 ...) are kept as they are. All times are milliseconds.
 */

/** Of a list of latencies: linear percentiles, population deviation. */
export const summary_schema = z.strictObject({
  P50: finite,
  P95: finite,
  P99: finite,
  mean: finite,
  std: finite,
  min: finite,
  max: finite,
  median: finite,
  /** std / mean; null where the mean is 0. */
  CoV: finite.nullable(),
  n: count,
  /** Bootstrap 95 % interval of the mean and of the median; null for a single value. */
  mean_ci95: z.tuple([finite, finite]).nullable(),
  median_ci95: z.tuple([finite, finite]).nullable(),
});
export type Summary = z.infer<typeof summary_schema>;

export const provenance_schema = z.strictObject({
  package_version: z.string(),
  commit: z.string(),
  dirty: z.boolean(),
  /** Digest of all sources and packages that this build was made from. */
  build: z.string(),
  adapter: z.strictObject({
    vendor: z.string(),
    architecture: z.string(),
    device: z.string(),
    /** Names the driver and its version where the graphics API tells. */
    description: z.string(),
    type: z.enum(['software', 'hardware']),
    subgroup_min_size: count,
    subgroup_max_size: count,
    features: strings,
    /** For counting elsewhere what runs here. Older results lack it. */
    machine: machine_schema.optional(),
  }),
  backend: z.string(),
  toggles: z.strictObject({ enable: strings, disable: strings }),
  mode: z.enum(['release', 'validated']),
  /** Kernel family asked for; `auto` goes by the adapter. */
  variant: z.string(),
  /** Which variants ran where a kernel has several, by shape class, and where that was known from. Older results lack it. */
  tuning: z
    .strictObject({
      from: z.enum(['measured', 'itself', 'shipped', 'default', 'off']),
      choices: z.record(z.string(), z.string()),
      /** Where the command measured it itself before it began; classes it had no time for are untuned. */
      itself: z
        .strictObject({ seconds: z.number().nonnegative(), share: z.number().positive().nullable(), untuned: strings })
        .optional(),
    })
    .optional(),
  model: z.strictObject({
    name: z.string(),
    weights: z.string(),
    weights_kind: z.enum(['checkpoint', 'synthetic']),
    seed: count.nullable(),
    /** Of a checkpoint: digest of its config, its headers and samples of its data. */
    weights_digest: z.string().nullable(),
    dtype: z.string(),
    tokenizer: z.string(),
    layers: count,
    experts: count,
    parameters: z.record(z.string(), count),
  }),
  host: z.strictObject({
    name: z.string(),
    os: z.string(),
    cpu: z.string(),
    cores: count,
    memory_bytes: count,
    node: z.string(),
  }),
});
export type Provenance = z.infer<typeof provenance_schema>;

export const protocol_schema = z.strictObject({
  /** Requests that run together; latencies are always those of one. */
  batch: z.int().positive(),
  /** Of answers: how many samples, their longest answer, and how many of them are timed alone besides. Absent where none are asked for. */
  answers: z.strictObject({ samples: count, new_tokens: count, timed: count }).optional(),
  /** Unrecorded runs before each configuration. */
  warmup: count,
  /** Timed runs without instruments: the published latencies. */
  runs: count,
  /** Further runs with a time stamp around every kernel: component times. */
  instrumented: count,
  order: z.enum(['fixed', 'shuffled']),
  order_seed: count.nullable(),
  method: z.enum(['direct', 'subtraction', 'hook']),
  tokens_per_readback: count,
  /** What warm-up and instrumented runs are made for: each cell where absent, or once for each shape (crops, new tokens, knobs) that a process meets. */
  once_for: z.literal('shape').optional(),
});
export type Protocol = z.infer<typeof protocol_schema>;

/** One timed run. Wall times of the host, between fences. */
export const sample_schema = z.strictObject({
  /** Tokenising and preparing the picture, on the host; of a data set's sample opening and decoding it too. */
  T_data_processing: ms,
  /** null in a request without a picture. */
  T_vision_encoder: ms.nullable(),
  T_projector: ms.nullable(),
  T_vision_total: ms.nullable(),
  /** null where the language model did not run. */
  T_LLM_prefill: ms.nullable(),
  /** null where nothing was decoded. */
  T_LLM_decode: ms.nullable(),
  T_decode_per_step: z.array(ms),
  /** T_LLM_decode / decode steps; null where there are none. */
  T_decode_per_token: ms.nullable(),
  /** From the request, its preparation included, to the first token on the host; null where none was made. */
  T_first_token: ms.nullable().default(null),
  /** From the first stage's start to the last token on the host. */
  T_total: ms,
  T_system_total: ms,
  /** T_total less its stages: between fences, outside of all of them. */
  T_gaps: signed_ms,
  /** Of a cell with several requests: which one, as its place among them. */
  request: count.optional(),
});
export type Sample = z.infer<typeof sample_schema>;

const STAGE_TIMES = ['T_vision_encoder', 'T_projector', 'T_LLM_prefill', 'T_LLM_decode'] as const;
/** At least one run, and in each at least one stage that ran. */
const some_ran = (samples: readonly Sample[]): boolean =>
  samples.length > 0 && samples.every((sample) => STAGE_TIMES.some((name) => sample[name] !== null));

/** The two older methods, beside a direct measurement. Signed: nothing is clamped. */
export const method_sample_schema = z.strictObject({
  method: z.enum(['subtraction', 'hook']),
  T_vision_encoder: signed_ms.nullable(),
  T_projector: signed_ms.nullable(),
  T_vision_total: signed_ms.nullable(),
  T_LLM_prefill: signed_ms,
  T_LLM_decode: signed_ms,
  T_total: signed_ms,
});
export type MethodSample = z.infer<typeof method_sample_schema>;

export type StageName = z.infer<typeof stage_schema>;
export const STAGES: readonly StageName[] = stage_schema.options;

/** Published names of the parts of a stage. */
export const part_schema = z.enum([
  'attention',
  'mlp',
  'moe_routing',
  'moe_experts',
  'norm',
  'embed',
  'pooling',
  'head',
]);
export type PartName = z.infer<typeof part_schema>;
export const PARTS: readonly PartName[] = part_schema.options;

const index_of = (names: readonly string[]) => count.max(names.length - 1);

export const counts_schema = z.strictObject({
  dispatches: count.max(MOST_LAUNCHES),
  /** 2 x multiply-adds of matrix work that the mathematics needs. */
  flops: amount,
  /** As computed, tiles and masked squares included. */
  executed_flops: amount,
  /** Exponentials, divisions, sums of norms: one each. */
  other_ops: amount,
  weight_bytes: amount,
  read_bytes: amount,
  written_bytes: amount,
  kv_bytes: amount,
});
export type CountsRecord = z.infer<typeof counts_schema>;

export const kernel_row_schema = counts_schema.extend({
  stage: stage_schema,
  part: part_schema,
  kernel: z.string(),
  variant: z.string(),
  /** Mean over the instrumented runs of the sum of this row's passes. */
  gpu_ms: signed_ms,
  /** Least time the ceilings of the adapter allow, and what sets it; null without ceilings. */
  floor_ms: ms.nullable(),
  bound: z.enum(['compute', 'memory', 'launch']).nullable(),
});
export type KernelRow = z.infer<typeof kernel_row_schema>;

/** One instrumented run: GPU time by stage and part. Never mixed with the plain runs. */
export const instrumented_run_schema = z.strictObject({
  /** Host wall time of the stages of this run, so that the price of the instruments shows. */
  wall_ms: ms,
  /** First to last stamp; sum of all passes; what lies between them. */
  span_ms: signed_ms,
  sum_ms: signed_ms,
  gaps_ms: signed_ms,
  stages: z.array(z.strictObject({ stage: stage_schema, gpu_ms: signed_ms, span_ms: signed_ms })),
  parts: z.array(z.strictObject({ stage: stage_schema, part: part_schema, gpu_ms: signed_ms })),
  faults: z.strictObject({ negative: count, zero: count, quantised: z.boolean() }),
});
export type InstrumentedRun = z.infer<typeof instrumented_run_schema>;

export const instrumented_schema = z.strictObject({
  clock: z.enum(['GPU timestamps, a pass a kernel', 'host clock around fenced submits']),
  anchor_error_ms: signed_ms.nullable(),
  /** GPU time of a kernel with four times the work of another, over that other's; null without stamps. */
  self_test_ratio: finite.nullable(),
  /** Where only the first tokens of a long answer were stamped: so many. */
  new_tokens: count.optional(),
  runs: z.array(instrumented_run_schema).min(1),
  kernels: z.array(kernel_row_schema),
  /** The last run as a strip: consecutive passes of one stage, layer and part joined. */
  strip: z.strictObject({
    columns: z.tuple([
      z.literal('stage'),
      z.literal('layer'),
      z.literal('part'),
      z.literal('begin_ms'),
      z.literal('gpu_ms'),
    ]),
    /** Stage and part as indices into STAGES and PARTS; layer -1 where there is none. */
    rows: z.array(z.tuple([index_of(STAGES), z.int().min(-1), index_of(PARTS), signed_ms, signed_ms])),
  }),
});
export type Instrumented = z.infer<typeof instrumented_schema>;

export const token_counts_schema = z.strictObject({
  /** "width x height" as 1008x784; null without a picture. */
  image_size: z.string().nullable(),
  tiling: z.tuple([count, count]).nullable(),
  /** Views the encoder sees, the overview included. */
  num_crops: count,
  vit_patches: count,
  pooled_vision_tokens: count,
  inserted_vision_tokens: count,
  special_image_tokens: count,
  text_tokens: count,
  prompt_length: count,
  num_output_tokens: count,
  decode_steps: count,
});
export type TokenCountsRecord = z.infer<typeof token_counts_schema>;

export const flops_schema = z.strictObject({
  /** From the ledger: what was dispatched. */
  exact: by_stage(amount),
  /** What published formulas say, by their names; how wrong they are is the point. */
  legacy: z.strictObject({ S1: by_stage(amount), S4: by_stage(amount) }),
});
export type FlopsRecord = z.infer<typeof flops_schema>;

export const routing_schema = z.strictObject({
  /** Token-expert pairs of the prompt that an expert got, a row a block that ran. */
  layers: z.array(z.strictObject({ layer: count, pairs: z.array(count) })),
  /** Busiest expert over the mean, the mean over layers. */
  imbalance: amount,
});
export type RoutingRecord = z.infer<typeof routing_schema>;

/** GPU memory at its highest, by what it holds. */
export const memory_schema = z.strictObject({
  weights: count,
  kv: count,
  activations: count,
  tables: count,
  staging: count,
  /** Of all together at one moment: less than the sum of the highest. */
  total: count,
});
export type MemoryRecord = z.infer<typeof memory_schema>;

/**
 * Times of the whole model that follow from a slice of it (same widths, fewer blocks): what runs once, once; what a block
 * takes, times the blocks. Never under the name of a measured time.
 */
export const scaled_schema = z.strictObject({
  model: z.string(),
  from: z.string(),
  method: z.string(),
  /** Blocks that ran and blocks of the whole, in the language model and in the vision encoder. */
  blocks: z.strictObject({ language: z.tuple([count, count]), vision: z.tuple([count, count]) }),
  stages: by_stage(z.strictObject({ factor: amount })),
  samples: z.array(sample_schema).refine(some_ran, 'expected runs, in each a stage that ran'),
  parts: z.array(z.strictObject({ stage: stage_schema, part: part_schema, gpu_ms: signed_ms })),
  /** Exact counts of the whole model. */
  counters: by_stage(counts_schema),
  flops: flops_schema,
});
export type Scaled = z.infer<typeof scaled_schema>;

export const settings_schema = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));
export type Settings = z.infer<typeof settings_schema>;
const knobs_schema = z.record(z.string(), plain);

/** One of several requests of a cell. */
export const request_schema = z.strictObject({
  id: z.string(),
  prompt: z.string(),
  /** Name of its picture; null without one. */
  image: z.string().nullable(),
  /** Absent where the request is of no data set. */
  sample: sample_source_schema.optional(),
  answer: answer_schema.optional(),
  tokens: token_counts_schema,
  counters: by_stage(counts_schema),
  flops: flops_schema,
});
export type RequestRecord = z.infer<typeof request_schema>;

/** One cell, saved as soon as it has ended. */
export const configuration_schema = z.strictObject({
  schema: z.literal('molmoe.configuration/2'),
  experiment: z.string(),
  key,
  /** Digest of the run's fingerprint: results under another are not mixed in. */
  run: z.string(),
  /** What the plan set for this cell: { regime: 'high', prompt: 'short', decode: 'long' }. */
  settings: settings_schema,
  /** What the experiment wrote down of it, beside its settings. Absent where that is nothing. */
  about: z.record(z.string(), plain).optional(),
  /** Knobs of this cell's requests. */
  knobs: knobs_schema,
  /** Digest of its requests, knobs included: a cell of this key that asks something else is another one. null: not known. */
  asked: z.string().nullable(),
  started: z.iso.datetime(),
  ended: z.iso.datetime(),
  /** Of the request; of several, of the first: `requests` has them all. null: not known. */
  prompt: z.string().nullable(),
  image: z.string().nullable(),
  /** Absent where the request is of no data set. */
  sample: sample_source_schema.optional(),
  answer: answer_schema.optional(),
  tokens: token_counts_schema,
  clean: z
    .strictObject({
      clock: z.enum(['host wall time between fences', 'not timed']),
      samples: z.array(sample_schema),
    })
    .refine(({ clock, samples }) => (clock === 'not timed' ? samples.length === 0 : some_ran(samples)), {
      path: ['samples'],
      error: 'expected runs, in each a stage that ran, where there is a clock',
    }),
  methods: z.array(method_sample_schema),
  instrumented: instrumented_schema.nullable(),
  counters: by_stage(counts_schema),
  flops: flops_schema,
  /** Where a cell has more than one. */
  requests: z.array(request_schema),
  memory: memory_schema.nullable(),
  scaled: z.union([scaled_schema, z.strictObject({ why_not: z.string() })]).nullable(),
  routing: routing_schema.nullable(),
  /** What was answered to each sample. Absent where nothing was scored. */
  answers: answers_schema.optional(),
  /** How it kept to a budget. Absent where it was given none. */
  budget: budget_schema.optional(),
  warnings: strings,
});
export type Configuration = z.infer<typeof configuration_schema>;

export const skipped_schema = z.strictObject({ key: z.string(), settings: settings_schema, reason: z.string() });
export type Skipped = z.infer<typeof skipped_schema>;

/** Cells that were tried and could not be measured: a picture that cannot be decoded. The next run tries them again. */
export const failed_schema = z.strictObject({
  schema: z.literal('molmoe.failed/1'),
  experiment: z.string(),
  cells: z.array(skipped_schema),
});
export type FailedRecord = z.infer<typeof failed_schema>;

/** plan.json: what the last command wanted of this folder. */
export const plan_schema = z.strictObject({
  schema: z.literal('molmoe.plan/1'),
  experiment: z.string(),
  options: z.record(z.string(), plain),
  cells: z.array(z.strictObject({ key, settings: settings_schema })),
  skipped: z.array(skipped_schema),
  /** Words of that command, without those that say where to write and how to tell. Older results lack it. */
  command: strings.optional(),
});
export type PlanRecord = z.infer<typeof plan_schema>;

/** inputs/others.json: results of other runs that these are held against, as their experiment read them. */
export const others_schema = z.strictObject({ schema: z.literal('molmoe.others/1'), others: z.unknown() });

/** run.json: what all cells of a folder have in common. */
export const run_schema = z.strictObject({
  schema: z.literal('molmoe.run/1'),
  experiment: z.string(),
  fingerprint: z.strictObject({
    provenance: provenance_schema,
    protocol: protocol_schema,
    /** Those that were chosen for all cells. */
    knobs: knobs_schema,
    /** Absent where none is used. */
    dataset: dataset_schema.optional(),
  }),
  run: z.string(),
  started: z.iso.datetime(),
  ceilings: ceilings_schema.nullable(),
});
export type Run = z.infer<typeof run_schema>;

export const fit_schema = z.strictObject({
  slope: finite,
  intercept: finite,
  r_squared: finite.nullable(),
  slope_ci95: z.tuple([finite, finite]).nullable(),
  n: count,
});
export type FitRecord = z.infer<typeof fit_schema>;

export const finding_schema = z.strictObject({
  expectation: z.string(),
  outcome: z.enum(['confirmed', 'refuted', 'not tested']),
  /** The numbers it rests on, as one sentence. */
  because: z.string(),
});
export type Finding = z.infer<typeof finding_schema>;

/** What every published file begins with. */
export const head_shape = {
  provenance: provenance_schema,
  protocol: protocol_schema,
  knobs: knobs_schema,
  ceilings: ceilings_schema.nullable(),
  started: z.iso.datetime(),
  ended: z.iso.datetime(),
};

/** The results of one run as one file: what a page can save, send and open again. */
export const bundle_schema = z.strictObject({
  schema: z.literal('molmoe.results/1'),
  run: run_schema,
  plan: plan_schema,
  configurations: z.array(configuration_schema).min(1),
});
export type Bundle = z.infer<typeof bundle_schema>;

/** Schemas of the files that every experiment writes; results/schema holds them as JSON Schema. */
export const SCHEMAS = {
  run: run_schema,
  plan: plan_schema,
  failed: failed_schema,
  configuration: configuration_schema,
  ceilings: ceilings_schema,
  results: bundle_schema,
} as const;
