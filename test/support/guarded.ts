import { USAGE } from '../../engine/gpu/buffers.ts';
import type { Executor } from '../../engine/gpu/executor.ts';
import { pcg } from '../../engine/weights/formula.ts';

/**
 * What guard zones are made of; both are integers beyond every index. A NaN spreads to whatever it is used for, but
 * maxima and comparisons may drop it; huge floats of either sign do not all get lost there.
 */
export const POISONS = { nan: 0x7fc00000, huge: 0x7e000000 } as const;
/** Bits that differ from word to word, the sign among them: neither a maximum nor a minimum drops all of them. */
const VARIED_BITS = 0x803fffff;
const ZONE_WORDS = 512;

export interface Guard {
  /** Waits for the GPU, then names every buffer made since `guard` whose zone was changed. */
  readonly check: () => Promise<string[]>;
}

interface Zone {
  readonly gpu: GPUBuffer;
  readonly label: string;
  readonly size: number;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly destroy: () => void;
}

/**
 * From now on every storage buffer is longer than it was asked to be. Kernels bind buffers whole, so they can reach the
 * zone at the end, where nothing is theirs: a write to it is found, and what is read from it shows in the results. What
 * a buffer holds before it is written is poison too. Zones of destroyed buffers are kept until they were checked.
 */
export function guard(executor: Executor, poison: keyof typeof POISONS): Guard {
  const { gpu } = executor.device;
  const create = gpu.createBuffer.bind(gpu);
  const zones = new Set<Zone>();
  const retired = new Set<Zone>();
  let made = 0;

  gpu.createBuffer = (asked) => {
    if (!(asked.usage & USAGE.storage)) return create(asked);
    const buffer = create({ ...asked, size: asked.size + 4 * ZONE_WORDS });
    // Words differ from place to place: arithmetic hands the bits of a NaN on, which could land in another zone unseen.
    const first = ZONE_WORDS * made++;
    const words = Uint32Array.from({ length: ZONE_WORDS }, (_, i) => POISONS[poison] | (pcg(first + i) & VARIED_BITS));
    const all = new Uint32Array(buffer.size / 4);
    for (let end = all.length; end > 0; end -= ZONE_WORDS) {
      all.set(words.subarray(Math.max(0, ZONE_WORDS - end)), Math.max(0, end - ZONE_WORDS));
    }
    gpu.queue.writeBuffer(buffer, 0, all);
    const destroy = buffer.destroy.bind(buffer);
    const zone = { gpu: buffer, label: asked.label ?? '', size: asked.size, words, destroy };
    zones.add(zone);
    buffer.destroy = () => {
      retired.add(zone);
      return undefined;
    };
    return buffer;
  };

  return {
    async check() {
      const all = [...zones];
      const zone_bytes = 4 * ZONE_WORDS;
      const copy = create({ size: Math.max(1, all.length) * zone_bytes, usage: USAGE.map_read | USAGE.copy_dst });
      await executor.flush();
      const encoder = gpu.createCommandEncoder();
      for (const [i, zone] of all.entries()) {
        encoder.copyBufferToBuffer(zone.gpu, zone.size, copy, i * zone_bytes, zone_bytes);
      }
      gpu.queue.submit([encoder.finish()]);
      await copy.mapAsync(1);
      const found = new Uint32Array(copy.getMappedRange());
      const changed = all.flatMap(({ label, size, words }, i) => {
        const at = words.findIndex((word, n) => word !== found[i * ZONE_WORDS + n]);
        return at < 0 ? [] : [`${label}: something was written ${4 * at} bytes behind its ${size} bytes`];
      });
      copy.destroy();
      for (const zone of retired) {
        zones.delete(zone);
        zone.destroy();
      }
      retired.clear();
      return changed;
    },
  };
}
