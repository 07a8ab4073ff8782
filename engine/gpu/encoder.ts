import type { Grid } from '../../kernels/spec.ts';
import { InputError } from '../errors.ts';
import { type Buffer, type Buffers, USAGE } from './buffers.ts';
import type { Device } from './device.ts';
import type { Dispatch, Entry, HostWatcher, Packed, PassPlan, Recorded } from './dispatch.ts';
import { type BoundGroup, PARAM_BYTES, type Pipeline, type Pipelines, pack_params } from './pipelines.ts';

type FencedPass = NonNullable<PassPlan['fenced']>;

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

/** Turns what was recorded, its pipelines compiled, into passes, and submits them. */
export type Encoder = (
  batch: readonly Entry[],
  plan: PassPlan | undefined,
  watcher: HostWatcher | undefined,
) => Promise<void>;

export function make_encoder(device: Device, buffers: Buffers, pipelines: Pipelines): Encoder {
  const users_of = new Map<number, Set<Pipeline>>();
  let slab = new Uint8Array(SLAB_BYTES);
  let slab_view = new DataView(slab.buffer);
  let slab_used = 0;
  let uniforms: Buffer | undefined;

  buffers.on_destroy((buffer) => {
    const users = buffer === uniforms ? pipelines.all() : (users_of.get(buffer.id) ?? []);
    for (const pipeline of users) forget_groups(pipeline, buffer === uniforms ? undefined : buffer);
    users_of.delete(buffer.id);
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

  const encode = (batch: readonly Entry[], plan: PassPlan | undefined, watcher: HostWatcher | undefined) => {
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

  const encode_fenced = async (batch: readonly Entry[], plan: PassPlan, told: FencedPass, watcher?: HostWatcher) => {
    let part: Entry[] = [];
    let first: Dispatch | undefined;
    let previous: Dispatch | undefined;
    const run_part = async () => {
      const begin_ms = performance.now();
      encode(part, plan, watcher);
      await device.gpu.queue.onSubmittedWorkDone(); // no nap: it would be longer than most passes
      if (first !== undefined) told(first, begin_ms, performance.now());
      part = [];
      first = undefined;
    };
    for (const entry of batch) {
      if (entry.kind === 'dispatch') {
        if (first !== undefined && previous !== undefined && plan.starts_new_pass(previous, entry.dispatch))
          await run_part();
        first ??= entry.dispatch;
        previous = entry.dispatch;
      } else if (first !== undefined) await run_part();
      part.push(entry);
    }
    if (part.length > 0) await run_part();
  };

  return async (batch, plan, watcher) => {
    if (plan?.fenced === undefined) encode(batch, plan, watcher);
    else await encode_fenced(batch, plan, plan.fenced, watcher);
  };
}
