import { kernel } from '../spec.ts';
import simple from './probe_empty.wgsl';

/** The least a dispatch can do, one thread that stores one number: what launching costs. Each waits for the one before. */
export const probe_empty = kernel({
  name: 'probe_empty',
  bindings: [{ name: 'mark', access: 'read_write' }], // [1] u32
  params: [['value', 'u32']],
  variants: [{ name: 'simple', wgsl: [simple], grid: () => [1, 1, 1] }],
  flops: () => ({ useful: 0, other: 0 }),
  bytes: () => ({ weights: 0, read: 0, written: 4, kv: 0 }),
});
