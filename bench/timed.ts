import { TooLargeError } from '../engine/errors.ts';
import type { Buffer } from '../engine/gpu/buffers.ts';
import { type Executor, make_executor } from '../engine/gpu/executor.ts';
import type { VariantChoice } from '../engine/gpu/pipelines.ts';
import { start_timeline, type Timeline } from '../engine/gpu/timeline.ts';
import { type Counts, make_ledger } from '../engine/meter/ledger.ts';
import { expert_matmul } from '../kernels/expert_matmul/expert_matmul.ts';
import { FORMATS, type Kernel, type Variant } from '../kernels/spec.ts';
import type { Data, KernelCase, Want } from '../test/reference/cases/case.ts';
import type { BenchCase, Setting } from './cases.ts';
import type { Target } from './target.ts';

/** Sums of a few thousand f32 products end about a millionth off; a wrong index, mask or place is off by about one. */
const TOLERANCE = 1e-4;
const LEAST_MS = 150;
const MOST_RUNS = 7;
const MOST_BATCH = 32;

/** GPU time of one operation, or host time around fences where the adapter has no stamps; and what its mathematics needs. */
export type Timed = Awaited<ReturnType<typeof best_of>>;

/** One variant of every kernel that has it, on a device that others share; `auto`: what the engine would run. */
export interface Contestant {
  readonly name: VariantChoice;
  readonly executor: Executor;
  readonly timeline: Timeline;
  readonly setting: Setting;
}

export async function open_contestant({ device, tuning }: Executor, name: VariantChoice): Promise<Contestant> {
  const executor = make_executor(device, name, name === 'auto' ? tuning : {});
  const timeline = await start_timeline(executor, 'kernel');
  const { traits, max_binding_bytes } = device;
  const sorted_for = { most_pairs: 4096, expert_count_total: 64 };
  const variant =
    name === 'auto' ? executor.choose(expert_matmul, sorted_for, { WEIGHT_FORMAT: FORMATS.f16 }) : { name };
  return { name, executor, timeline, setting: { traits, max_binding_bytes, variant } };
}

export const variant_names = (kernels: Iterable<Kernel>): Variant['name'][] => [
  ...new Set([...kernels].flatMap(({ variants }) => variants.map(({ name }) => name))),
];

/** Whether this variant, and not a stand-in for it, would run the case. */
export const takes_part = ({ name, executor }: Contestant, { kernel, launches }: KernelCase): boolean =>
  kernel.variants.some((variant) => variant.name === name) &&
  launches
    .filter((launch) => launch.kernel === kernel)
    .every(({ params, options }) => executor.choose(kernel, params, options).name === name);

export interface Opened {
  readonly uploaded: Readonly<Record<string, Buffer>>;
  /** What they held when they were made. */
  readonly data: Readonly<Record<string, Data>>;
  readonly want: () => readonly Want[];
}

/** Makes a case's buffers for as long as `work` takes; `record` hands its launches to the executor. */
export async function record_case<T>(
  { executor }: Contestant,
  made: BenchCase,
  work: (record: () => void, opened: Opened) => Promise<T>,
): Promise<T> {
  const mark = executor.buffers.mark();
  try {
    const { buffers, want } = made.open();
    const uploaded = upload(executor, buffers);
    return await work(() => dispatch(executor, made, uploaded), { uploaded, data: buffers, want });
  } finally {
    executor.drop();
    executor.buffers.sweep(mark);
  }
}

/**
 * Checks a case against the CPU reference, then times it, or all of its launches. What is wrong, or larger than this device
 * allows, is told and not timed.
 */
export async function time_case(contestant: Contestant, made: BenchCase, whole = false): Promise<Timed | string> {
  const { executor, timeline } = contestant;
  try {
    return await record_case(contestant, made, async (record, { uploaded, data, want: wants }) => {
      record();
      for (const want of wants()) {
        const wrong = await difference(executor, uploaded[want.buffer] as Buffer, data[want.buffer] as Data, want);
        if (wrong !== undefined) return `wrong: ${wrong}`;
      }
      await timeline.collect();
      return best_of(timeline, whole ? undefined : made.kernel, record);
    });
  } catch (error) {
    return `${error instanceof TooLargeError ? 'not run' : 'wrong'}: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** The target with what was measured, or with what is wrong. */
export async function judged(on: Contestant, made: BenchCase, target: Target, value: (timed: Timed) => number) {
  const timed = await time_case(on, made);
  return typeof timed === 'string' ? { ...target, reason: timed } : { ...target, value: value(timed) };
}

export function upload(executor: Executor, data: Readonly<Record<string, Data>>): Record<string, Buffer> {
  return Object.fromEntries(
    Object.entries(data).map(([name, values]) => {
      const buffer = executor.buffers.create(name, values.byteLength, 'activations');
      executor.device.gpu.queue.writeBuffer(buffer.gpu, 0, values as Float32Array<ArrayBuffer>);
      return [name, buffer];
    }),
  );
}

export function dispatch(executor: Executor, made: BenchCase, uploaded: Readonly<Record<string, Buffer>>): void {
  for (const { kernel, params, options, bind } of made.launches) {
    const bound = Object.fromEntries(kernel.bindings.map(({ name }) => [name, uploaded[bind[name] ?? name]]));
    executor.dispatch(kernel, bound, params, options, { stage: made.stage, component: 'mlp' });
  }
}

async function difference(executor: Executor, from: Buffer, data: Data, want: Want): Promise<string | undefined> {
  const Type = data.constructor as Uint32ArrayConstructor;
  const got = new Type(await executor.read(from, 0, data.byteLength));
  const { at, values } = want;
  let [squares, known] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) continue; // may hold anything
    squares += (values[i] as number) ** 2;
    known += 1;
  }
  const allowed = data instanceof Float32Array ? TOLERANCE * Math.sqrt(squares / known) : 0;
  let wrong = 0;
  let first: string | undefined;
  for (let i = 0; i < values.length; i++) {
    const place = at?.[i] ?? i;
    if (Number.isNaN(values[i]) || Math.abs((got[place] as number) - (values[i] as number)) <= allowed) continue;
    wrong += 1;
    first ??= `${want.buffer}[${place}] is ${got[place]}, the reference ${values[i]}`;
  }
  return first && `${first} (${wrong} of ${values.length} looked at are off)`;
}

/** Operations that take little are run many together: a collection costs more than they do. */
async function best_of(timeline: Timeline, kernel: Kernel | undefined, record: () => void) {
  const samples_ms: number[] = [];
  let counts: Counts | undefined;
  let batch = 1;
  let total_ms = 0;
  while (samples_ms.length < 2 || (samples_ms.length < MOST_RUNS && total_ms < LEAST_MS)) {
    for (let i = 0; i < batch; i++) record();
    const { spans } = await timeline.collect();
    const own = spans.filter((span) => kernel === undefined || span.first.kernel === kernel);
    const ms = own.reduce((sum, span) => sum + span.own_ns, 0) / 1e6 / batch;
    if (counts === undefined) {
      const ledger = make_ledger();
      for (const span of own) ledger.record(span.first);
      counts = ledger.sum();
      batch = Math.max(1, Math.min(MOST_BATCH, Math.floor(20 / Math.max(ms, 0.01))));
    }
    samples_ms.push(ms);
    total_ms += ms * batch;
    if (ms > 4 * LEAST_MS) break;
  }
  return { ms: Math.min(...samples_ms), samples_ms, counts: counts as Counts };
}
