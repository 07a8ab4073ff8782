/**
 * Waiting for the GPU. While a promise of the GPU is pending, the Node binding polls it from the event loop without
 * rest: on a software adapter that is one of the cores the work itself needs. Sleeping between polls gives it back, but
 * lets cores fall asleep, which makes each tiny dispatch dearer. So: nap when dispatches are heavy, poll when tiny.
 */
export interface Load {
  /** Matrix FLOPs and bytes moved that have been submitted and not yet waited for. */
  flops: number;
  bytes: number;
  dispatches: number;
}

const NAP_MS = 1;
/** Rough rates of a software adapter; only used to tell heavy from tiny. */
const FLOPS_PER_MS = 5e7;
const BYTES_PER_MS = 8e6;
const HEAVY_MS_PER_DISPATCH = 0.3;

export function is_heavy(load: Load): boolean {
  const work_ms = Math.max(load.flops / FLOPS_PER_MS, load.bytes / BYTES_PER_MS);
  return load.dispatches > 0 && work_ms / load.dispatches > HEAVY_MS_PER_DISPATCH;
}

const next_turn: (() => Promise<void>) | undefined =
  typeof setImmediate === 'function' ? () => new Promise((resolve) => setImmediate(resolve)) : undefined;

/** Awaits a promise of the GPU, sleeping between polls where that may be done (Node) and helps (`nap`). */
export async function polite<T>(pending: Promise<T>, nap: boolean): Promise<T> {
  if (!nap || next_turn === undefined) return pending;
  let settled = false;
  const mark = () => {
    settled = true;
  };
  pending.then(mark, mark);
  const pillow = new Int32Array(new SharedArrayBuffer(4));
  while (!settled) {
    Atomics.wait(pillow, 0, 0, NAP_MS);
    await next_turn();
  }
  return pending;
}
