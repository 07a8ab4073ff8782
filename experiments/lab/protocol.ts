import { below_floor } from '../../engine/meter/roofline.ts';
import type { GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import {
  counters,
  type Generator,
  type InstrumentedResult,
  measure,
  measure_by,
  measure_kernels,
  token_counts,
} from './measure.ts';
import type { Configuration, Instrumented, KernelRow, MethodSample, Protocol, Sample } from './schema.ts';
import { warnings_of } from './stats.ts';

/** Least time of a kernel row on this adapter, and what sets it. */
export type FloorOf = (row: Omit<KernelRow, 'floor_ms' | 'bound'>) => Pick<KernelRow, 'floor_ms' | 'bound'>;

export interface Watch {
  readonly floor_of?: FloorOf;
  readonly on_run: (runs: number) => void;
  /** Sees each instrumented run whole: for traces. */
  readonly on_instrumented?: (result: GenerateResult) => Promise<void>;
}

/** Units of work of one configuration, for progress: all its runs are alike. */
export const runs_of = ({ warmup, runs, instrumented, method }: Protocol): number =>
  warmup + runs * (method === 'direct' ? 1 : 4) + instrumented;

export type Measured = Pick<Configuration, 'tokens' | 'clean' | 'methods' | 'instrumented' | 'counters' | 'warnings'>;

/**
 * One configuration: warm-up runs that compile every shape, timed runs without instruments, then runs with a stamp
 * around every kernel. The two kinds are never mixed.
 */
export async function run_protocol(
  model: Generator,
  request: GenerateRequest,
  protocol: Protocol,
  { floor_of, on_run, on_instrumented }: Watch,
): Promise<Measured> {
  for (let i = 0; i < protocol.warmup; i++) {
    await measure(model, request);
    on_run(1);
  }
  const samples: Sample[] = [];
  const methods: MethodSample[] = [];
  let last: GenerateResult | undefined;
  for (let i = 0; i < protocol.runs; i++) {
    const { sample, result } = await measure(model, request);
    samples.push(sample);
    last = result;
    on_run(1);
    if (protocol.method === 'direct') continue;
    methods.push(await measure_by(protocol.method, model, request));
    on_run(3);
  }
  const instrumented: InstrumentedResult[] = [];
  for (let i = 0; i < protocol.instrumented; i++) {
    const one = await measure_kernels(model, request);
    await on_instrumented?.(one.result);
    instrumented.push(one);
    on_run(1);
  }
  const result = last as GenerateResult;
  const timed = instrumented.length > 0 ? together(instrumented, floor_of) : null;
  return {
    tokens: token_counts(result, request.image),
    clean: { clock: 'host wall time between fences', samples },
    methods,
    instrumented: timed,
    counters: counters(result),
    warnings: [
      ...result.warnings,
      ...instrumented.flatMap(doubts).slice(0, 1),
      ...beaten_floors(timed),
      ...warnings_of(
        'T_total',
        samples.map((sample) => sample.T_total),
      ),
    ],
  };
}

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
