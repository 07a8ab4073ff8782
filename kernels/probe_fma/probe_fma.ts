import { kernel, type Variant } from '../spec.ts';
import f16_value from './f16_value.wgsl';
import f32_value from './f32_value.wgsl';
import body from './probe_fma.wgsl';

const THREADS = 64;
/** Multiply-adds of a round: 4 steps on 8 chains of 4 values. */
const ROUND = 128;
/** Later workgroups leave their counts where earlier ones did, so that the result stays small. */
export const FMA_COUNT_BYTES = 4 * THREADS * 1024;

const probe = (name: string, value: string) =>
  kernel({
    name,
    bindings: [{ name: 'counts', access: 'read_write' }], // [1024 * 64] f32: steps of a thread, summed over its values
    params: [
      ['rounds', 'u32'], // up to 512: an f16 counts to 2048
      ['factor', 'f32'],
      ['term', 'f32'],
    ],
    host: ['workgroups'],
    variants: [
      { name: 'simple', wgsl: [value, body], grid: (p) => [p.workgroups, 1, 1] } satisfies Variant<'workgroups'>,
    ],
    flops: (p) => ({ useful: 2 * ROUND * p.rounds * THREADS * p.workgroups, other: 0 }),
    bytes: () => ({ weights: 0, read: 0, written: FMA_COUNT_BYTES, kv: 0 }),
  });

/** The most fused multiply-adds an adapter can do: no memory, no dependence, nothing else. */
export const probe_fma_f32 = probe('probe_fma_f32', f32_value);
/** The same in half precision, where the device has shader-f16. */
export const probe_fma_f16 = probe('probe_fma_f16', f16_value);

/** What every thread leaves with factor and term 1. */
export const fma_count = (rounds: number): number => ROUND * rounds;
