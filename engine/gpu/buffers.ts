import { OutOfMemoryError, TooLargeError } from '../errors.ts';
import type { Device } from './device.ts';

/** What a buffer is for: memory is counted by it. */
export type Purpose = 'weights' | 'kv' | 'activations' | 'tables' | 'staging';

export interface Buffer {
  readonly id: number;
  readonly label: string;
  readonly bytes: number;
  readonly purpose: Purpose;
  readonly gpu: GPUBuffer;
}

export interface MemoryCount {
  readonly current: number;
  readonly peak: number;
}

/** Makes labelled buffers and counts their bytes by purpose. */
export interface Buffers {
  readonly create: (label: string, bytes: number, purpose: Purpose, usage?: GPUBufferUsageFlags) => Buffer;
  readonly destroy: (...buffers: readonly Buffer[]) => void;
  /** Called with every destroyed buffer, so that caches can let go of it. */
  readonly on_destroy: (listener: (buffer: Buffer) => void) => void;
  /** Runs `allocate` and turns out-of-memory into one clear error; on failure what it made is destroyed. */
  readonly guard: <T>(what: string, allocate: () => T) => Promise<T>;
  /** Marks a moment; `sweep` destroys what a request made since then and did not destroy, however it ended. */
  readonly mark: () => number;
  readonly sweep: (mark: number, with_weights?: boolean) => void;
  readonly memory: () => Readonly<Record<Purpose | 'total', MemoryCount>>;
  /** Peaks start again from what is held now: each request has its own, whatever ran before it. */
  readonly restart_peaks: () => void;
}

// GPUBufferUsage's numbers, written out because the global exists only once WebGPU is loaded.
export const USAGE = {
  map_read: 1,
  map_write: 2,
  copy_src: 4,
  copy_dst: 8,
  uniform: 64,
  storage: 128,
  query: 512,
} as const;
const DEFAULT_USAGE = USAGE.storage | USAGE.copy_src | USAGE.copy_dst;

/** What a buffer takes that was asked to hold so many. */
export const buffer_bytes = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : 0)} MiB`;

const out_of_memory = (what: string, asked: number, held: number): OutOfMemoryError =>
  new OutOfMemoryError(
    `out of GPU memory for ${what}: asked for ${mebibytes(asked)} with ${mebibytes(held)} held; try a smaller dtype, fewer new tokens, fewer crops or a smaller preset`,
  );

export function make_buffers(device: Device): Buffers {
  const live = new Set<Buffer>();
  const current: Record<string, number> = {};
  const peak: Record<string, number> = {};
  const listeners: ((buffer: Buffer) => void)[] = [];
  let next_id = 1;

  const count = (purpose: string, bytes: number) => {
    for (const key of [purpose, 'total']) {
      current[key] = (current[key] ?? 0) + bytes;
      peak[key] = Math.max(peak[key] ?? 0, current[key]);
    }
  };
  const held = () => mebibytes(current.total ?? 0);

  const create: Buffers['create'] = (label, bytes, purpose, usage = DEFAULT_USAGE) => {
    const size = buffer_bytes(bytes);
    if (!Number.isSafeInteger(size) || size > device.max_buffer_bytes) {
      throw new TooLargeError(
        `GPU buffer "${label}": asked for ${mebibytes(bytes)}, this device allows ${mebibytes(device.max_buffer_bytes)} a buffer (${held()} held); try a shorter request, fewer crops or a smaller dtype`,
      );
    }
    if (usage & USAGE.storage && size > device.max_binding_bytes) {
      throw new TooLargeError(
        `GPU buffer "${label}": asked for ${mebibytes(bytes)}, a kernel can bind ${mebibytes(device.max_binding_bytes)} at most here; try a shorter request or fewer crops`,
      );
    }
    if ((current.total ?? 0) + size > (device.memory_limit_bytes ?? Number.POSITIVE_INFINITY)) {
      throw out_of_memory(`"${label}"`, bytes, current.total ?? 0);
    }
    const gpu = device.gpu.createBuffer({ label, size, usage });
    const buffer: Buffer = { id: next_id++, label, bytes: size, purpose, gpu };
    live.add(buffer);
    count(purpose, size);
    return buffer;
  };

  const destroy: Buffers['destroy'] = (...buffers) => {
    for (const buffer of buffers) {
      if (!live.delete(buffer)) continue;
      count(buffer.purpose, -buffer.bytes);
      for (const listener of listeners) listener(buffer);
      buffer.gpu.destroy();
    }
  };

  const guard: Buffers['guard'] = async (what, allocate) => {
    device.check();
    const before = current.total ?? 0;
    const first = next_id;
    device.gpu.pushErrorScope('out-of-memory');
    let result: ReturnType<typeof allocate> | undefined;
    let thrown: unknown;
    try {
      result = allocate();
    } catch (error) {
      thrown = error;
    }
    const asked = (current.total ?? 0) - before;
    const oom = await device.gpu.popErrorScope();
    if (thrown === undefined && oom === null) return result as ReturnType<typeof allocate>;
    destroy(...[...live].filter((buffer) => buffer.id >= first));
    if (thrown !== undefined) throw thrown;
    throw out_of_memory(what, asked, before);
  };

  const sweep: Buffers['sweep'] = (mark, with_weights = false) => {
    const purposes = with_weights ? ['activations', 'kv', 'weights'] : ['activations', 'kv'];
    destroy(...[...live].filter((b) => b.id >= mark && purposes.includes(b.purpose)));
  };

  const memory: Buffers['memory'] = () => {
    const keys = ['weights', 'kv', 'activations', 'tables', 'staging', 'total'] as const;
    return Object.fromEntries(keys.map((k) => [k, { current: current[k] ?? 0, peak: peak[k] ?? 0 }])) as ReturnType<
      Buffers['memory']
    >;
  };

  return {
    create,
    destroy,
    on_destroy: (listener) => void listeners.push(listener),
    guard,
    mark: () => next_id,
    sweep,
    memory,
    restart_peaks: () => void Object.assign(peak, current),
  };
}
