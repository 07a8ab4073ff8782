import { OutOfMemoryError } from '../errors.ts';
import type { Buffer } from './buffers.ts';
import type { AdapterFacts } from './device.ts';
import type { Executor } from './executor.ts';

const DEVICE_LOCAL = 1;
const PIECE_BYTES = 2 ** 30;

/** The adapter's own memory, where it says: Chromium does with its developer features, the Node binding does not. */
export function told_memory(info: object): number | undefined {
  const heaps: unknown = Reflect.get(info, 'memoryHeaps');
  if (!Array.isArray(heaps)) return undefined;
  const own = heaps.filter((heap) => (Number(heap?.properties) & DEVICE_LOCAL) !== 0).map((heap) => Number(heap?.size));
  const largest = Math.max(0, ...own.filter(Number.isFinite));
  return largest > 0 ? largest : undefined;
}

/**
 * Shares the host's memory. WebGPU does not say it of an adapter, so it goes by makers: Apple and the makers of phones have
 * no other; Intel's and AMD's are told apart by their products' names.
 */
export function is_integrated({ vendor, architecture, device, description }: AdapterFacts): boolean {
  const text = `${vendor} ${architecture} ${device} ${description}`.toLowerCase();
  if (/nvidia|\barc\b.*\b[ab]\d|xe-hpg|xe-2hpg|\bdg[12]\b/.test(text)) return false;
  if (/apple|qualcomm|adreno|\barm\b|mali|imgtec|powervr|intel|broadcom/.test(text)) return true;
  // "Radeon Graphics", "Radeon Vega 8 Graphics", "Radeon 780M Graphics"; cards have RX, PRO, Instinct or a VII.
  return /radeon(\(tm\))?( vega \d+| \d{3}m)? graphics|raven|renoir|cezanne|rembrandt|phoenix|raphael|vangogh/.test(
    text,
  );
}

/** Tries whether so many bytes can be had at once, in pieces as large as a binding, and gives them back. */
export async function has_room(executor: Executor, bytes: number): Promise<boolean> {
  const { buffers, device } = executor;
  const piece = Math.min(PIECE_BYTES, device.max_binding_bytes, device.max_buffer_bytes);
  try {
    const made = await buffers.guard('a try of the memory', () => {
      const pieces: Buffer[] = [];
      for (let left = bytes; left > 0; left -= piece) {
        pieces.push(buffers.create('a try of the memory', Math.min(left, piece), 'weights'));
      }
      return pieces;
    });
    buffers.destroy(...made);
    return true;
  } catch (error) {
    if (error instanceof OutOfMemoryError) return false;
    throw error;
  } finally {
    await executor.finish(); // drivers free what was destroyed when the queue has passed it
  }
}
