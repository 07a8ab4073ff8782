import { kernel, type Traits } from '../spec.ts';
import read from './probe_read.wgsl';
import write from './probe_write.wgsl';

/** Bytes of one workgroup; the size of what is read or written is a multiple. */
export const STREAM_UNIT_BYTES = 65536;
const UNIT_WORDS = STREAM_UNIT_BYTES / 4;
const consts = (_: unknown, traits: Traits) => ({ THREADS: threads(traits) });
const threads = ({ software }: Traits): number => (software ? 8 : 64);
/** Later workgroups leave their sums where earlier ones did, so that the result stays small. */
export const STREAM_SUM_BYTES = 4 * 64 * 1024;

/** The fastest plain reads: workgroup i reads unit i % wrap, so a small `wrap` reads the same bytes again and again. */
export const probe_read = kernel({
  name: 'probe_read',
  bindings: [
    { name: 'words', access: 'read' }, // [wrap * 4096] vec4u
    { name: 'sums', access: 'read_write' }, // [1024 * threads] u32: of the words a thread read, wrapping
  ],
  params: [['wrap', 'u32']],
  host: ['workgroups'],
  variants: [{ name: 'simple', wgsl: [read], consts, grid: (p) => [p.workgroups, 1, 1] }],
  flops: () => ({ useful: 0, other: 0 }),
  bytes: (p) => ({ weights: 0, read: STREAM_UNIT_BYTES * p.workgroups, written: 0, kv: 0 }),
});

/** The fastest plain writes, of one value everywhere. */
export const probe_write = kernel({
  name: 'probe_write',
  bindings: [{ name: 'words', access: 'read_write' }], // [wrap * 4096] vec4u
  params: [
    ['wrap', 'u32'],
    ['value', 'u32'],
  ],
  host: ['workgroups'],
  variants: [{ name: 'simple', wgsl: [write], consts, grid: (p) => [p.workgroups, 1, 1] }],
  flops: () => ({ useful: 0, other: 0 }),
  bytes: (p) => ({ weights: 0, read: 0, written: STREAM_UNIT_BYTES * p.workgroups, kv: 0 }),
});

/** What a thread leaves that read its share of a unit full of `value`. */
export const stream_sum = (value: number, traits: Traits): number => ((UNIT_WORDS / threads(traits)) * value) % 2 ** 32;
