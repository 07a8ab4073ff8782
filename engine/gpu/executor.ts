import type { Bytes, Flops, Grid, Kernel, Options, Params, Variant } from '../../kernels/spec.ts';
import { InputError } from '../errors.ts';
import { type Buffer, type Buffers, make_buffers, USAGE } from './buffers.ts';
import type { Device } from './device.ts';
import {
  type BoundGroup,
  make_pipelines,
  PARAM_BYTES,
  type Pipeline,
  pack_params,
  type Tuning,
  type VariantChoice,
} from './pipelines.ts';
import { polite } from './wait.ts';

export type Stage = 'load' | 'vision_encoder' | 'projector' | 'prefill' | 'decode';
export type Component =
  | 'patch_embed'
  | 'attention'
  | 'mlp'
  | 'pooling'
  | 'norm'
  | 'moe_router'
  | 'moe_experts'
  | 'embed'
  | 'lm_head'
  | 'sample'
  | 'weights';

/** Where in the model a dispatch belongs; every counter is summed by these. */
export interface Tag {
  readonly stage: Stage;
  readonly layer?: number;
  readonly component: Component;
}

/** One recorded kernel launch with its exact cost. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly pipeline: Pipeline;
  readonly options: Options;
  readonly params: Params;
  readonly buffers: readonly Buffer[];
  readonly tag: Tag;
  readonly flops: Flops;
  readonly bytes: Bytes;
}

/** A dispatch's parameters: in the slab from `at` on. */
interface Packed {
  readonly slab: Uint8Array;
  readonly at: number;
}

/** Keeps what encoding made of it, should it be recorded again. */
interface Recorded extends Dispatch {
  group?: GPUBindGroup;
  packed?: Packed;
  grid?: Grid;
}

/**
 * How passes are cut and stamped: the timeline's business. Without one, everything between two submits is one pass.
 */
export interface PassPlan {
  readonly starts_new_pass: (previous: Dispatch, next: Dispatch) => boolean;
  readonly timestamps: (first: Dispatch) => GPUComputePassTimestampWrites | undefined;
  /** Where the GPU has no stamps: each pass is submitted by itself, waited for, and told with the host's clock. */
  readonly fenced?: (first: Dispatch, begin_ms: number, end_ms: number) => void;
}

/** What the host does for a request. */
export type HostWork = 'compile' | 'encode' | 'submit' | 'wait' | 'read back';

type FencedPass = NonNullable<PassPlan['fenced']>;

export interface Executor {
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
  /** Records a launch; nothing runs before flush. */
  readonly dispatch: <P extends string>(
    kernel: Kernel<P>,
    buffers: Readonly<Record<string, Buffer | undefined>>,
    params: Params<P>,
    options: Options,
    tag: Tag,
  ) => void;
  /** The launches recorded since the last flush. */
  readonly recorded: () => readonly Dispatch[];
  /**
   * Records launches again, what `moves` in their parameters by so much further on, and returns them: a step that differs
   * from the last in nothing else.
   */
  readonly again: (launches: readonly Dispatch[], by: number) => readonly Dispatch[];
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
  readonly observe: (observer: ((dispatch: Dispatch) => void) | undefined) => void;
  readonly plan_passes: (plan: PassPlan | undefined) => void;
  /** Sees when the host did what, on its own clock (performance.now). */
  readonly watch_host: (watcher: HostWatcher | undefined) => void;
  readonly pipeline_count: () => number;
  readonly destroy: () => void;
}

export type HostWatcher = (work: HostWork, started_ms: number, ended_ms: number) => void;

type Entry =
  | { readonly kind: 'dispatch'; readonly dispatch: Recorded }
  | {
      readonly kind: 'copy';
      readonly from: Buffer;
      readonly from_offset: number;
      readonly to: Buffer;
      readonly to_offset: number;
      readonly bytes: number;
    }
  | { readonly kind: 'commands'; readonly encode: (encoder: GPUCommandEncoder) => void }
  | { readonly kind: 'write'; readonly to: Buffer; readonly offset: number; readonly data: Uint8Array };

const UNIFORM_STRIDE = 256;
/** Parameters are packed into one of these after the other: a typed array for each would take longer than packing. */
const SLAB_BYTES = 256 * PARAM_BYTES;

