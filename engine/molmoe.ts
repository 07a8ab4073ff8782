import type { WeightFormat } from '../kernels/spec.ts';
import { compile_ahead } from './compile_ahead.ts';
import { InputError, UsageError } from './errors.ts';
import { run_model, type StageResult } from './generate.ts';
import type { MemoryCount, Purpose } from './gpu/buffers.ts';
import type { Executor } from './gpu/executor.ts';
import { type HostSpan, start_timeline, type TimelineReport, type Timing } from './gpu/timeline.ts';
import { prepare_image } from './input/image.ts';
import type { VisionCounts } from './input/layout.ts';
import type { Picture } from './input/pictures.ts';
import { build_prompt } from './input/prompt.ts';
import type { ResizeMode } from './input/resize.ts';
import { type CropChoice, choose_tiling, type crop_tiers, type Tiling } from './input/tiling.ts';
import { type StreamDecoder, stream_decoder, type Tokenizer } from './input/tokenizer.ts';
import type { Ledger } from './meter/ledger.ts';
import type { ModelConfig } from './model/config.ts';
import type { Context, Probe } from './model/context.ts';
import type { Sampling } from './model/decoder.ts';
import { geometry_of } from './model/geometry.ts';
import { type Knobs, plan_blocks } from './model/knobs.ts';
import { count_routing, type Routing } from './model/routing.ts';
import { check_length } from './model/sequences.ts';
import { load_weights, type Weights } from './model/weights.ts';
import type { WeightSource } from './weights/source.ts';
import type { LoadProgress } from './weights/upload.ts';

export interface GenerateRequest {
  readonly prompt: string;
  /** Decoded picture; at most one. */
  readonly image?: Picture;
  /** `pad` letterboxes as the released processor does; `fill` covers and crops as the study's experiments do. */
  readonly resize?: ResizeMode;
  /** 64 by default; 0 runs the prompt alone. */
  readonly maxNewTokens?: number;
  readonly knobs?: Knobs;
  /** Greedy when absent. */
  readonly sampling?: Sampling;
  /** Generation ends when one of these appears; it is not part of the text. */
  readonly stop?: readonly string[];
  /** Goes on after the end-of-text token: forced length. */
  readonly ignoreEos?: boolean;
  /** Tokens made between two readbacks; 1 streams each. */
  readonly tokensPerReadback?: number;
  readonly keepDeadBlocks?: boolean;
  /** Stamps passes on the GPU's clock, one a stage or one a kernel. That costs time: wall times are then not the plain ones. */
  readonly timing?: Timing;
  /** Reads back what every router chose: `result.routing`. Costs a fence a block. */
  readonly routing?: boolean;
  /** Ends the request after this stage: nothing is generated. */
  readonly stopAfter?: 'vision_encoder' | 'projector';
  /** Sees intermediate results by the names of the reference data. */
  readonly probe?: Probe;
  /** Logits of every prompt position, not only of the last: for `probe`. */
  readonly allLogits?: boolean;
  readonly signal?: AbortSignal;
}

export interface Token {
  readonly id: number;
  readonly index: number;
  /** What this token settles of the text; empty while a character is incomplete. */
  readonly text: string;
}

export interface TokenCounts extends Partial<VisionCounts> {
  /** High-resolution crops; the ViT sees one more view, the overview. */
  readonly crops: number;
  readonly views: number;
  readonly text_tokens: number;
  readonly prompt_tokens: number;
  readonly new_tokens: number;
}

export interface GenerateResult {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly finish: 'length' | 'eos' | 'stop';
  readonly counts: TokenCounts;
  readonly tiling: Tiling | undefined;
  /** Host time of tokenising and of image preparation. */
  readonly preprocess_ms: number;
  /** Its parts, on the host's clock. */
  readonly preprocess: readonly HostSpan[];
  /** Wall time between fences and exact counts of what was dispatched, stage by stage. */
  readonly stages: readonly StageResult[];
  /** From the first stage's start to the last token on the host. */
  readonly total_ms: number;
  readonly decode_step_ms: readonly number[];
  readonly ledger: Ledger;
  /** Where the request asked for `timing`. */
  readonly timeline: TimelineReport | undefined;
  /** Where the request asked for it. */
  readonly routing: Routing | undefined;
  /** Peaks are this request's own, with what was held when it began. */
  readonly memory: Readonly<Record<Purpose | 'total', MemoryCount>>;
  readonly warnings: readonly string[];
}

/** A running generation: iterate it for tokens, then await `result`. */
export interface Generation extends AsyncIterable<Token> {
  readonly result: Promise<GenerateResult>;
}

/** What was loaded, as results record it. */
export interface ModelFacts {
  readonly name: string;
  readonly weights: string;
  readonly weights_kind: 'checkpoint' | 'synthetic';
  readonly seed: number | undefined;
  readonly dtype: WeightFormat;
  readonly tokenizer: Tokenizer['kind'];
  readonly config: ModelConfig;
}

