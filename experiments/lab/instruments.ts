import { choose_tiling } from '../../engine/input/tiling.ts';
import { below_floor } from '../../engine/meter/roofline.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import { crop_choice } from '../../engine/request.ts';
import { type NamedRequest, opened } from './inputs.ts';
import {
  counters,
  exact_flops,
  type InstrumentedResult,
  legacy_of,
  measure,
  measure_by,
  measure_kernels,
  peak_memory,
  type Runner,
  token_counts,
} from './measure.ts';
import type {
  AnswerRecord,
  Configuration,
  Instrumented,
  KernelRow,
  MethodSample,
  Protocol,
  Provenance,
  RequestRecord,
  Sample,
} from './schema.ts';
import { warnings_of } from './stats.ts';

/** Least time of a kernel row on this adapter, and what sets it. */
export type FloorOf = (row: Omit<KernelRow, 'floor_ms' | 'bound'>) => Pick<KernelRow, 'floor_ms' | 'bound'>;

export interface Watch {
  readonly floor_of?: FloorOf;
  readonly on_run: (runs: number) => void;
  /** Sees each request whole that was counted and not run. */
  readonly on_counted?: (result: GenerateResult) => void;
  /** Sees each instrumented run whole: for traces. */
  readonly on_instrumented?: (result: GenerateResult) => Promise<void>;
  /** What was seen of shapes so far, where warm-up and stamps are made once for each. */
  readonly shapes?: Shapes;
  /** Of the run: where and on what it is measured. */
  readonly provenance?: Provenance;
  readonly signal?: AbortSignal;
}

/** By what decides which kernels run on how much. */
export interface Shapes {
  /** Crops and knobs that were warmed up. */
  readonly warm: Set<string>;
  /** Stamps by crops, knobs and new tokens. */
  readonly stamped: Map<string, Instrumented>;
}

/** What an instrument finds out about a cell; the lab adds what the cell is. */
export interface Observed
  extends Pick<
    Configuration,
    | 'prompt'
    | 'image'
    | 'sample'
    | 'answer'
    | 'tokens'
    | 'clean'
    | 'methods'
    | 'instrumented'
    | 'counters'
    | 'flops'
    | 'requests'
    | 'memory'
    | 'warnings'
    | 'budget'
  > {
  /** Stamps of an earlier request of this shape, where the cell has none of its own. */
  readonly like?: Instrumented;
}

/** How a cell is observed. */
export interface Instrument {
  readonly name: 'latency' | 'counts' | 'answers' | 'budget' | 'nothing';
  /** Whether it needs weights on a GPU; else a model that only counts what it would dispatch. */
  readonly runs: boolean;
  /** Runs of one request of a cell, for progress: all are alike. */
  readonly runs_of: (protocol: Protocol) => number;
  readonly observe: (
    model: Runner,
    requests: readonly NamedRequest[],
    protocol: Protocol,
    watch: Watch,
  ) => Promise<Observed>;
}

/**
 * Warm-up runs that compile every shape, timed runs without instruments, then runs with a stamp around every kernel.
 * The two kinds are never mixed. Of several requests each is timed as often; the first one is stamped.
 */
export const latency: Instrument = {
  name: 'latency',
  runs: true,
  runs_of: ({ warmup, runs, instrumented, method, once_for }) =>
    runs * (method === 'direct' ? 1 : 4) + (once_for === 'shape' ? 0 : warmup + instrumented),
  observe: async (model, requests, protocol, watch) => {
    const { on_run, signal } = watch;
    const samples: Sample[] = [];
    const methods: MethodSample[] = [];
    const records: RequestRecord[] = [];
    const warnings: string[] = [];
    let stamps: Stamps | undefined;
    let last: GenerateResult | undefined;
    for (const [index, one] of requests.entries()) {
      let { request, open_ms } = await opened(one);
      await warm_up(model, request, protocol, watch);
      for (let i = 0; i < protocol.runs; i++) {
        if (i > 0) ({ request, open_ms } = await opened(one));
        const { sample, result } = await measure(model, { ...request, signal });
        const whole = with_opening(sample, open_ms);
        samples.push(requests.length > 1 ? { ...whole, request: index } : whole);
        last = result;
        on_run(1);
        if (protocol.method === 'direct') continue;
        methods.push(await measure_by(protocol.method, model, { ...request, signal }));
        on_run(3);
      }
      const record = record_of(model, one, request, last as GenerateResult);
      records.push(record);
      warnings.push(...(last as GenerateResult).warnings);
      stamps ??= await stamp(model, request, record, protocol, watch);
    }
    const { timed, like, doubts } = stamps as Stamps;
    return {
      ...of_requests(records),
      memory: peak_memory(last as GenerateResult),
      clean: { clock: 'host wall time between fences', samples },
      methods,
      instrumented: timed,
      like,
      warnings: [
        ...new Set(warnings),
        ...doubts,
        ...beaten_floors(timed),
        ...(requests.length > 1 ? [] : spread_warnings(samples, protocol)),
      ],
    };
  },
};

