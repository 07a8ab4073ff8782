import { afterAll, describe, expect, it } from 'vitest';
import { create, globals } from 'webgpu';
import { shader_text } from '../../engine/gpu/pipelines.ts';
import { FORMATS, type Kernel, LEAST_WORKGROUP_BYTES, type Options } from '../../kernels/spec.ts';
import { MATRIX_KERNELS, matrix_names } from '../support/matrix.ts';

const FEATURES = ['chromium-experimental-subgroup-matrix', 'subgroups', 'subgroup-size-control', 'shader-f16'];
const SIZES = [
  { m: 16, n: 16, k: 16, subgroup: 32 },
  { m: 16, n: 8, k: 16, subgroup: 32, asked: true },
  { m: 8, n: 8, k: 8, subgroup: 8, asked: true }, // unasked, this backend wants workgroups of its largest subgroups
  { m: 8, n: 16, k: 16, subgroup: 16, asked: true },
  { m: 16, n: 16, k: 16, subgroup: 64 },
  { m: 8, n: 32, k: 16, subgroup: 32 },
];
const BY_FORMAT: Options[] = Object.values(FORMATS).map((WEIGHT_FORMAT) => ({ WEIGHT_FORMAT }));
const OPTIONS: Record<keyof typeof MATRIX_KERNELS, Options[]> = {
  matmul: BY_FORMAT,
  expert_matmul: BY_FORMAT,
  attention: [
    { HEAD_DIM: 64, CAUSAL: false },
    { HEAD_DIM: 128, CAUSAL: true },
  ],
};

/** Dawn's backend that runs nothing has the feature: its compiler says what an adapter with matrix units would. */
describe('kernels for matrix units compile', async () => {
  Object.assign(globalThis, globals);
  const instance = create([
    'backend=null',
    'enable-dawn-features=allow_unsafe_apis,use_vulkan_memory_model,skip_validation',
  ]);
  const adapter = (await instance.requestAdapter()) as GPUAdapter;
  const gpu = await adapter.requestDevice({ requiredFeatures: FEATURES as GPUFeatureName[] });
  afterAll(() => {
    gpu.destroy();
    expect(instance).toBeDefined(); // held until here: an instance must not be collected while it is polled
  });

  /** This adapter has the least workgroup memory: what a kernel needs beyond is compared with what it says. */
  const complaints = async (code: string, workgroup_bytes = LEAST_WORKGROUP_BYTES): Promise<string[]> => {
    const module = gpu.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    if (messages.length > 0) return messages.map((m) => `line ${m.lineNum}: ${m.message}`);
    const made = gpu.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
    const error = await made.then(
      () => '',
      ({ message }: Error) => message,
    );
    const used = Number(/workgroup storage \((\d+) bytes\)/.exec(error)?.[1] ?? Number.POSITIVE_INFINITY);
    return error === '' || used <= workgroup_bytes ? [] : [error];
  };

  for (const [name, kernel] of Object.entries(MATRIX_KERNELS) as [keyof typeof MATRIX_KERNELS, Kernel][]) {
    for (const variant of kernel.variants.filter((v) => matrix_names(kernel).includes(v.name))) {
      for (const options of OPTIONS[name].filter((o) => variant.fits?.(o) !== false)) {
        for (const matrix of SIZES) {
          it(`${name} ${variant.name} ${JSON.stringify(options)} with ${matrix.m}x${matrix.n}x${matrix.k} held by ${matrix.subgroup}`, async () => {
            const text = shader_text(kernel, variant, options, { subgroup_size: 32, software: false, matrix }, true);
            expect(await complaints(text, variant.workgroup_bytes)).toEqual([]);
          });
        }
      }
    }
  }

  it('and what does not would be told', async () => {
    const text = shader_text(
      MATRIX_KERNELS.matmul as Kernel,
      MATRIX_KERNELS.matmul.variants.find((v) => v.matrix) as Kernel['variants'][number],
      { WEIGHT_FORMAT: 1 },
      { subgroup_size: 32, software: false, matrix: { m: 16, n: 16, k: 16, subgroup: 32 } },
      true,
    );
    const swapped = text.replace('multiply_add(left[i], right,', 'multiply_add(right, left[i],');
    expect(await complaints(swapped)).not.toEqual([]);
    const outside = text
      .replace('array<Half4, W_AT + SLICE * W_PITCH>', 'array<Half4, 8>')
      .replace('&stage, at, pitch', '&stage, 0u, A_PITCH');
    expect(await complaints(outside)).not.toEqual([]);
  });
});
