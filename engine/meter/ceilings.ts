import { probe_empty } from '../../kernels/probe_empty/probe_empty.ts';
import {
  FMA_COUNT_BYTES,
  FMA_FORMS,
  type FmaForm,
  fma_count,
  fma_name,
  fma_options,
  probe_fma_f16,
  probe_fma_f32,
} from '../../kernels/probe_fma/probe_fma.ts';
import {
  probe_read,
  probe_write,
  READ_FORMS,
  STREAM_SUM_BYTES,
  STREAM_UNIT_BYTES,
  type StreamForm,
  stream_name,
  stream_options,
  stream_sum,
  WRITE_FORMS,
} from '../../kernels/probe_stream/probe_stream.ts';
import { InputError } from '../errors.ts';
import type { Buffer } from '../gpu/buffers.ts';
import type { Executor } from '../gpu/executor.ts';
import { start_timeline, type Timeline } from '../gpu/timeline.ts';

/** Raise it when a probe changes: ceilings kept under another number are measured again. */
export const PROBES_VERSION = 2;

/** Of the forms of a probe that were tried, the one that was fastest. */
export interface WinningForm {
  readonly form: string;
  readonly of: number;
}

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
  /** Which probes measured them (PROBES_VERSION); what those of other versions found is not comparable. Absent: 1. */
  readonly probes?: number;
  /** What each is the rate of; not there in what older probes measured, which had one form each. */
  readonly forms?: {
    readonly fma_f32: WinningForm;
    readonly fma_f16: WinningForm | null;
    readonly stream_read: WinningForm;
    readonly stream_write: WinningForm;
    readonly cache_read: WinningForm;
  };
}

const TAG = { stage: 'load', component: 'weights' } as const;
const MIB = 2 ** 20;
/** Least time of a repetition, which is one pass: shorter ones are all start and end. A first look at a form takes less. */
const LEAST_MS = 12;
const LOOK_MS = 5;
const REPETITIONS = 5;
/** So many of a probe's forms are repeated after the first look at all. */
const FINALISTS = 2;
const MOST_WORKGROUPS = 32768;
/** Steps of an f16 chain, which counts exactly to 2048, are four times this. */
const FMA_ROUNDS = 256;
const FILL = 0x01020304;
const READBACKS = 30;
/** What the cached reads are first looked at with. */
const LOOK_BYTES = MIB;

/** Records so many units of its work. What it leaves behind shows whether all of it was done. */
interface Probe {
  readonly name: string;
  readonly form: string;
  /** FLOPs or bytes of a unit, or one launch. */
  readonly amount: number;
  readonly first_units: number;
  readonly record: (units: number) => void;
  readonly check: () => Promise<void>;
}