async function warm_up(
  model: Runner,
  request: GenerateRequest,
  protocol: Protocol,
  { shapes, on_run, signal }: Watch,
): Promise<void> {
  const shape = shape_of(model, request, protocol, shapes);
  if (shape !== undefined && shapes?.warm.has(shape)) return;
  for (let i = 0; i < protocol.warmup; i++) {
    await measure(model, { ...(shape === undefined ? request : shortened(request)), signal });
    if (shape === undefined) on_run(1);
  }
  if (shape !== undefined) shapes?.warm.add(shape);
}

interface Stamps {
  readonly timed: Instrumented | null;
  readonly like?: Instrumented;
  readonly doubts: readonly string[];
}

/** Runs with a stamp around every kernel, or those of an earlier request of the same shape. */
async function stamp(
  model: Runner,
  request: GenerateRequest,
  record: RequestRecord,
  protocol: Protocol,
  { floor_of, on_run, on_instrumented, shapes, signal }: Watch,
): Promise<Stamps> {
  const crops = shape_of(model, request, protocol, shapes);
  const shape = crops && `${crops} ${request.maxNewTokens}`;
  const like = shape && shapes?.stamped.get(shape);
  if (like) return { timed: null, like, doubts: [] };
  const results: InstrumentedResult[] = [];
  for (let i = 0; i < protocol.instrumented; i++) {
    const one = await measure_kernels(model, { ...stampable(model.facts.config, request), signal });
    await on_instrumented?.(one.result);
    results.push(one);
    if (shape === undefined) on_run(1);
  }
  const timed = results.length > 0 ? together(results, record, floor_of) : null;
  if (shape && timed) shapes?.stamped.set(shape, timed);
  return { timed, doubts: results.flatMap(doubts).slice(0, 1) };
}

/** Preparation of a sample begins with opening its picture. */
const with_opening = (sample: Sample, open_ms: number): Sample => ({
  ...sample,
  T_data_processing: sample.T_data_processing + open_ms,
  T_first_token: sample.T_first_token === null ? null : sample.T_first_token + open_ms,
  T_system_total: sample.T_system_total + open_ms,
});

/** Of a request whose warm-up and stamps serve all others of its shape; undefined where each cell has its own. */
function shape_of(
  { facts: { config } }: Runner,
  { image, knobs = {} }: GenerateRequest,
  { once_for }: Protocol,
  shapes: Shapes | undefined,
): string | undefined {
  if (shapes === undefined || once_for !== 'shape') return undefined;
  const tiling = image && choose_tiling(image.width, image.height, crop_choice(knobs, config), geometry_of(config));
  return JSON.stringify([tiling?.rows, tiling?.cols, knobs]);
}

/** Every decode step launches the same kernels: a few warm all of them up. */
const WARM_TOKENS = 16;

const shortened = (request: GenerateRequest): GenerateRequest => ({
  ...request,
  maxNewTokens: Math.min(request.maxNewTokens ?? WARM_TOKENS, WARM_TOKENS),
});

/** A stamp is kept for every kernel of every step: beyond so many a run would fill the host's memory. */
const MOST_STAMPS = 200_000;
const STAMPS_A_BLOCK = 16;

/** The request with so many new tokens as can be stamped. */
function stampable({ n_layers }: ModelConfig, request: GenerateRequest): GenerateRequest {
  const most = Math.floor(MOST_STAMPS / (STAMPS_A_BLOCK * (n_layers + 1)));
  return { ...request, maxNewTokens: Math.min(request.maxNewTokens ?? most, most) };
}

/** What would be dispatched, without a GPU's time: exact, and the same on every machine. */
export const counts: Instrument = {
  name: 'counts',
  runs: false,
  runs_of: () => 1,
  observe: async (model, requests, _, { on_run, on_counted }) => {
    const records: RequestRecord[] = [];
    let last: GenerateResult | undefined;
    for (const one of requests) {
      const { request } = await opened(one);
      last = await model.generate(request).result;
      records.push(record_of(model, one, request, last));
      on_counted?.(last);
      on_run(1);
    }
    return {
      ...of_requests(records),
      memory: peak_memory(last as GenerateResult),
      clean: { clock: 'not timed', samples: [] },
      methods: [],
      instrumented: null,
      warnings: [],
    };
  },
};

