import { InputError } from './errors.ts';
import type { Dispatch, Stage } from './gpu/executor.ts';
import { type Counts, type Ledger, make_ledger } from './meter/ledger.ts';
import { type Context, rows_that_fit } from './model/context.ts';
import {
  choose,
  chunk_rows,
  type DecoderWork,
  decoder_work,
  embed,
  head,
  type Insertion,
  insert_features,
  release_work,
  run_blocks,
  type Sampling,
} from './model/decoder.ts';
import { geometry_of } from './model/geometry.ts';
import { type BlockPlan, type Knobs, plan_blocks } from './model/knobs.ts';
import { project } from './model/projector.ts';
import { check_length, close_sequences, open_sequences, type Sequences } from './model/sequences.ts';
import { type Crops, encode_vision } from './model/vision.ts';

/** A request as the model sees it: ids, crops, and the prompt row of each pooled cell. */
export interface ModelInput {
  readonly ids: readonly number[];
  readonly crops?: Crops & { readonly index: Int32Array };
}

export interface RunOptions {
  readonly maxNewTokens: number;
  readonly knobs?: Knobs;
  readonly sampling?: Sampling;
  /** Tokens made between two readbacks: more hides the round trip, 1 streams every token. */
  readonly tokensPerReadback?: number;
  /** Runs the ViT blocks whose output nobody reads. */
  readonly keepDeadBlocks?: boolean;
  /** Head and probe at every prompt position instead of the last. */
  readonly allLogits?: boolean;
  /** Ends the request after this stage: nothing is generated. */
  readonly stopAfter?: 'vision_encoder' | 'projector';
  /** Sees each token as it is read; true ends the generation with that token. */
  readonly until?: (id: number) => boolean;
  readonly signal?: AbortSignal;
}

/** One stage as it ran: wall time between fences, and exact counts of what was dispatched. */
export interface StageResult extends Counts {
  readonly stage: Exclude<Stage, 'load'>;
  /** On the host's clock (performance.now). */
  readonly started_ms: number;
  readonly wall_ms: number;
}

export interface RunResult {
  readonly stages: readonly StageResult[];
  /** From the first stage's start to the last token on the host, without the time the caller took between tokens. */
  readonly total_ms: number;
  /** Wall time of each decode step, or of each group of steps between two readbacks divided by their number. */
  readonly decode_step_ms: readonly number[];
  readonly ledger: Ledger;
  readonly warnings: readonly string[];
}

export interface RunToken {
  readonly id: number;
  readonly index: number;
}