/**
 * Measures all of them: some seconds on an adapter that does nothing else meanwhile. Of each probe all forms are looked
 * at, and the fastest few repeated; repetitions go round the probes, so that a disturbance does not hit all of one
 * probe's; the best counts.
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
    const suits = ({ hardware_only }: StreamForm) => !(hardware_only && device.traits.software);
    const [read_forms, write_forms] = [READ_FORMS.filter(suits), WRITE_FORMS.filter(suits)];
    const fma_f32 = FMA_FORMS.map((form) => fma_probe(executor, probe_fma_f32, form, results));
    const has_half = device.features.has('shader-f16');
    const fma_f16 = has_half ? FMA_FORMS.map((form) => fma_probe(executor, probe_fma_f16, form, results)) : [];
    const write = write_forms.map((form) => write_probe(executor, form, words));
    const read_of = (bytes: number) => (form: StreamForm) => read_probe(executor, form, words, results, bytes);
    const sets = working_sets(stream);
    const looked_bytes = Math.min(LOOK_BYTES, stream);
    const looks = { stream: read_forms.map(read_of(stream)), cache: read_forms.map(read_of(looked_bytes)) };
    const empty = empty_probe(executor, results);

    const looked = [...fma_f32, ...fma_f16, ...write, ...looks.stream, ...looks.cache, empty];
    const kept_reads = Math.min(1 + FINALISTS, read_forms.length);
    const repeats = FINALISTS * (has_half ? 3 : 2) + kept_reads * sets.length + 1;
    const total = looked.length + repeats * (1 + REPETITIONS);
    let done = 0;
    const tell = () => on_progress(++done, total);
    const first = await first_looks(timeline, looked, tell);
    const best = (probes: readonly Probe[]) => fastest(probes, first).slice(0, FINALISTS);
    const in_turn = (probes: readonly Probe[]) => fastest(probes, first).map((probe) => probes.indexOf(probe));
    // The best of the stream and the best of a cache, which may be the same: each for every working set.
    const kept = [...new Set([in_turn(looks.stream)[0] as number, ...in_turn(looks.cache)])].slice(0, kept_reads);
    const kept_forms = kept.map((i) => read_forms[i] as StreamForm);
    const reads = sets.map((bytes) => ({ bytes, probes: kept_forms.map(read_of(bytes)) }));
    const finals = { fma_f32: best(fma_f32), fma_f16: best(fma_f16), write: best(write) };
    const repeated = [...Object.values(finals).flat(), ...reads.flatMap(({ probes }) => probes), empty];
    const rates = await best_rates(timeline, repeated, tell);
    const winner = (probes: readonly Probe[]) => {
      const probe = fastest(probes, rates)[0] as Probe;
      return { rate: rates.get(probe) as number, form: probe.form };
    };
    const winners = { fma_f32: winner(finals.fma_f32), write: winner(finals.write) };
    const half = has_half ? winner(finals.fma_f16) : undefined;
    const by_set = reads.map(({ bytes, probes }) => ({ bytes, ...winner(probes) }));
    const read = read_ceilings(by_set);
    const cached = by_set.find(({ rate }) => rate === read.cache_read_bytes) as { form: string };
    const { form: streamed } = by_set.at(-1) as { form: string };
    return {
      probes: PROBES_VERSION,
      fma_f32_flops: winners.fma_f32.rate,
      fma_f16_flops: half?.rate ?? null,
      matrix_f16_flops: null,
      stream_write_bytes: winners.write.rate,
      ...read,
      dispatch_ms: 1000 / (rates.get(empty) as number),
      readback_ms: await readback_cost(executor, results),
      forms: {
        fma_f32: { form: winners.fma_f32.form, of: fma_f32.length },
        fma_f16: half ? { form: half.form, of: fma_f16.length } : null,
        stream_read: { form: streamed, of: read_forms.length },
        stream_write: { form: winners.write.form, of: write.length },
        cache_read: { form: cached.form, of: read_forms.length },
      },
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

/** The whole stream, and what caches may hold: from 256 KiB up to half of it. */
function working_sets(stream: number): number[] {
  const sizes: number[] = [];
  for (let bytes = MIB / 4; bytes <= stream / 2; bytes *= 2) sizes.push(bytes);
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

function fma_probe(executor: Executor, kernel: typeof probe_fma_f32, form: FmaForm, counts: Buffer): Probe {
  const options = fma_options(form);
  return {
    name: kernel.name,
    form: fma_name(form),
    amount: kernel.flops({ ...FMA_PARAMS, workgroups: 1 }, options).useful,
    first_units: 16,
    record: (units) => {
      for (const workgroups of parts_of(units))
        executor.dispatch(kernel, { counts }, { ...FMA_PARAMS, workgroups }, options, TAG);
    },
    check: async () => {
      const counted = new Float32Array(await executor.read(counts, 0, 256));
      check_result(kernel.name, counted, fma_count(FMA_ROUNDS, form));
    },
  };
}

/** Comes before the reads, which expect the words filled. */
function write_probe(executor: Executor, form: StreamForm, words: Buffer): Probe {
  const wrap = words.bytes / STREAM_UNIT_BYTES;
  const options = stream_options(form);
  return {
    name: probe_write.name,
    form: stream_name(form),
    amount: STREAM_UNIT_BYTES,
    first_units: wrap,
    record: (units) => {
      for (const workgroups of parts_of(units))
        executor.dispatch(probe_write, { words }, { wrap, value: FILL, workgroups }, options, TAG);
    },
    check: async () => {
      const last = new Uint32Array(await executor.read(words, words.bytes - 256, 256));
      check_result(probe_write.name, last, FILL);
    },
  };
}

function read_probe(executor: Executor, form: StreamForm, words: Buffer, sums: Buffer, bytes: number): Probe {
  const wrap = bytes / STREAM_UNIT_BYTES;
  const options = stream_options(form);
  return {
    name: probe_read.name,
    form: stream_name(form),
    amount: STREAM_UNIT_BYTES,
    first_units: wrap * Math.ceil((16 * MIB) / bytes),
    record: (units) => {
      for (const workgroups of parts_of(units))
        executor.dispatch(probe_read, { words, sums }, { wrap, workgroups }, options, TAG);
    },
    check: async () => {
      const summed = new Uint32Array(await executor.read(sums, 0, 256));
      check_result(probe_read.name, summed, stream_sum(FILL, form));
    },
  };
}

function empty_probe(executor: Executor, mark: Buffer): Probe {
  let value = 0;
  return {
    name: probe_empty.name,
    form: 'one thread',
    amount: 1,
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

const fastest = (probes: readonly Probe[], rates: ReadonlyMap<Probe, number>): Probe[] =>
  probes.toSorted((a, b) => (rates.get(b) as number) - (rates.get(a) as number));

/** A short pass of each, compiled and checked: what it does a second, roughly. */
async function first_looks(
  timeline: Timeline,
  probes: readonly Probe[],
  tell: () => void,
): Promise<Map<Probe, number>> {
  const rates = new Map<Probe, number>();
  for (const probe of probes) {
    const { units, ms } = await enough_units(timeline, probe, LOOK_MS);
    await probe.check();
    rates.set(probe, (1000 * units * probe.amount) / ms);
    tell();
  }
  return rates;
}

/** What each probe does a second in its best repetition. */
async function best_rates(timeline: Timeline, probes: readonly Probe[], tell: () => void): Promise<Map<Probe, number>> {
  const rates = new Map<Probe, number>();
  const units = new Map<Probe, number>();
  for (const probe of probes) {
    units.set(probe, (await enough_units(timeline, probe, LEAST_MS)).units);
    await probe.check();
    tell();
  }
  for (let i = 0; i < REPETITIONS; i++) {
    for (const probe of probes) {
      const count = units.get(probe) as number;
      const rate = (1000 * count * probe.amount) / (await pass_ms(timeline, probe, count));
      rates.set(probe, Math.max(rates.get(probe) ?? 0, rate));
      tell();
    }
  }
  return rates;
}

/** More work until a pass is long enough; the first pass, which also compiles the kernel, does not count. */
async function enough_units(
  timeline: Timeline,
  probe: Probe,
  least_ms: number,
): Promise<{ readonly units: number; readonly ms: number }> {
  let units = probe.first_units;
  await pass_ms(timeline, probe, units);
  for (let i = 0; i < 20; i++) {
    const ms = await pass_ms(timeline, probe, units);
    if (ms >= least_ms) return { units, ms };
    units *= Math.min(8, Math.max(2, Math.ceil((1.2 * least_ms) / ms)));
  }
  throw new InputError(
    `ceilings: ${probe.name} never took ${least_ms} ms; the adapter's time stamps are at fault: update the driver`,
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
