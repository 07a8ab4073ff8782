import type { KernelCase } from '../test/reference/cases/case.ts';

/** What the mathematics of all launches needs: multiply-adds twice, and bytes that must move, each operand once. */
export function costs_of({ launches }: Pick<KernelCase, 'launches'>) {
  let [flops, weight_bytes, other_bytes] = [0, 0, 0];
  for (const { kernel, params, options } of launches) {
    const { weights, read, written, kv } = kernel.bytes(params, options);
    flops += kernel.flops(params, options).useful;
    weight_bytes += weights;
    other_bytes += read + written + kv;
  }
  return { flops, weight_bytes, other_bytes };
}