/** vision -> projector -> prefill -> decode. Yields tokens as they are read back; returns times and counts. */
export async function* run_model(
  ctx: Context,
  input: ModelInput,
  options: RunOptions,
): AsyncGenerator<RunToken, RunResult, void> {
  const { executor, config } = ctx;
  check_input(ctx, input);
  const plan = plan_blocks(config, options.knobs ?? {});
  const steps = options.maxNewTokens;
  const warning = check_length(config, input.ids.length, steps);
  const ledger = make_ledger();
  const stages: StageResult[] = [];
  const decode_step_ms: number[] = [];
  const begun_ms = performance.now();
  let away_ms = 0;
  const done = (): RunResult => ({
    stages,
    total_ms: performance.now() - begun_ms - away_ms,
    decode_step_ms,
    ledger,
    warnings: warning === undefined ? [] : [warning],
  });
  const timed = async <T>(stage: StageResult['stage'], run: () => Promise<T>): Promise<T> => {
    options.signal?.throwIfAborted();
    const started = performance.now();
    const result = await run();
    await executor.finish();
    const wall_ms = performance.now() - started;
    stages.push({ stage, started_ms: started, wall_ms, ...ledger.sum((row) => row.stage === stage) });
    return result;
  };

  executor.observe(ledger.record);
  executor.buffers.restart_peaks();
  const mark = executor.buffers.mark();
  let insertion: Insertion | undefined;
  let sequences: Sequences | undefined;
  let ahead: Group | undefined;
  try {
    if (input.crops !== undefined) {
      const crops = input.crops;
      const windows = await timed('vision_encoder', () => encode_vision(ctx, crops, options));
      if (options.stopAfter === 'vision_encoder') return done();
      insertion = { features: await timed('projector', () => project(ctx, windows)), index: crops.index };
      if (options.stopAfter === 'projector') return done();
    }
    sequences = await open_sequences(ctx, [input.ids], steps, plan);
    const open = sequences;
    await timed('prefill', () => prefill(ctx, open, plan, insertion, options));
    if (insertion !== undefined) executor.buffers.destroy(insertion.features.buffer);
    insertion = undefined;
    let ended = steps === 0;
    if (!ended) {
      const [first] = (await read_tokens(ctx, open, 0, 1)) as [RunToken];
      ended = options.until?.(first.id) === true;
      const left_ms = performance.now();
      yield first;
      away_ms += performance.now() - left_ms;
    }
    const work = steps > 1 && !ended ? await decoder_work(ctx, 1, 1, plan, open.capacity) : undefined;
    const decode_started = performance.now();
    const group = Math.max(1, options.tokensPerReadback ?? 1);
    let last: readonly Dispatch[] | undefined;
    const submit_group = async (made: number): Promise<Group> => {
      const count = Math.min(group, steps - made);
      for (let i = 0; i < count; i++) {
        options.signal?.throwIfAborted();
        last = await decode_step(ctx, open, plan, made - 1 + i, options.sampling, work as DecoderWork, last);
      }
      return { count, end: made + count, arrive: await tokens_later(ctx, open, made, count) };
    };
    // The next group can go out before the last one's tokens are read: they are on the GPU already, which then never
    // idles. Not where the GPU is the host's own cores: there encoding takes time from the work it would overlap.
    const overlap = !executor.device.traits.software;
    let before_ms = decode_started;
    if (steps > 1 && !ended) ahead = await submit_group(1);
    while (ahead !== undefined && !ended) {
      const { count, end, arrive } = ahead;
      const more = end < steps;
      ahead = more && overlap ? await submit_group(end) : undefined;
      const tokens = await arrive();
      const each_ms = (performance.now() - before_ms) / count;
      for (let i = 0; i < count; i++) decode_step_ms.push(each_ms);
      for (const token of tokens) {
        ended = options.until?.(token.id) === true;
        const left_ms = performance.now();
        yield token;
        away_ms += performance.now() - left_ms;
        if (ended) break; // tokens made ahead of the end are dropped
      }
      before_ms = performance.now();
      if (more && !overlap && !ended) ahead = await submit_group(end);
    }
    if (decode_step_ms.length > 0) {
      const wall_ms = decode_step_ms.reduce((sum, ms) => sum + ms, 0); // not the time the caller took between tokens
      stages.push({
        stage: 'decode',
        started_ms: decode_started,
        wall_ms,
        ...ledger.sum((row) => row.stage === 'decode'),
      });
    }
    return done();
  } finally {
    executor.observe(undefined);
    executor.drop();
    await ahead?.arrive().catch(() => undefined); // the caller left or the text ended: its readback is given back
    if (sequences !== undefined) close_sequences(ctx, sequences);
    executor.buffers.sweep(mark);
  }
}

async function prefill(
  ctx: Context,
  sequences: Sequences,
  plan: BlockPlan,
  insertion: Insertion | undefined,
  options: RunOptions,
): Promise<void> {
  const { executor, config } = ctx;
  const { signal } = options;
  const total = sequences.prompt_rows;
  const size = chunk_rows(ctx, total);
  const fitting = rows_that_fit(ctx, config.embedding_size, 2 * config.d_model * config.embedding_size);
  const logit_rows = options.allLogits ? Math.min(size, fitting) : 1;
  const work = await decoder_work(ctx, size, logit_rows, plan);
  try {
    for (let row0 = 0; row0 < total; row0 += size) {
      signal?.throwIfAborted();
      const rows = Math.min(size, total - row0);
      embed(ctx, sequences, row0, rows, work, { stage: 'prefill', component: 'embed' });
      if (insertion !== undefined) insert_features(ctx, insertion, row0, rows, work);
      await ctx.probe?.('llm.embeds', 0, { ...work.x, rows });
      const keys = row0 + rows;
      const sequence = { index: 0, first_position: row0 };
      await run_blocks(ctx, { stage: 'prefill', row0, rows, keys, sequence, signal }, plan, sequences, work);
      const is_last = row0 + rows === total;
      if (options.allLogits) {
        const before_last = is_last ? rows - 1 : rows;
        for (let row = 0; row < before_last; row += logit_rows) {
          await head(ctx, 'prefill', row, Math.min(logit_rows, before_last - row), work);
        }
      }
      if (is_last) await head(ctx, 'prefill', rows - 1, 1, work);
    }
    if (options.maxNewTokens > 0) {
      choose(ctx, 'prefill', 1, work, sequences.tokens, total, options.sampling);
    }
    await probe_cache(ctx, sequences);
    await executor.flush();
  } finally {
    release_work(ctx, work);
  }
}

