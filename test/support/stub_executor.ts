import type { Device } from '../../engine/gpu/device.ts';
import { type Executor, make_executor } from '../../engine/gpu/executor.ts';
import type { VariantChoice } from '../../engine/gpu/pipelines.ts';
import type { Traits } from '../../kernels/spec.ts';

/**
 * The real executor on a device that computes nothing: every dispatch is counted, checked and recorded as on a GPU, and
 * all buffers read as zeros without taking memory. Runs a model of any size in milliseconds.
 */
export function stub_executor(
  traits: Traits,
  variant: VariantChoice = 'auto',
  max_binding_bytes = 128 * 2 ** 20,
): Executor {
  const done = async () => undefined;
  const pass = { setPipeline() {}, setBindGroup() {}, setImmediates() {}, dispatchWorkgroups() {}, end() {} };
  const encoder = { beginComputePass: () => pass, copyBufferToBuffer() {}, finish: () => ({}) };
  const gpu = {
    createBuffer: () => ({
      destroy() {},
      mapAsync: done,
      unmap() {},
      getMappedRange: (_: number, bytes: number) => new ArrayBuffer(bytes),
    }),
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
  const device = {
    gpu,
    traits,
    mode: 'validated',
    features: new Set<string>(),
    immediates: true,
    max_binding_bytes,
    max_buffer_bytes: 2 ** 40,
    max_workgroups: 65535,
    check() {},
    destroy() {},
    facts: { description: 'stub', type: traits.software ? 'software' : 'hardware' },
  };
  return make_executor(device as unknown as Device, variant);
}