export interface ModelParts {
  readonly name: string;
  readonly executor: Executor;
  readonly config: ModelConfig;
  readonly source: WeightSource;
  readonly tokenizer: Tokenizer;
  readonly dtype: WeightFormat;
  readonly on_progress?: LoadProgress;
  readonly signal?: AbortSignal;
}

export const model_facts = (parts: Omit<ModelParts, 'executor'>): ModelFacts => ({
  name: parts.name,
  weights: parts.source.label,
  weights_kind: parts.source.kind,
  seed: parts.source.kind === 'synthetic' ? parts.source.seed : undefined,
  dtype: parts.dtype,
  tokenizer: parts.tokenizer.kind,
  config: parts.config,
});

/** One model on one device. Requests run one after the other and leave nothing behind. */
export class Engine {
  readonly facts: ModelFacts;
  readonly weights: Weights;
  readonly executor: Executor;
  readonly tokenizer: Tokenizer;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(parts: ModelParts, weights: Weights) {
    this.executor = parts.executor;
    this.tokenizer = parts.tokenizer;
    this.weights = weights;
    this.facts = model_facts(parts);
  }

  static async create(parts: ModelParts): Promise<Engine> {
    check_tokenizer(parts.tokenizer, parts.config);
    const { executor, config, source, dtype } = parts;
    // What does not compile is told by the request that needs it.
    const compiling = compile_ahead(executor, config, dtype).catch(() => undefined);
    const weights = await load_weights(executor, config, source, dtype, parts.on_progress, parts.signal);
    await compiling;
    return new Engine(parts, weights);
  }

  get context(): Context {
    return { executor: this.executor, config: this.facts.config, weights: this.weights };
  }

  /**
   * Prepares the request at once, so that one that cannot run is refused here. The GPU starts at the first iteration,
   * or when `result` is awaited; leaving the loop early frees everything.
   */
  generate(request: GenerateRequest): Generation {
    const input = prepare(request, this.facts.config, this.tokenizer);
    let settle: ((result: GenerateResult) => void) | undefined;
    let fail: ((error: unknown) => void) | undefined;
    const promise = new Promise<GenerateResult>((resolve, reject) => {
      settle = resolve;
      fail = reject;
    });
    promise.catch(() => undefined); // the iterator throws the same error
    let started = false;
    const iterate = async function* (engine: Engine): AsyncGenerator<Token, void, void> {
      if (started) throw new UsageError('this generation was already read: call generate() again');
      started = true;
      const release = await engine.#enter();
      let finished = false;
      try {
        const result = yield* engine.#run(request, input);
        finished = true;
        settle?.(result);
      } catch (error) {
        finished = true;
        fail?.(error);
        throw error;
      } finally {
        if (!finished)
          fail?.(new InputError('the generation was left before its end: read it to the end for a result'));
        release();
      }
    };
    const tokens = iterate(this);
    const drain = async (): Promise<GenerateResult> => {
      if (!started) for await (const _ of tokens);
      return promise;
    };
    return {
      [Symbol.asyncIterator]: () => tokens,
      get result() {
        return drain();
      },
    };
  }

  /** Frees the device; every later call fails with a clear error. */
  close(): void {
    this.executor.destroy();
  }

  /** Waits for the requests before this one; the returned function lets the next one in. */
  async #enter(): Promise<() => void> {
    const before = this.#queue;
    let leave: () => void = () => {};
    this.#queue = new Promise<void>((resolve) => {
      leave = resolve;
    });
    await before;
    return leave;
  }

  async *#run(
    request: GenerateRequest,
    input: ReturnType<typeof prepare>,
  ): AsyncGenerator<Token, GenerateResult, void> {
    const { config } = this.facts;
    const text = new StopText(this.tokenizer, request.stop ?? []);
    const ids: number[] = [];
    let finish = 'length' as GenerateResult['finish'];
    let settled = '';
    const until = (id: number): boolean => {
      if (id === config.eos_id && !request.ignoreEos) finish = 'eos';
      else {
        ids.push(id);
        settled = text.push(id);
        if (text.stopped) finish = 'stop';
      }
      return finish !== 'length';
    };
    const maxNewTokens = request.maxNewTokens ?? DEFAULT_NEW_TOKENS;
    const timeline = request.timing && (await start_timeline(this.executor, request.timing));
    const routing = request.routing ? count_routing(this.executor, config, input.ids.length) : undefined;
    const probe = both(request.probe, routing?.probe);
    const run = run_model({ ...this.context, probe }, input, { ...request, maxNewTokens, until });
    try {
      for (;;) {
        const next = await run.next();
        if (next.done) {
          const rest = text.end();
          if (text.stopped && finish === 'length') finish = 'stop';
          if (rest !== '') yield { id: ids.at(-1) as number, index: ids.length - 1, text: rest };
          return {
            text: text.all,
            tokens: ids,
            finish,
            counts: { ...input.counts, new_tokens: ids.length },
            tiling: input.tiling,
            preprocess_ms: input.preprocess_ms,
            preprocess: input.preprocess,
            ...next.value,
            routing: routing?.result(),
            timeline: await timeline?.collect(),
            memory: this.executor.buffers.memory(),
          };
        }
        if (finish !== 'eos') yield { ...next.value, text: settled };
      }
    } finally {
      await run.return(undefined as never);
      timeline?.close();
    }
  }
}

