/**
 * Waiting for the GPU. While a promise of the GPU is pending, the Node binding polls it from the event loop without
 * rest: on a software adapter that is one of the cores the work itself needs. Sleeping between polls gives it back.
 */
const NAP_MS = 1;

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
