import type { Picture } from '../engine/input/pictures.ts';
import { shapes_sample } from '../experiments/datasets/shapes.ts';
import { Client, Refusal, type Running } from './client.ts';
import type { AnswerView, AskRequest, CallName, Calls, DeviceView, InsideView, ModelView, Told } from './protocol.ts';
import { from_link, type Settings, to_link } from './settings.ts';

export interface Subject extends Picture {
  readonly name: string;
  /** Of a drawn one: what is asked of it, and the answer. */
  readonly question?: string;
  readonly answer?: string;
}

/** What the views share. Each is told when something of it has changed. */
export class App {
  readonly client: Client;
  settings: Settings = from_link(location.hash);
  device: DeviceView | undefined;
  model: ModelView | undefined;
  picture: Subject | undefined;
  answer: AnswerView | undefined;
  inside: InsideView | undefined;
  /** One sentence for the visitor: what went wrong, and what to do. */
  trouble = '';
  /** What is under way, in words; '' where nothing is. */
  doing = '';
  #running: { readonly stop: () => void; readonly ended: Promise<unknown> } | undefined;
  readonly #listeners: (() => void)[] = [];

  constructor() {
    this.client = new Client((why) => this.#lost(why));
    this.picture = drawn(this.settings.picture);
  }

  on_change(listener: () => void): void {
    this.#listeners.push(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  set(some: Partial<Settings>): void {
    this.settings = { ...this.settings, ...some };
    history.replaceState(null, '', to_link(this.settings));
    this.changed();
  }

  request(): AskRequest {
    const { prompt, tokens, knobs } = this.settings;
    const { picture } = this;
    return {
      prompt: prompt || (picture?.question ?? 'what is in the picture?'),
      picture:
        picture === undefined
          ? null
          : { name: picture.name, width: picture.width, height: picture.height, rgb: picture.rgb },
      knobs,
      max_new_tokens: tokens,
    };
  }

  stop(): void {
    this.#running?.stop();
  }

  /** One call at a time: the GPU is one, and two at once would disturb each other's times. undefined where it did not end well. */
  async run<K extends CallName>(
    doing: string,
    call: K,
    args: Parameters<Calls[K]>,
    told: (told: Told) => void = () => {},
  ): Promise<ReturnType<Calls[K]> | undefined> {
    while (this.#running !== undefined) {
      this.#running.stop();
      await this.#running.ended.catch(() => undefined);
    }
    const running: Running<K> = this.client.call(call, args, (one) => {
      if (one.kind === 'bytes' || one.kind === 'progress') this.#progress(doing, one);
      told(one);
    });
    const mine = { stop: running.stop, ended: running.value };
    this.#running = mine;
    this.trouble = '';
    this.doing = doing;
    this.changed();
    try {
      return await running.value;
    } catch (error) {
      this.trouble = sentence_of(error as Error);
      return undefined;
    } finally {
      if (this.#running === mine) {
        this.#running = undefined;
        this.doing = '';
      }
      this.changed();
    }
  }

  #progress(doing: string, { what, done, total }: { what: string; done: number; total: number }): void {
    const share = total > 0 ? `${Math.min(100, Math.floor((100 * done) / total))} %` : String(done);
    const text = `${doing}: ${what} ${share}`;
    if (text === this.doing) return;
    this.doing = text;
    this.changed();
  }

  /** The device, then the model that the link asks for. */
  async start(): Promise<void> {
    this.device = await this.run('Opening the GPU', 'open', [{ without_stamps: false }]);
    if (this.device !== undefined) await this.load();
  }

  async load(): Promise<boolean> {
    const { model, dtype } = this.settings;
    this.model = undefined;
    this.answer = undefined;
    this.inside = undefined;
    this.model = await this.run(`Loading ${model}`, 'load', [model, dtype]);
    this.changed();
    return this.model !== undefined;
  }

  #lost(why: string): void {
    this.device = undefined;
    this.model = undefined;
    const sentence = `The GPU was lost (${why.slice(0, 160) || 'the browser gives no reason'}): press "Start again"; if it repeats, choose a smaller model.`;
    this.client.restart(sentence);
    this.trouble = sentence;
    this.changed();
  }
}

/** Picture n of the built-in test set, with its question. */
export function drawn(place: number | undefined): Subject | undefined {
  if (place === undefined) return undefined;
  const { picture, question, answer } = shapes_sample('test', place);
  return { ...picture, name: `drawn picture ${place}`, question, answer };
}

function sentence_of(error: Error): string {
  if (error.name === 'AbortError') return 'Stopped.';
  const text = error instanceof Refusal ? error.message : `Something went wrong here: ${error.message}`;
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
