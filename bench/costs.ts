import type { AdapterCeilings } from '../engine/meter/ceilings.ts';
import type { Counts } from '../engine/meter/ledger.ts';
import { floor_of } from '../engine/meter/roofline.ts';
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

/** Shares are of the rate of multiply-adds in registers, of the stream's (above 1 where a cache serves), and least time over time. */
export function rates_of({ ms, counts }: { ms: number; counts: Counts }, ceilings: AdapterCeilings) {
  const { flops } = counts;
  const bytes = counts.weight_bytes + counts.read_bytes + counts.written_bytes + counts.kv_bytes;
  const [gflops, gbytes] = [flops / ms / 1e6, bytes / ms / 1e6];
  return {
    ...{ ms, flops, bytes, gflops, gbytes, of_fma: (1e9 * gflops) / ceilings.fma_f32_flops },
    ...{ of_stream: (1e9 * gbytes) / ceilings.stream_read_bytes, of_floor: floor_of(counts, ceilings).floor_ms / ms },
  };
}

/** What is found of a kernel's variant on one shape: rates, or why it was not timed. */
export interface BenchedKernel extends Partial<ReturnType<typeof rates_of>> {
  readonly kernel: string;
  readonly variant: string;
  readonly stage: string;
  readonly shape: string;
  readonly fault?: string;
}