/** The cache of the first active block, for comparisons. */
async function probe_cache(ctx: Context, sequences: Sequences): Promise<void> {
  const layer = sequences.kv.findIndex((pair) => pair !== undefined);
  const cache = sequences.kv[layer];
  if (ctx.probe === undefined || cache === undefined) return;
  const shape = { rows: sequences.prompt_rows, cols: ctx.config.d_model, stride: sequences.kv_stride };
  await ctx.probe('llm.k', layer, { buffer: cache.k, ...shape });
  await ctx.probe('llm.v', layer, { buffer: cache.v, ...shape });
}

/** Feeds the token of `step` (already on the GPU) and puts the next one behind it. `last`: what the step before launched. */
async function decode_step(
  ctx: Context,
  sequences: Sequences,
  plan: BlockPlan,
  step: number,
  sampling: Sampling | undefined,
  work: DecoderWork,
  last: readonly Dispatch[] | undefined,
): Promise<readonly Dispatch[]> {
  const { executor } = ctx;
  const rows = sequences.count;
  if (last !== undefined && ctx.probe === undefined) {
    const launched = executor.again(last, rows);
    await executor.flush();
    return launched;
  }
  const row0 = sequences.prompt_rows + step * rows;
  const keys = sequences.lengths.reduce((sum, length) => sum + length + step + 1, 0);
  embed(ctx, sequences, row0, rows, work, { stage: 'decode', component: 'embed' });
  await run_blocks(ctx, { stage: 'decode', row0, rows, keys }, plan, sequences, work);
  await head(ctx, 'decode', 0, rows, work);
  choose(ctx, 'decode', rows, work, sequences.tokens, row0 + rows, sampling);
  const launched = executor.recorded();
  await executor.flush();
  return launched;
}

/** Decode steps whose tokens are read together. */
interface Group {
  readonly count: number;
  /** Tokens made when it is done. */
  readonly end: number;
  readonly arrive: () => Promise<RunToken[]>;
}

const read_tokens = async (...range: Parameters<typeof tokens_later>): Promise<RunToken[]> =>
  (await tokens_later(...range))();

async function tokens_later(
  ctx: Context,
  sequences: Sequences,
  index: number,
  count: number,
): Promise<() => Promise<RunToken[]>> {
  const read = await ctx.executor.read_later(sequences.tokens, 4 * (sequences.prompt_rows + index), 4 * count);
  return async () => checked_tokens(ctx, await read(), index);
}

function checked_tokens(ctx: Context, bytes: ArrayBuffer, index: number): RunToken[] {
  return Array.from(new Uint32Array(bytes), (id, i) => {
    if (id < ctx.config.embedding_size) return { id, index: index + i };
    throw new InputError(
      `token ${index + i}: the logits are not numbers; the weights or the driver are at fault: run \`molmoe verify\``,
    );
  });
}

function check_input({ config }: Context, { ids, crops }: ModelInput): void {
  if (ids.length === 0) throw new InputError('expected at least one prompt token, found none');
  const ids_end = config.embedding_size + config.additional_vocab_size;
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= ids_end);
  if (wrong !== undefined) {
    throw new InputError(
      `prompt: expected token ids below ${ids_end}, found ${wrong}; the tokenizer does not fit the model`,
    );
  }
  if (crops === undefined) return;
  const { count, images, masks, index } = crops;
  const { patches, patch_values, cells } = geometry_of(config);
  const wanted = [count * patches * patch_values, count * patches, count * cells];
  if (images.length !== wanted[0] || masks.length !== wanted[1] || index.length !== wanted[2]) {
    throw new InputError(
      `image: expected ${count} crops of ${patches} x ${patch_values} values, ${patches} masks and ${cells} positions, found ${images.length}, ${masks.length} and ${index.length}`,
    );
  }
  const used = index.filter((row) => row >= 0);
  if (used.some((row) => row >= ids.length) || new Set(used).size !== used.length) {
    throw new InputError('image_input_idx: expected distinct positions inside the prompt, found one outside or twice');
  }
  if (!images.every(Number.isFinite) || !masks.every(Number.isFinite)) {
    throw new InputError('image: expected finite values, found NaN or infinity');
  }
}