/** Those that hold a buffer, or all of them. */
function forget_groups(pipeline: Pipeline, holding: Buffer | undefined): void {
  const left = holding === undefined ? [] : pipeline.groups.filter(({ buffers }) => !buffers.includes(holding));
  pipeline.groups.splice(0, pipeline.groups.length, ...left);
  pipeline.latest_group = -1;
}

type ImmediatePass = GPUComputePassEncoder & {
  setImmediates(offset: number, data: ArrayBufferView, from: number, size: number): void;
};

export function make_executor(device: Device, variant: VariantChoice = 'auto', tuning: Tuning = {}): Executor {
  const buffers = make_buffers(device);
  const pipelines = make_pipelines(device);
  pipelines.prefer(variant, tuning);
  const unused = buffers.create('unused', 256, 'tables');
  const users_of = new Map<number, Set<Pipeline>>();
  const staging = new Map<number, Buffer[]>();
  let slab = new Uint8Array(SLAB_BYTES);
  let slab_view = new DataView(slab.buffer);
  let slab_used = 0;
  let uniforms: Buffer | undefined;
  let entries: Entry[] = [];
  let observer: ((dispatch: Dispatch) => void) | undefined;
  let plan: PassPlan | undefined;
  let watcher: HostWatcher | undefined;

  buffers.on_destroy((buffer) => {
    const users = buffer === uniforms ? pipelines.all() : (users_of.get(buffer.id) ?? []);
    for (const pipeline of users) forget_groups(pipeline, buffer === uniforms ? undefined : buffer);
    users_of.delete(buffer.id);
  });

  const dispatch: Executor['dispatch'] = (kernel, bound, params, options, tag) => {
    const pipeline = pipelines.get(kernel as Kernel, options, params as Params);
    const list: Buffer[] = [];
    for (const binding of kernel.bindings) {
      const buffer = bound[binding.name];
      if (buffer === undefined && !binding.optional)
        throw new Error(`${kernel.name}: binding ${binding.name} is missing`);
      list.push(buffer ?? unused);
    }
    record({
      ...{ kernel: kernel as Kernel, pipeline, options, params: params as Params, buffers: list, tag },
      ...cost(kernel as Kernel, pipeline, params as Params, options),
    });
  };

  const cost = (kernel: Kernel, { variant }: Pipeline, params: Params, options: Options) => {
    const { useful, other } = kernel.flops(params, options);
    const executed = variant.executed?.(params, options, device.traits) ?? useful;
    const bytes = kernel.bytes(params, options);
    if (!Number.isFinite(executed + other + bytes.weights + bytes.read + bytes.written + bytes.kv))
      throw new Error(`${kernel.name}: a parameter is missing: its cost is no number`);
    return { flops: { useful, executed, other }, bytes };
  };

  const record = (made: Recorded): void => {
    entries.push({ kind: 'dispatch', dispatch: made });
    observer?.(made);
  };

  const again: Executor['again'] = (launches, by) =>
    launches.map((launch: Recorded) => {
      const { kernel, pipeline, options, buffers: bound, tag } = launch;
      let next = launch;
      if (kernel.moves !== undefined) {
        const params: Record<string, number> = { ...launch.params };
        for (const name of kernel.moves) params[name] = (params[name] as number) + by;
        const { flops, bytes } = cost(kernel, pipeline, params, options);
        next = { kernel, pipeline, options, params, buffers: bound, tag, flops, bytes, group: launch.group };
      }
      record(next);
      return next;
    });

  const bind_group = ({ pipeline, buffers: bound }: Dispatch): GPUBindGroup => {
    const { groups } = pipeline;
    // Layers come in the same order each step: the next group is most likely the one behind the last.
    for (let tried = 1; tried <= groups.length; tried++) {
      const at = (pipeline.latest_group + tried) % groups.length;
      const known = groups[at] as BoundGroup;
      if (!known.buffers.every((buffer, i) => buffer === bound[i])) continue;
      pipeline.latest_group = at;
      return known.gpu;
    }
    const resources: GPUBindGroupEntry[] = bound.map((b, binding) => ({ binding, resource: { buffer: b.gpu } }));
    if (uniforms !== undefined) {
      resources.push({ binding: resources.length, resource: { buffer: uniforms.gpu, size: PARAM_BYTES } });
    }
    const gpu = device.gpu.createBindGroup({ layout: pipeline.layout, entries: resources });
    pipeline.latest_group = groups.push({ buffers: bound, gpu }) - 1;
    for (const buffer of bound) {
      const users = users_of.get(buffer.id);
      if (users === undefined) users_of.set(buffer.id, new Set([pipeline]));
      else users.add(pipeline);
    }
    return gpu;
  };

  /** Without immediates: every dispatch's parameters in one uniform buffer, 256 bytes apart. */
  const upload_uniforms = (batch: readonly Entry[]) => {
    const dispatches = batch.flatMap((e) => (e.kind === 'dispatch' ? [e.dispatch] : []));
    const data = new DataView(new ArrayBuffer(Math.max(1, dispatches.length) * UNIFORM_STRIDE));
    dispatches.forEach((d, i) => {
      pack_params(d.kernel, d.params, data, i * UNIFORM_STRIDE);
    });
    if (uniforms === undefined || uniforms.bytes < data.byteLength) {
      if (uniforms !== undefined) buffers.destroy(uniforms);
      uniforms = buffers.create('params', 2 * data.byteLength, 'tables', USAGE.uniform | USAGE.copy_dst);
    }
    device.gpu.queue.writeBuffer(uniforms.gpu, 0, data.buffer as ArrayBuffer);
  };

  const grid_of = ({ kernel, pipeline, params, options }: Dispatch): Grid => {
    const grid = pipeline.variant.grid(params, options, device.traits);
    if (Math.max(...grid) > device.max_workgroups) {
      throw new InputError(
        `kernel ${kernel.name}: ${grid.join(' x ')} workgroups, this device allows ${device.max_workgroups} a side; try a shorter request`,
      );
    }
    return grid;
  };

  const packed = ({ kernel, params }: Dispatch): Packed => {
    if (slab_used === SLAB_BYTES) {
      slab = new Uint8Array(SLAB_BYTES);
      slab_view = new DataView(slab.buffer);
      slab_used = 0;
    }
    const at = slab_used;
    slab_used += PARAM_BYTES;
    pack_params(kernel, params, slab_view, at);
    return { slab, at };
  };

  const run_dispatch = (pass: GPUComputePassEncoder, d: Recorded, index: number) => {
    pass.setPipeline(d.pipeline.gpu as GPUComputePipeline);
    if (device.immediates) {
      d.group ??= bind_group(d);
      d.packed ??= packed(d);
      pass.setBindGroup(0, d.group);
      (pass as ImmediatePass).setImmediates(0, d.packed.slab, d.packed.at, d.pipeline.param_bytes);
    } else pass.setBindGroup(0, bind_group(d), [index * UNIFORM_STRIDE]); // its uniform buffer may be another each time
    d.grid ??= grid_of(d);
    pass.dispatchWorkgroups(d.grid[0], d.grid[1], d.grid[2]);
  };

  const encode = (batch: readonly Entry[]) => {
    if (!device.immediates) upload_uniforms(batch);
    let encoder: GPUCommandEncoder | undefined;
    let pass: GPUComputePassEncoder | undefined;
    let previous: Dispatch | undefined;
    let index = 0;
    const end_pass = () => {
      pass?.end();
      pass = undefined;
    };
    let started_ms = performance.now();
    const submit = () => {
      end_pass();
      if (encoder === undefined) return;
      const commands = encoder.finish();
      const encoded_ms = performance.now();
      device.gpu.queue.submit([commands]);
      watcher?.('encode', started_ms, encoded_ms);
      started_ms = performance.now();
      watcher?.('submit', encoded_ms, started_ms);
      encoder = undefined;
    };
    for (const entry of batch) {
      if (entry.kind === 'write') {
        submit(); // a queue write overtakes commands that are not submitted yet
        device.gpu.queue.writeBuffer(entry.to.gpu, entry.offset, entry.data as Uint8Array<ArrayBuffer>);
        continue;
      }
      encoder ??= device.gpu.createCommandEncoder();
      if (entry.kind === 'commands') {
        end_pass();
        entry.encode(encoder);
        continue;
      }
      if (entry.kind === 'copy') {
        end_pass();
        encoder.copyBufferToBuffer(entry.from.gpu, entry.from_offset, entry.to.gpu, entry.to_offset, entry.bytes);
        continue;
      }
      const d = entry.dispatch;
      if (pass !== undefined && previous !== undefined && plan?.starts_new_pass(previous, d)) end_pass();
      pass ??= encoder.beginComputePass({ timestampWrites: plan?.timestamps(d) });
      run_dispatch(pass, d, index++);
      previous = d;
    }
    submit();
  };

  const encode_fenced = async (batch: readonly Entry[], { starts_new_pass }: PassPlan, told: FencedPass) => {
    let part: Entry[] = [];
    let first: Dispatch | undefined;
    let previous: Dispatch | undefined;
    const run_part = async () => {
      const begin_ms = performance.now();
      encode(part);
      await device.gpu.queue.onSubmittedWorkDone(); // no nap: it would be longer than most passes
      if (first !== undefined) told(first, begin_ms, performance.now());
      part = [];
      first = undefined;
    };
    for (const entry of batch) {
      if (entry.kind === 'dispatch') {
        if (first !== undefined && previous !== undefined && starts_new_pass(previous, entry.dispatch))
          await run_part();
        first ??= entry.dispatch;
        previous = entry.dispatch;
      } else if (first !== undefined) await run_part();
      part.push(entry);
    }
    if (part.length > 0) await run_part();
  };

  const flush = async () => {
    const batch = entries;
    entries = [];
    const started_ms = performance.now();
    let compiled = false;
    for (const entry of batch) {
      if (entry.kind !== 'dispatch' || entry.dispatch.pipeline.gpu !== undefined) continue;
      await entry.dispatch.pipeline.ready;
      compiled = true;
    }
    if (compiled) watcher?.('compile', started_ms, performance.now());
    if (plan?.fenced === undefined) encode(batch);
    else await encode_fenced(batch, plan, plan.fenced);
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
    const size = 2 ** Math.ceil(Math.log2(Math.max(256, bytes)));
    const pool = staging.get(size) ?? [];
    staging.set(size, pool);
    const target = pool.pop() ?? buffers.create(`readback ${size}`, size, 'staging', USAGE.map_read | USAGE.copy_dst);
    entries.push({
      kind: 'copy',
      from,
      from_offset: offset,
      to: target,
      to_offset: 0,
      bytes: Math.ceil(bytes / 4) * 4,
    });
    await flush();
    return async () => {
      await wait(target.gpu.mapAsync(1, 0, Math.ceil(bytes / 4) * 4));
      const mapped_ms = performance.now();
      const result = target.gpu.getMappedRange(0, Math.ceil(bytes / 4) * 4).slice(0, bytes);
      target.gpu.unmap();
      watcher?.('read back', mapped_ms, performance.now());
      if (size <= 2 ** 20) pool.push(target);
      else buffers.destroy(target);
      return result;
    };
  };

  const read: Executor['read'] = async (...range) => (await read_later(...range))();

  return {
    device,
    buffers,
    variant,
    tuning,
    prefer: pipelines.prefer,
    compile: (kernel, params, options) => void pipelines.get(kernel as Kernel, options, params as Params),
    choose: (kernel, params, options) => pipelines.choose(kernel as Kernel, options, params as Params),
    dispatch,
    recorded: () => entries.flatMap((entry) => (entry.kind === 'dispatch' ? [entry.dispatch] : [])),
    again,
    copy: (from, from_offset, to, to_offset, bytes) => {
      entries.push({ kind: 'copy', from, from_offset, to, to_offset, bytes });
    },
    write: (to, offset, data) => {
      // Copied: the caller may change its array before the flush.
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
      entries.push({ kind: 'write', to, offset, data: bytes });
    },
    commands: (encode) => {
      entries.push({ kind: 'commands', encode });
    },
    drop: () => {
      entries = [];
    },
    flush,
    finish,
    read,
    read_later,
    observe: (next) => {
      observer = next;
    },
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
