import { InputError } from './errors.ts';

/**
 * Requests of one device take turns. One that comes to wait asks those before it not to wait for their readers: else a
 * generation that was begun and forgotten would hold up all later ones for ever.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  readonly #present = new Set<() => void>();

  /** Resolves when all before are done; the returned function lets the next one in. */
  async enter(hurry: () => void): Promise<() => void> {
    const before = this.#last;
    for (const other of this.#present) other();
    this.#present.add(hurry);
    let leave: () => void = () => {};
    this.#last = new Promise<void>((resolve) => {
      leave = resolve;
    });
    await before;
    return () => {
      this.#present.delete(hurry);
      leave();
    };
  }
}

/** What a reader sees of work that yields tokens and ends with a result. */
export interface Reading<Token, Result> extends AsyncIterable<Token> {
  readonly result: Promise<Result>;
}

/**
 * The work advances as its reader does, and frees everything where the reader leaves. Where nobody may be reading (the
 * result is awaited, or another request waits) it runs on to its end; what it yields meanwhile is kept for the reader.
 */
export function read_work<Token, Result>(
  work: () => AsyncGenerator<Token, Result, void>,
  turns: Turns,
): Reading<Token, Result> {
  const { promise, resolve, reject } = with_resolvers<Result>();
  promise.catch(() => undefined); // the iterator throws the same error
  const ahead: Promise<IteratorResult<Token, void>>[] = [];
  let on_its_own = false;

  const tokens = (async function* (): AsyncGenerator<Token, void, void> {
    const release = await turns.enter(run_on);
    let finished = false;
    try {
      const result = yield* work();
      finished = true;
      resolve(result);
    } catch (error) {
      finished = true;
      reject(error);
      throw error;
    } finally {
      if (!finished) reject(new InputError('the generation was left before its end: read it to the end for a result'));
      release();
    }
  })();

  function run_on(): void {
    if (on_its_own) return;
    on_its_own = true;
    const run = async (): Promise<void> => {
      for (let done = false; !done; ) {
        const next = tokens.next();
        ahead.push(next);
        done = (await next).done === true;
      }
    };
    run().catch(() => undefined); // told to the reader and by the result
  }

  const reader: AsyncIterableIterator<Token, void> = {
    next: () => ahead.shift() ?? tokens.next(),
    return: () => {
      ahead.length = 0;
      return tokens.return();
    },
    [Symbol.asyncIterator]: () => reader,
  };
  return {
    [Symbol.asyncIterator]: () => reader,
    get result() {
      run_on();
      return promise;
    },
  };
}

function with_resolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}
