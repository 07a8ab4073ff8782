import { below_floor } from '../../engine/meter/roofline.ts';
import type { GenerateResult } from '../../engine/molmoe.ts';
import type { NamedRequest } from './inputs.ts';
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
  Configuration,
  Instrumented,
  KernelRow,
  MethodSample,
  Protocol,
  RequestRecord,
  Sample,
} from './schema.ts';
import { warnings_of } from './stats.ts';

/** Least time of a kernel row on this adapter, and what sets it. */
export type FloorOf = (row: Omit<KernelRow, 'floor_ms' | 'bound'>) => Pick<KernelRow, 'floor_ms' | 'bound'>;

export interface Watch {
  readonly floor_of?: FloorOf;
  readonly on_run: (runs: number) => void;
  /** Sees each instrumented run whole: for traces. */
  readonly on_instrumented?: (result: GenerateResult) => Promise<void>;
  readonly signal?: AbortSignal;
}

/** What an instrument finds out about a cell; the lab adds what the cell is. */
export type Observed = Pick<
  Configuration,
  | 'prompt'
  | 'image'
  | 'tokens'
  | 'clean'
  | 'methods'
  | 'instrumented'
  | 'counters'
  | 'flops'
  | 'requests'
  | 'memory'
  | 'warnings'
>;

/** How a cell is observed. */
export interface Instrument {
  readonly name: 'latency' | 'counts' | 'nothing';
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
  runs_of: ({ warmup, runs, instrumented, method }) => warmup + runs * (method === 'direct' ? 1 : 4) + instrumented,
  observe: async (model, requests, protocol, { floor_of, on_run, on_instrumented, signal }) => {
    const [only] = requests as [NamedRequest];
    const samples: Sample[] = [];
    const methods: MethodSample[] = [];
    const records: RequestRecord[] = [];
    const warnings: string[] = [];
    let last: GenerateResult | undefined;
    for (const [index, one] of requests.entries()) {
      const request = { ...one.request, signal };
      for (let i = 0; i < protocol.warmup; i++) {
        await measure(model, request);
        on_run(1);
      }
      for (let i = 0; i < protocol.runs; i++) {
        const { sample, result } = await measure(model, request);
        samples.push(requests.length > 1 ? { ...sample, request: index } : sample);
        last = result;
        on_run(1);
        if (protocol.method === 'direct') continue;
        methods.push(await measure_by(protocol.method, model, request));
        on_run(3);
      }
      records.push(record_of(model, one, last as GenerateResult));
      warnings.push(...(last as GenerateResult).warnings);
    }
    const instrumented: InstrumentedResult[] = [];
    for (let i = 0; i < protocol.instrumented; i++) {
      const one = await measure_kernels(model, { ...only.request, signal });
      await on_instrumented?.(one.result);
      instrumented.push(one);
      on_run(1);
    }
    const timed = instrumented.length > 0 ? together(instrumented, floor_of) : null;
    return {
      ...of_requests(records),
      memory: peak_memory(last as GenerateResult),
      clean: { clock: 'host wall time between fences', samples },
      methods,
      instrumented: timed,
      warnings: [
        ...new Set(warnings),
        ...instrumented.flatMap(doubts).slice(0, 1),
        ...beaten_floors(timed),
        ...(requests.length > 1 ? [] : spread_warnings(samples, protocol)),
      ],
    };
  },
};

/** What would be dispatched, without a GPU's time: exact, and the same on every machine. */
export const counts: Instrument = {
  name: 'counts',
  runs: false,
  runs_of: () => 1,
  observe: async (model, requests, _, { on_run }) => {
    const records: RequestRecord[] = [];
    let last: GenerateResult | undefined;
    for (const one of requests) {
      last = await model.generate(one.request).result;
      records.push(record_of(model, one, last));
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

/** Of what reads results of others: there is no cell to observe. */
export const nothing: Instrument = {
  name: 'nothing',
  runs: false,
  runs_of: () => 0,
  observe: () => Promise.reject(new Error('nothing is observed')),
};

function record_of(model: Runner, { id, request, image }: NamedRequest, result: GenerateResult): RequestRecord {
  const tokens = token_counts(result, request.image);
  const by_stage = counters(result);
  return {
    id,
    prompt: request.prompt,
    image,
    tokens,
    counters: by_stage,
    flops: { exact: exact_flops(by_stage), legacy: legacy_of(model.facts.config, tokens) },
  };
}

function of_requests(records: readonly RequestRecord[]) {
  const { id: _, ...first } = records[0] as RequestRecord;
  return { ...first, requests: records.length > 1 ? [...records] : [] };
}

const spread_warnings = (samples: readonly Sample[], { warmup }: Protocol): string[] => [
  ...(warmup === 0 ? ['no warm-up run: the first times include compiling; use --warmup 1 or more'] : []),
  ...warnings_of(
    'T_total',
    samples.map((sample) => sample.T_total),
  ),
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

function together(results: readonly InstrumentedResult[], floor_of: FloorOf | undefined): Instrumented {
  const last = results.at(-1) as InstrumentedResult;
  const gpu_ms = (i: number) =>
    results.reduce((sum, { kernels }) => sum + (kernels[i]?.gpu_ms ?? 0), 0) / results.length;
  return {
    clock: last.clock === 'gpu' ? 'GPU timestamps, a pass a kernel' : 'host clock around fenced submits',
    anchor_error_ms: last.clock === 'gpu' ? last.anchor_error_ms : null,
    self_test_ratio: last.self_test?.ratio ?? null,
    runs: results.map(({ run }) => run),
    kernels: last.kernels.map((row, i) => {
      const mean = { ...row, gpu_ms: gpu_ms(i) };
      return { ...mean, ...(floor_of?.(mean) ?? { floor_ms: null, bound: null }) };
    }),
    strip: { columns: ['stage', 'layer', 'part', 'begin_ms', 'gpu_ms'], rows: last.strip },
  };
}
