import type { CallName, Calls, Reply, Told } from './protocol.ts';

/** A sentence that the worker said for people; anything else is a fault of ours. */
export class Refusal extends Error {}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly told: (told: Told) => void;
}

export interface Running<K extends CallName> {
  readonly value: Promise<ReturnType<Calls[K]>>;
  readonly stop: () => void;
}

/** The worker that owns the engine. One that lost its device is replaced. */
export class Client {
  readonly #on_lost: (why: string) => void;
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor(on_lost: (why: string) => void) {
    this.#on_lost = on_lost;
    this.#worker = this.#start();
  }

  call<K extends CallName>(call: K, args: Parameters<Calls[K]>, told: (told: Told) => void = () => {}): Running<K> {
    const id = this.#next++;
    const value = new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, told });
    });
    this.#worker.postMessage({ id, call, args });
    return {
      value: value as Promise<ReturnType<Calls[K]>>,
      stop: () => this.#worker.postMessage({ stop: id }),
    };
  }

  /** Everything that waits is refused, and a new worker begins without device or model. */
  restart(why: string): void {
    this.#worker.terminate();
    const waiting = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#worker = this.#start();
    for (const { reject } of waiting) reject(new Refusal(why));
  }

  #start(): Worker {
    const worker = new Worker(new URL('worker.js', document.baseURI), { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => this.#hear(data));
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      if (worker === this.#worker) this.restart(`the engine stopped: ${event.message || 'its script did not load'}`);
    });
    return worker;
  }

  #hear(reply: Reply): void {
    if ('lost' in reply) {
      this.#on_lost(reply.lost);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    if ('told' in reply) {
      waiting.told(reply.told);
      return;
    }
    this.#waiting.delete(reply.id);
    if ('value' in reply) {
      waiting.resolve(reply.value);
      return;
    }
    const error = reply.name === 'AbortError' ? new DOMException(reply.error, 'AbortError') : new Refusal(reply.error);
    waiting.reject(error);
  }
}
