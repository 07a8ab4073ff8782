import { type Buffer, type Buffers, USAGE } from './buffers.ts';
import type { Entry, HostWatcher } from './dispatch.ts';

/** Larger ones are not kept for the next time. */
const KEPT_BYTES = 2 ** 20;

/** Host-visible buffers that results come back in: powers of two, used again. */
export interface Readback {
  /** The copy to record, and what fetches its bytes once it is submitted. */
  readonly copy: (
    from: Buffer,
    offset: number,
    bytes: number,
  ) => {
    readonly entry: Extract<Entry, { kind: 'copy' }>;
    readonly fetch: (
      wait: (pending: Promise<undefined>) => Promise<undefined>,
      watcher: () => HostWatcher | undefined,
    ) => Promise<ArrayBuffer>;
  };
}

export function make_readback(buffers: Buffers): Readback {
  const pools = new Map<number, Buffer[]>();
  return {
    copy(from, from_offset, bytes) {
      const size = 2 ** Math.ceil(Math.log2(Math.max(256, bytes)));
      const pool = pools.get(size) ?? [];
      pools.set(size, pool);
      const to = pool.pop() ?? buffers.create(`readback ${size}`, size, 'staging', USAGE.map_read | USAGE.copy_dst);
      const copied = Math.ceil(bytes / 4) * 4;
      return {
        entry: { kind: 'copy', from, from_offset, to, to_offset: 0, bytes: copied },
        async fetch(wait, watcher) {
          await wait(to.gpu.mapAsync(1, 0, copied));
          const mapped_ms = performance.now();
          const result = to.gpu.getMappedRange(0, copied).slice(0, bytes);
          to.gpu.unmap();
          watcher()?.('read back', mapped_ms, performance.now());
          if (size <= KEPT_BYTES) pool.push(to);
          else buffers.destroy(to);
          return result;
        },
      };
    },
  };
}