/** Answers to all samples, scored: many together, by whoever takes part; some of them timed alone besides. */
export const answers: Instrument = {
  name: 'answers',
  runs: true,
  runs_of: ({ answers: asked, warmup, runs }) =>
    (asked?.samples ?? 0) + (asked && asked.timed > 0 ? warmup + runs * asked.timed : 0),
  observe: () => Promise.reject(new Error('answers are given by workers')),
};

/** Of what reads results of others: there is no cell to observe. */
export const nothing: Instrument = {
  name: 'nothing',
  runs: false,
  runs_of: () => 0,
  observe: () => Promise.reject(new Error('nothing is observed')),
};

/** What is kept of a request that ran. */
export function record_of(
  model: Runner,
  { id, image, sample }: NamedRequest,
  request: GenerateRequest,
  result: GenerateResult,
): RequestRecord {
  const tokens = token_counts({ ...result, decode_steps: result.decode_step_ms.length }, request.image);
  const by_stage = counters(result);
  return {
    id,
    prompt: request.prompt,
    image,
    ...(sample && { sample }),
    ...(sample && request.maxNewTokens !== 0 && { answer: answer_of(model, request, result) }),
    tokens,
    counters: by_stage,
    flops: { exact: exact_flops(by_stage), legacy: legacy_of(model.facts.config, tokens) },
  };
}

/** As it is read, and with its special tokens. */
function answer_of(
  { tokenizer, facts }: Runner,
  { ignoreEos }: GenerateRequest,
  { text, tokens, finish }: GenerateResult,
): AnswerRecord {
  const ids = finish === 'eos' ? [...tokens, facts.config.eos_id] : tokens;
  return { text, text_full: tokenizer.decode(ids), finish, forced: ignoreEos === true };
}

export function of_requests(records: readonly RequestRecord[]) {
  const { id: _, ...first } = records[0] as RequestRecord;
  return { ...first, requests: records.length > 1 ? [...records] : [] };
}

/** Where shapes are warmed up once, cells are many and each is as good as one run: their spread is the experiment's to show. */
const spread_warnings = (samples: readonly Sample[], { warmup, once_for }: Protocol): string[] => [
  ...(warmup === 0 ? ['no warm-up run: the first times include compiling; use --warmup 1 or more'] : []),
  ...(once_for === 'shape'
    ? []
    : warnings_of(
        'T_total',
        samples.map((sample) => sample.T_total),
      )),
];

/** Stamps that cannot be true are reported, never mended. */
function doubts({ run: { faults }, self_test }: InstrumentedResult): string[] {
  const found = [
    ...(faults.negative > 0 ? [`${faults.negative} kernels end before they begin`] : []),
    ...(faults.quantised ? ['they are rounded'] : []),
    ...(self_test?.passed === false
      ? [`a kernel of four times the work took ${self_test.ratio.toFixed(2)} times as long`]
      : []),
  ];
  return found.length > 0 ? [`GPU time stamps are doubtful: ${found.join('; ')}`] : [];
}

/** No kernel is faster than its floor: where one is, the model of the floor or the probe is wrong. */
function beaten_floors(instrumented: Instrumented | null): string[] {
  const rows = (instrumented?.kernels ?? []).filter(
    (row) => row.floor_ms !== null && below_floor(row.gpu_ms, row.floor_ms),
  );
  const names = rows.map((row) => `${row.stage} ${row.kernel}`).slice(0, 3);
  return rows.length > 0
    ? [
        `${rows.length} kernels ran faster than their floor (${names.join(', ')}): the ceilings are too low; --recalibrate on a quiet machine`,
      ]
    : [];
}

function together(
  results: readonly InstrumentedResult[],
  { tokens }: RequestRecord,
  floor_of: FloorOf | undefined,
): Instrumented {
  const last = results.at(-1) as InstrumentedResult;
  const stamped = last.result.counts.new_tokens;
  const gpu_ms = (i: number) =>
    results.reduce((sum, { kernels }) => sum + (kernels[i]?.gpu_ms ?? 0), 0) / results.length;
  return {
    clock: last.clock === 'gpu' ? 'GPU timestamps, a pass a kernel' : 'host clock around fenced submits',
    anchor_error_ms: last.clock === 'gpu' ? last.anchor_error_ms : null,
    self_test_ratio: last.self_test?.ratio ?? null,
    ...(stamped < tokens.num_output_tokens && { new_tokens: stamped }),
    runs: results.map(({ run }) => run),
    kernels: last.kernels.map((row, i) => {
      const mean = { ...row, gpu_ms: gpu_ms(i) };
      return { ...mean, ...(floor_of?.(mean) ?? { floor_ms: null, bound: null }) };
    }),
    strip: { columns: ['stage', 'layer', 'part', 'begin_ms', 'gpu_ms'], rows: last.strip },
  };
}
