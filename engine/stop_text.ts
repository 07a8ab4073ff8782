import { type StreamDecoder, stream_decoder, type Tokenizer } from './input/tokenizer.ts';

/** Streams text and ends it before a stop text; holds back what may become one. */
export class StopText {
  all = '';
  stopped = false;
  #pending = '';
  readonly #decoder: StreamDecoder;
  readonly #stops: readonly string[];

  constructor(tokenizer: Tokenizer, stops: readonly string[]) {
    this.#decoder = stream_decoder(tokenizer);
    this.#stops = stops;
  }

  push(id: number): string {
    return this.#take(this.#decoder.push(id), false);
  }

  end(): string {
    return this.stopped ? '' : this.#take(this.#decoder.end(), true);
  }

  #take(piece: string, is_last: boolean): string {
    this.#pending += piece;
    const found = this.#stops.map((stop) => this.#pending.indexOf(stop)).filter((at) => at >= 0);
    let until = this.#pending.length;
    if (found.length > 0) {
      this.stopped = true;
      until = Math.min(...found);
    } else if (!is_last) {
      until -= held_back(this.#pending, this.#stops);
    }
    const settled = this.#pending.slice(0, until);
    this.#pending = this.#pending.slice(until);
    this.all += settled;
    return settled;
  }
}

/** Length of the longest end of the text that a stop text could begin with. */
function held_back(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    if (stops.some((stop) => stop.startsWith(text.slice(-length)))) return length;
  }
  return 0;
}
