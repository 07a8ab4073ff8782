import type { Device } from './device.ts';
import { type Executor, make_executor } from './executor.ts';
import type { Tuning, VariantChoice } from './pipelines.ts';

/** All of an adapter that decides what is dispatched and how large buffers are; a `Device` has it. */
export type DryDevice = Pick<
  Device,
  'traits' | 'immediates' | 'max_binding_bytes' | 'max_buffer_bytes' | 'max_workgroups' | 'most_dispatch_flops'
>;

/**
 * The executor on a device that computes nothing: each dispatch is checked, recorded and counted as on the adapter that
 * `like` describes, each buffer is counted and takes no memory, and all of them read as zeros.
 */
export function dry_executor(like: DryDevice, variant: VariantChoice = 'auto', tuning: Tuning = {}): Executor {
  const { traits, immediates, max_binding_bytes, max_buffer_bytes, max_workgroups, most_dispatch_flops } = like;
  const device = {
    ...{ traits, immediates, max_binding_bytes, max_buffer_bytes, max_workgroups, most_dispatch_flops },
    gpu: dry_gpu(),
    mode: 'release',
    features: new Set<string>(),
    facts: { description: 'dry run', type: traits.software ? 'software' : 'hardware' },
    check() {},
    destroy() {},
  };
  return make_executor(device as unknown as Device, variant, tuning);
}

/** What of a GPUDevice the engine calls. */
function dry_gpu() {
  const done = async () => undefined;
  const pass = { setPipeline() {}, setBindGroup() {}, setImmediates() {}, dispatchWorkgroups() {}, end() {} };
  const encoder = { beginComputePass: () => pass, copyBufferToBuffer() {}, finish: () => ({}) };
  const create_buffer = ({ size }: { readonly size: number }) => {
    let mapped: ArrayBuffer | undefined;
    const getMappedRange = () => {
      mapped ??= new ArrayBuffer(size);
      return mapped;
    };
    return { destroy() {}, mapAsync: done, unmap() {}, getMappedRange };
  };
  return {
    createBuffer: create_buffer,
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createBindGroup: () => ({}),
    createShaderModule: () => ({}),
    createComputePipelineAsync: async () => ({}),
    createCommandEncoder: () => encoder,
    pushErrorScope() {},
    popErrorScope: async () => null,
    queue: { writeBuffer() {}, submit() {}, onSubmittedWorkDone: done },
  };
}
