import type { Kernel, Options, Params, Variant } from '../../kernels/spec.ts';
import { type Buffer, type Buffers, make_buffers } from './buffers.ts';
import type { Device } from './device.ts';
import type { HostWatcher, PassPlan } from './dispatch.ts';
import { make_encoder } from './encoder.ts';
import { make_pipelines, type Tuning, type VariantChoice } from './pipelines.ts';
import { make_readback } from './readback.ts';
import { make_recorder, type Recorder } from './recorder.ts';
import { polite } from './wait.ts';

export type { Component, Dispatch, HostWatcher, HostWork, PassPlan, Stage, Tag } from './dispatch.ts';

export interface Executor extends Pick<Recorder, 'dispatch' | 'again' | 'recorded' | 'observe'> {
  readonly device: Device;
  readonly buffers: Buffers;
  readonly variant: VariantChoice;
  readonly tuning: Tuning;
  /** Other variants from the next dispatch on: for the tuner, between two requests. */
  readonly prefer: (variant: VariantChoice, tuning: Tuning) => void;
  /** Starts compiling what a dispatch would run. */
  readonly compile: <P extends string>(kernel: Kernel<P>, params: Params<P>, options: Options) => void;
  /** The variant that a dispatch would run; `params` needs only what the kernel's shape class is made of. */
  readonly choose: <P extends string>(kernel: Kernel<P>, params: Partial<Params<P>>, options: Options) => Variant;
  readonly copy: (from: Buffer, from_offset: number, to: Buffer, to_offset: number, bytes: number) => void;
  readonly write: (to: Buffer, offset: number, data: ArrayBufferView) => void;
  /** Records other commands between passes: resolving queries. */
  readonly commands: (encode: (encoder: GPUCommandEncoder) => void) => void;
  /** Forgets what was recorded and not flushed: after an error or an abort. */
  readonly drop: () => void;
  /** Compiles what is missing, encodes and submits everything recorded. */
  readonly flush: () => Promise<void>;
  /** flush, then waits until the GPU is done. */
  readonly finish: () => Promise<void>;
  /** Copies a range to the host after everything recorded before it. */
  readonly read: (from: Buffer, offset: number, bytes: number) => Promise<ArrayBuffer>;
  /** As `read`, in two halves: submits the copy now, and waits for it when the returned function is called (once). */
  readonly read_later: (from: Buffer, offset: number, bytes: number) => Promise<() => Promise<ArrayBuffer>>;
  readonly plan_passes: (plan: PassPlan | undefined) => void;
  /** Sees when the host did what, on its own clock (performance.now). */
  readonly watch_host: (watcher: HostWatcher | undefined) => void;
  readonly pipeline_count: () => number;
  readonly destroy: () => void;
}

export function make_executor(device: Device, variant: VariantChoice = 'auto', tuning: Tuning = {}): Executor {
  const buffers = make_buffers(device);
  const pipelines = make_pipelines(device);
  pipelines.prefer(variant, tuning);
  const recorder = make_recorder(pipelines, device.traits, buffers.create('unused', 256, 'tables'));
  const encode = make_encoder(device, buffers, pipelines);
  const readback = make_readback(buffers);
  let plan: PassPlan | undefined;
  let watcher: HostWatcher | undefined;

  const flush = async () => {
    const batch = recorder.take();
    const started_ms = performance.now();
    let compiled = false;
    for (const entry of batch) {
      if (entry.kind !== 'dispatch' || entry.dispatch.pipeline.gpu !== undefined) continue;
      await entry.dispatch.pipeline.ready;
      compiled = true;
    }
    if (compiled) watcher?.('compile', started_ms, performance.now());
    await encode(batch, plan, watcher);
    device.check();
  };

  const wait = async <T>(pending: Promise<T>): Promise<T> => {
    const started_ms = performance.now();
    try {
      return await polite(pending, device.traits.software);
    } finally {
      watcher?.('wait', started_ms, performance.now());
      device.check();
    }
  };

  const finish = async () => {
    await flush();
    await wait(device.gpu.queue.onSubmittedWorkDone());
  };

  const read_later: Executor['read_later'] = async (from, offset, bytes) => {
    const { entry, fetch } = readback.copy(from, offset, bytes);
    recorder.add(entry);
    await flush();
    return () => fetch(wait, () => watcher);
  };

  return {
    device,
    buffers,
    variant,
    tuning,
    prefer: pipelines.prefer,
    compile: (kernel, params, options) => void pipelines.get(kernel as Kernel, options, params as Params),
    choose: (kernel, params, options) => pipelines.choose(kernel as Kernel, options, params as Params),
    dispatch: recorder.dispatch,
    recorded: recorder.recorded,
    again: recorder.again,
    copy: (from, from_offset, to, to_offset, bytes) => {
      recorder.add({ kind: 'copy', from, from_offset, to, to_offset, bytes });
    },
    write: (to, offset, data) => {
      // Copied: the caller may change its array before the flush.
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
      recorder.add({ kind: 'write', to, offset, data: bytes });
    },
    commands: (encode) => {
      recorder.add({ kind: 'commands', encode });
    },
    drop: () => void recorder.take(),
    flush,
    finish,
    read: async (...range) => (await read_later(...range))(),
    read_later,
    observe: recorder.observe,
    plan_passes: (next) => {
      plan = next;
    },
    watch_host: (next) => {
      watcher = next;
    },
    pipeline_count: pipelines.count,
    destroy: device.destroy,
  };
}
