import { probe_empty } from '../../kernels/probe_empty/probe_empty.ts';
import { FMA_COUNT_BYTES, fma_count, probe_fma_f16, probe_fma_f32 } from '../../kernels/probe_fma/probe_fma.ts';
import {
  probe_read,
  probe_write,
  STREAM_SUM_BYTES,
  STREAM_UNIT_BYTES,
  stream_sum,
} from '../../kernels/probe_stream/probe_stream.ts';
import { InputError } from '../errors.ts';
import type { Buffer } from '../gpu/buffers.ts';
import type { Executor } from '../gpu/executor.ts';
import { start_timeline, type Timeline } from '../gpu/timeline.ts';

/** Raise it when a probe changes: ceilings kept under another number are measured again. */
export const PROBES_VERSION = 1;

/** The most this adapter can do of each thing alone. What runs on it can come near one of these, never beyond. */
export interface AdapterCeilings {
  /** Fused multiply-adds in registers, FLOP/s at 2 each; f16 and matrix null where the adapter or this engine lacks them. */
  readonly fma_f32_flops: number;
  readonly fma_f16_flops: number | null;
  readonly matrix_f16_flops: number | null;
  /** Of a buffer much larger than caches, bytes/s. */
  readonly stream_read_bytes: number;
  readonly stream_write_bytes: number;
  /** Reading the same bytes again, bytes/s, where they are few enough for a cache; and how many bytes that are. */
  readonly cache_read_bytes: number;
  readonly cache_bytes: number;
  /** Of an empty dispatch among many in one pass; of a submit and a four-byte readback. */
  readonly dispatch_ms: number;
  readonly readback_ms: number;
}

const TAG = { stage: 'load', component: 'weights' } as const;
const MIB = 2 ** 20;
/** Least time of a repetition, which is one pass: shorter ones are all start and end. */
const LEAST_MS = 20;
const REPETITIONS = 6;
const MOST_WORKGROUPS = 32768;
/** Steps of an f16 chain, which counts exactly to 2048, are four times this. */
const FMA_ROUNDS = 256;
const FILL = 0x01020304;
const READBACKS = 30;

/** Records so many units of its work. What it leaves behind shows whether all of it was done. */
interface Probe {
  readonly name: string;
  readonly first_units: number;
  readonly record: (units: number) => void;
  readonly check: () => Promise<void>;
}

/**
 * Measures all of them: about three seconds on an adapter that does nothing else meanwhile. Repetitions go round the
 * probes, so that a disturbance does not hit all of one probe's; the best of each counts.
 */
export async function measure_ceilings(
  executor: Executor,
  on_progress: (done: number, total: number) => void = () => {},
): Promise<AdapterCeilings> {
  const { buffers, device } = executor;
  const mark = buffers.mark();
  const stream = stream_bytes(device.max_binding_bytes);
  const timeline = await start_timeline(executor, 'stage');
  try {
    const { words, results } = await buffers.guard('the probes of the ceilings', () => ({
      words: buffers.create('probe words', stream, 'activations'),
      results: buffers.create('probe results', Math.max(FMA_COUNT_BYTES, STREAM_SUM_BYTES), 'activations'),
    }));
    const fma_f32 = fma_probe(executor, probe_fma_f32, results);
    const fma_f16 = device.features.has('shader-f16') ? fma_probe(executor, probe_fma_f16, results) : undefined;
    const write = write_probe(executor, words);
    const reads = working_sets(stream).map((bytes) => ({ bytes, probe: read_probe(executor, words, results, bytes) }));
    const empty = empty_probe(executor, results);
    const probes = [fma_f32, ...(fma_f16 ? [fma_f16] : []), write, ...reads.map(({ probe }) => probe), empty];
    const rates = await best_rates(timeline, probes, on_progress);
    const rate = (probe: Probe): number => rates.get(probe) as number;
    const fma_unit = probe_fma_f32.flops({ ...FMA_PARAMS, workgroups: 1 }, {}).useful;
    const read_rates = reads.map(({ bytes, probe }) => ({ bytes, rate: rate(probe) * STREAM_UNIT_BYTES }));
    return {
      fma_f32_flops: rate(fma_f32) * fma_unit,
      fma_f16_flops: fma_f16 ? rate(fma_f16) * fma_unit : null,
      matrix_f16_flops: null,
      stream_write_bytes: rate(write) * STREAM_UNIT_BYTES,
      ...read_ceilings(read_rates),
      dispatch_ms: 1000 / rate(empty),
      readback_ms: await readback_cost(executor, results),
    };
  } finally {
    timeline.close();
    executor.drop();
    buffers.sweep(mark);
  }
}

/** Much more than a cache holds, less than a binding and a small GPU's memory. */
export function stream_bytes(max_binding_bytes: number): number {
  const wanted = Math.min(512 * MIB, 0.75 * max_binding_bytes);
  return Math.max(1, Math.floor(wanted / STREAM_UNIT_BYTES)) * STREAM_UNIT_BYTES;
}

/** The whole stream, and what caches may hold: from 1 MiB up to half of it. */
function working_sets(stream: number): number[] {
  const sizes: number[] = [];
  for (let bytes = MIB; bytes <= stream / 2; bytes *= 2) sizes.push(bytes);
  return [...sizes, stream];
}

