import type { WeightFormat } from '../kernels/spec.ts';
import { Answer, type Answered } from './answer.ts';
import { type BatchGeneration, type BatchRequestOptions, batch_of, run_requests } from './batch_requests.ts';
import { compile_ahead } from './compile_ahead.ts';
import { InputError, UsageError } from './errors.ts';
import { run_model, type StageResult } from './generate.ts';
import { type Reading, read_work, Turns } from './generation.ts';
import type { MemoryCount, Purpose } from './gpu/buffers.ts';
import type { Executor } from './gpu/executor.ts';
import { type HostSpan, start_timeline, type TimelineReport } from './gpu/timeline.ts';
import type { Tokenizer } from './input/tokenizer.ts';
import type { Ledger } from './meter/ledger.ts';
import type { ModelConfig } from './model/config.ts';
import type { Context, Probe } from './model/context.ts';
import { count_routing, type Routing } from './model/routing.ts';
import { forget_keys, type KeptKeys } from './model/sequences.ts';
import { load_weights, type Weights } from './model/weights.ts';
import { type Prepared, prepare, type Seen } from './prepare.ts';
import { DEFAULT_NEW_TOKENS, type GenerateRequest } from './request.ts';
import type { WeightSource } from './weights/source.ts';
import type { LoadProgress } from './weights/upload.ts';

export type { TokenCounts } from './prepare.ts';
export type { GenerateRequest } from './request.ts';

export interface Token {
  readonly id: number;
  readonly index: number;
  /** What this token settles of the text; empty while a character is incomplete. */
  readonly text: string;
}

export interface GenerateResult extends Answered {
  /** What preprocess_ms is the sum of, on the host's clock. */
  readonly preprocess: readonly HostSpan[];
  /** Wall time between fences and exact counts of what was dispatched, stage by stage. */
  readonly stages: readonly StageResult[];
  /** From the first stage's start to the last token on the host. */
  readonly total_ms: number;
  /** Preparation and all stages until the first token was on the host; undefined where none was made. */
  readonly first_token_ms: number | undefined;
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
export type Generation = Reading<Token, GenerateResult>;

/** Questions that begin with the same picture. */
export interface Look {
  readonly ask: (
    question: Omit<GenerateRequest, 'image' | 'knobs' | 'resize' | 'keepDeadBlocks' | 'routing'>,
  ) => Generation;
  /** Once the questions before are answered. */
  readonly close: () => Promise<void>;
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
  readonly #turns = new Turns();

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
   * or when `result` is asked for; leaving the loop early frees everything. A generation whose reader pauses waits for
   * it, but not where another request waits: then it runs on to its end, and keeps its tokens for the reader.
   */
  generate(request: GenerateRequest): Generation {
    const input = prepare(request, this.facts.config, this.tokenizer);
    return read_work(() => this.#run(request, input), this.#turns);
  }

  /**
   * Questions about one picture, or none, under the same knobs: what all prompts begin with, the picture above all, is
   * computed by the first. `close` frees what is kept.
   */
  look_at(look: Pick<GenerateRequest, 'image' | 'knobs' | 'resize' | 'keepDeadBlocks'>): Look {
    const kept: KeptKeys = { ids: [], capacity: 0, kv: [] };
    const seen: Seen = {};
    let closed = false;
    return {
      ask: (question) => {
        if (closed) throw new UsageError('this look is closed: look at the picture again');
        const request: GenerateRequest = { ...question, ...look };
        if (request.routing) throw new UsageError('routing: counts whole prompts; ask with generate');
        const input = prepare(request, this.facts.config, this.tokenizer, seen);
        return read_work(() => this.#run(request, input, kept), this.#turns);
      },
      close: async () => {
        closed = true;
        const leave = await this.#turns.enter(() => {});
        forget_keys(this.context, kept);
        leave();
      },
    };
  }

  /**
   * Several requests at once, same knobs: decoded together, a row each. What a request gives does not depend on its
   * neighbours. One that cannot run is told by its place; the others run.
   */
  generate_batch(requests: readonly GenerateRequest[], options: BatchRequestOptions = {}): BatchGeneration {
    const batch = batch_of(requests, this.facts.config, this.tokenizer, options);
    return read_work(() => run_requests(this.context, this.tokenizer, batch), this.#turns);
  }

  /** Frees the device; every later call fails with a clear error. */
  close(): void {
    this.executor.destroy();
  }

  async *#run(request: GenerateRequest, input: Prepared, kept?: KeptKeys): AsyncGenerator<Token, GenerateResult, void> {
    const { config } = this.facts;
    const answer = new Answer(this.tokenizer, config.eos_id, request);
    const until = (id: number): boolean => answer.take(id);
    const maxNewTokens = request.maxNewTokens ?? DEFAULT_NEW_TOKENS;
    const timeline = request.timing && (await start_timeline(this.executor, request.timing));
    const seen = new Set(input.crops?.index);
    const routing = request.routing ? count_routing(this.executor, config, input.ids.length, seen) : undefined;
    const probe = both(request.probe, routing?.probe);
    const run = run_model({ ...this.context, probe }, input, { ...request, maxNewTokens, until, kept });
    const begun_ms = performance.now();
    let first_token_ms: number | undefined;
    try {
      for (;;) {
        const next = await run.next();
        if (!next.done) first_token_ms ??= input.preprocess_ms + performance.now() - begun_ms;
        if (next.done) {
          const rest = answer.end();
          if (rest !== '') yield { id: answer.ids.at(-1) as number, index: answer.ids.length - 1, text: rest };
          return {
            text: answer.text,
            tokens: answer.ids,
            finish: answer.finish,
            counts: {
              ...input.counts,
              new_tokens: answer.ids.length,
              ...(kept === undefined ? {} : { kept_tokens: next.value.kept_rows }),
            },
            tiling: input.tiling,
            preprocess_ms: input.preprocess_ms,
            preprocess: input.preprocess,
            ...next.value,
            first_token_ms,
            routing: routing?.result(),
            timeline: await timeline?.collect(),
            memory: this.executor.buffers.memory(),
          };
        }
        if (answer.finish !== 'eos') yield { ...next.value, text: answer.settled };
      }
    } finally {
      await run.return(undefined as never);
      timeline?.close();
    }
  }
}

const both = (a: Probe | undefined, b: Probe | undefined): Probe | undefined =>
  a === undefined || b === undefined
    ? (a ?? b)
    : async (...seen) => {
        await a(...seen);
        await b(...seen);
      };

export function check_tokenizer(tokenizer: Tokenizer, config: ModelConfig): void {
  const ids_end = config.embedding_size + config.additional_vocab_size;
  for (const [name, id] of Object.entries(tokenizer.special)) {
    if (id >= ids_end) {
      throw new InputError(
        `tokenizer: ${name} is token ${id}, but the model has ${ids_end} embedding rows; use the tokenizer that belongs to the model`,
      );
    }
  }
}
