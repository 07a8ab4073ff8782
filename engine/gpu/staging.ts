import { type Buffer, USAGE } from './buffers.ts';
import type { Executor } from './executor.ts';
import { polite } from './wait.ts';

/** Host-visible memory that files are read into directly: a ring, so that reading overlaps the GPU's work. */
export interface StagingRing {
  /** The next free buffer, mapped: waits until the GPU has finished with it. */
  readonly acquire: () => Promise<{ readonly buffer: Buffer; readonly view: Uint8Array<ArrayBuffer> }>;
  /** Hands a filled buffer over to the GPU; commands that use it may be recorded after this. */
  readonly unmap: (buffer: Buffer) => void;
  readonly destroy: () => void;
}

export function make_staging_ring(executor: Executor, bytes: number, count: number): StagingRing {
  const usage = USAGE.map_write | USAGE.copy_src;
  const ring = Array.from({ length: count }, (_, i) => executor.buffers.create(`upload ${i}`, bytes, 'staging', usage));
  let next = 0;
  return {
    async acquire() {
      const buffer = ring[next++ % count] as Buffer;
      await polite(buffer.gpu.mapAsync(2), executor.device.traits.software);
      return { buffer, view: new Uint8Array(buffer.gpu.getMappedRange()) };
    },
    unmap: (buffer) => buffer.gpu.unmap(),
    destroy: () => executor.buffers.destroy(...ring),
  };
}
