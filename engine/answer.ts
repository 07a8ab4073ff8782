import type { Tiling } from './input/tiling.ts';
import type { Tokenizer } from './input/tokenizer.ts';
import type { TokenCounts } from './prepare.ts';
import type { GenerateRequest } from './request.ts';
import { StopText } from './stop_text.ts';

/** An answer and what was asked, however it was made. */
export interface Answered {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly finish: Answer['finish'];
  readonly counts: TokenCounts;
  readonly tiling: Tiling | undefined;
  /** Host time of tokenising and of image preparation. */
  readonly preprocess_ms: number;
}

/** One answer as its tokens come: what they settle of the text, and when it ends. */
export class Answer {
  readonly ids: number[] = [];
  finish: 'length' | 'eos' | 'stop' = 'length';
  /** Of the last token. */
  settled = '';
  readonly #text: StopText;
  readonly #eos_id: number | undefined;

  constructor(tokenizer: Tokenizer, eos_id: number, { stop, ignoreEos }: Pick<GenerateRequest, 'stop' | 'ignoreEos'>) {
    this.#text = new StopText(tokenizer, stop ?? []);
    this.#eos_id = ignoreEos ? undefined : eos_id;
  }

  /** True ends the answer with this token. */
  take(id: number): boolean {
    if (id === this.#eos_id) this.finish = 'eos';
    else {
      this.ids.push(id);
      this.settled = this.#text.push(id);
      if (this.#text.stopped) this.finish = 'stop';
    }
    return this.finish !== 'length';
  }

  /** What was held back. */
  end(): string {
    const rest = this.#text.end();
    if (this.#text.stopped && this.finish === 'length') this.finish = 'stop';
    return rest;
  }

  get text(): string {
    return this.#text.all;
  }
}