/** The last of the working sets is the stream; the cache is the largest set that is read nearer to the best rate than to it. */
export function read_ceilings(
  sets: readonly { readonly bytes: number; readonly rate: number }[],
): Pick<AdapterCeilings, 'stream_read_bytes' | 'cache_read_bytes' | 'cache_bytes'> {
  const stream = sets.at(-1)?.rate ?? 0;
  const best = Math.max(...sets.map(({ rate }) => rate));
  const fitting = sets.filter(({ rate }) => rate > stream && rate >= (best + stream) / 2);
  return {
    stream_read_bytes: stream,
    cache_read_bytes: best,
    cache_bytes: Math.max(0, ...fitting.map(({ bytes }) => bytes)),
  };
}

const FMA_PARAMS = { rounds: FMA_ROUNDS, factor: 1, term: 1 };

function fma_probe(executor: Executor, kernel: typeof probe_fma_f32, counts: Buffer): Probe {
  return {
    name: kernel.name,
    first_units: 256,
    record: (units) => {
      for (const workgroups of parts_of(units))
        executor.dispatch(kernel, { counts }, { ...FMA_PARAMS, workgroups }, {}, TAG);
    },
    check: async () => {
      const counted = new Float32Array(await executor.read(counts, 0, 256));
      check_result(kernel.name, counted, fma_count(FMA_ROUNDS));
    },
  };
}

/** Comes before the reads, which expect the words filled. */
function write_probe(executor: Executor, words: Buffer): Probe {
  const wrap = words.bytes / STREAM_UNIT_BYTES;
  return {
    name: probe_write.name,
    first_units: wrap,
    record: (units) => {
      for (const workgroups of parts_of(units))
        executor.dispatch(probe_write, { words }, { wrap, value: FILL, workgroups }, {}, TAG);
    },
    check: async () => {
      const last = new Uint32Array(await executor.read(words, words.bytes - 256, 256));
      check_result(probe_write.name, last, FILL);
    },
  };
}

function read_probe(executor: Executor, words: Buffer, sums: Buffer, bytes: number): Probe {
  const wrap = bytes / STREAM_UNIT_BYTES;
  return {
    name: probe_read.name,
    first_units: words.bytes / STREAM_UNIT_BYTES,
    record: (units) => {
      for (const workgroups of parts_of(units))
        executor.dispatch(probe_read, { words, sums }, { wrap, workgroups }, {}, TAG);
    },
    check: async () => {
      const summed = new Uint32Array(await executor.read(sums, 0, 256));
      check_result(probe_read.name, summed, stream_sum(FILL, executor.device.traits));
    },
  };
}

function empty_probe(executor: Executor, mark: Buffer): Probe {
  let value = 0;
  return {
    name: probe_empty.name,
    first_units: 1000,
    record: (units) => {
      for (let i = 0; i < units; i++) executor.dispatch(probe_empty, { mark }, { value: ++value }, {}, TAG);
    },
    check: async () => check_result(probe_empty.name, new Uint32Array(await executor.read(mark, 0, 4)), value),
  };
}

function parts_of(units: number): number[] {
  const full = new Array<number>(Math.floor(units / MOST_WORKGROUPS)).fill(MOST_WORKGROUPS);
  return units % MOST_WORKGROUPS === 0 ? full : [...full, units % MOST_WORKGROUPS];
}

/** Units a second of each probe's best repetition. */
async function best_rates(
  timeline: Timeline,
  probes: readonly Probe[],
  on_progress: (done: number, total: number) => void,
): Promise<Map<Probe, number>> {
  const total = probes.length * (1 + REPETITIONS);
  const rates = new Map<Probe, number>();
  const units = new Map<Probe, number>();
  let done = 0;
  for (const probe of probes) {
    units.set(probe, await enough_units(timeline, probe));
    await probe.check();
    on_progress(++done, total);
  }
  for (let i = 0; i < REPETITIONS; i++) {
    for (const probe of probes) {
      const count = units.get(probe) as number;
      const rate = (1000 * count) / (await pass_ms(timeline, probe, count));
      rates.set(probe, Math.max(rates.get(probe) ?? 0, rate));
      on_progress(++done, total);
    }
  }
  return rates;
}

/** More work until a pass is long enough; the first pass also compiles the kernel. */
async function enough_units(timeline: Timeline, probe: Probe): Promise<number> {
  let units = probe.first_units;
  for (let i = 0; i < 20; i++) {
    const ms = await pass_ms(timeline, probe, units);
    if (ms >= LEAST_MS) return units;
    units *= Math.min(8, Math.max(2, Math.ceil((1.2 * LEAST_MS) / ms)));
  }
  throw new InputError(
    `ceilings: ${probe.name} never took ${LEAST_MS} ms; the adapter's time stamps are at fault: update the driver`,
  );
}

async function pass_ms(timeline: Timeline, probe: Probe, units: number): Promise<number> {
  probe.record(units);
  const { sum_ns } = await timeline.collect();
  if (sum_ns > 0) return sum_ns / 1e6;
  throw new InputError(
    `ceilings: a pass of ${probe.name} took ${sum_ns} ns by the adapter's time stamps; they are at fault: update the driver`,
  );
}

/** Host wall time of a submit that copies four bytes out, from a GPU at rest. */
async function readback_cost(executor: Executor, from: Buffer): Promise<number> {
  let best_ms = Number.POSITIVE_INFINITY;
  for (let i = 0; i < READBACKS; i++) {
    const started_ms = performance.now();
    await executor.read(from, 0, 4);
    best_ms = Math.min(best_ms, performance.now() - started_ms);
  }
  return best_ms;
}

function check_result(name: string, found: ArrayLike<number>, expected: number): void {
  const wrong = Array.from(found).find((value) => value !== expected);
  if (wrong === undefined) return;
  throw new InputError(
    `ceilings: ${name} should leave ${expected} everywhere and left ${wrong}: the driver is at fault; run \`molmoe verify\``,
  );
}