const DEFAULT_NEW_TOKENS = 64;

const both = (a: Probe | undefined, b: Probe | undefined): Probe | undefined =>
  a === undefined || b === undefined
    ? (a ?? b)
    : async (...seen) => {
        await a(...seen);
        await b(...seen);
      };

/** Picture and prompt become ids, crops and positions; what cannot run is refused. */
function prepare(request: GenerateRequest, config: ModelConfig, tokenizer: Tokenizer) {
  check_request(request, config);
  const { prompt, image, knobs, resize } = request;
  const started = performance.now();
  const geometry = geometry_of(config);
  const prepared =
    image && prepare_image(image, { mode: resize ?? 'pad', crops: crop_choice(knobs ?? {}, config), geometry });
  const prepared_ms = performance.now();
  const built = build_prompt(tokenizer, prompt, {
    picture: prepared && { tiling: prepared.tiling, geometry },
    message_format: config.message_formatting,
    always_start_with_space: config.always_start_with_space,
  });
  const crops = prepared &&
    built.image && {
      count: prepared.views,
      images: prepared.images,
      masks: prepared.masks,
      index: built.image.input_idx,
    };
  const counts: Omit<TokenCounts, 'new_tokens'> = {
    ...prepared?.counts,
    crops: prepared === undefined ? 0 : prepared.views - 1,
    views: prepared?.views ?? 0,
    text_tokens: built.text_tokens,
    prompt_tokens: built.ids.length,
  };
  const preprocess_ms = performance.now() - started;
  const image_ms = prepared_ms - started;
  const preprocess: HostSpan[] = [
    ...(image === undefined ? [] : [{ name: 'prepare image', started_ms: started, wall_ms: image_ms }]),
    { name: 'tokenise', started_ms: prepared_ms, wall_ms: preprocess_ms - image_ms },
  ];
  check_length(config, built.ids.length, request.maxNewTokens ?? DEFAULT_NEW_TOKENS);
  return { ids: built.ids, crops, counts, tiling: prepared?.tiling, preprocess_ms, preprocess };
}

function crop_choice({ maxCrops, crops, tier }: Knobs, config: ModelConfig): CropChoice {
  if ([maxCrops, crops, tier].filter((knob) => knob !== undefined).length > 1) {
    throw new UsageError('expected one of maxCrops, crops and tier, found more than one');
  }
  if (crops !== undefined) return { exact_crops: crops };
  if (tier !== undefined) return { tier: tier as keyof typeof crop_tiers };
  return { max_crops: maxCrops ?? config.max_crops };
}

function check_request(request: GenerateRequest, config: ModelConfig): void {
  const whole = (name: string, value: number | undefined, least: number) => {
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value < 2 ** 32)) {
      throw new UsageError(`${name}: expected a whole number of at least ${least} and below 2^32, found ${value}`);
    }
  };
  whole('maxNewTokens', request.maxNewTokens, 0);
  whole('tokensPerReadback', request.tokensPerReadback, 1);
  whole('sampling.topK', request.sampling?.topK, 0);
  whole('sampling.seed', request.sampling?.seed, 0);
  plan_blocks(config, request.knobs ?? {});
  choose_tiling(1, 1, crop_choice(request.knobs ?? {}, config), geometry_of(config)); // refuses a wrong crop knob, picture or not
  const { temperature, topP } = request.sampling ?? {};
  if (temperature !== undefined && !(temperature >= 0 && temperature <= 100)) {
    throw new UsageError(`sampling.temperature: expected a number from 0 to 100, found ${temperature}`);
  }
  if (topP !== undefined && !(topP > 0 && topP <= 1)) {
    throw new UsageError(`sampling.topP: expected a number above 0 and at most 1, found ${topP}`);
  }
  if (typeof request.prompt !== 'string') throw new UsageError('prompt: expected a text, found none');
  if (request.stop?.some((text) => text === '')) throw new UsageError('stop: expected texts, found an empty one');
}

function check_tokenizer(tokenizer: Tokenizer, config: ModelConfig): void {
  const ids_end = config.embedding_size + config.additional_vocab_size;
  for (const [name, id] of Object.entries(tokenizer.special)) {
    if (id >= ids_end) {
      throw new InputError(
        `tokenizer: ${name} is token ${id}, but the model has ${ids_end} embedding rows; use the tokenizer that belongs to the model`,
      );
    }
  }
}

/** Streams text and ends it before a stop text; holds back what may become one. */
class StopText {
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
