import { InputError } from './errors.ts';
import type { Dispatch } from './gpu/executor.ts';
import { make_ledger } from './meter/ledger.ts';
import { type Context, even_part, rows_that_fit, type View } from './model/context.ts';
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
import { type BlockPlan, type Knobs, plan_blocks, plan_pictures } from './model/knobs.ts';
import { open_picture_rows } from './model/picture_rows.ts';
import { project } from './model/projector.ts';
import { close_sequences, open_sequences, place_rows, type Sequences, spans_of } from './model/sequences.ts';
import { type Crops, encode_vision } from './model/vision.ts';
import { check_input, type ModelInput, type RunResult, type RunToken } from './model_request.ts';
import { start_clock } from './stage_clock.ts';

/** One of several requests that run together. */
export interface BatchItem {
  readonly input: ModelInput;
  readonly maxNewTokens: number;
  readonly sampling?: Sampling;
  /** Sees each token of this request as it is read; true ends its answer with that token. */
  readonly until: (id: number) => boolean;
  /** Asked after each step: true ends this request alone. */
  readonly left: () => boolean;
}

export interface BatchOptions {
  readonly knobs?: Knobs;
  readonly keepDeadBlocks?: boolean;
  readonly signal?: AbortSignal;
}

export interface BatchRunResult extends Omit<RunResult, 'warnings' | 'kept_rows'> {
  /** Requests that were in each decode step. */
  readonly decode_step_rows: readonly number[];
}

export type BatchToken = RunToken & { readonly request: number };

/** Most prompt rows that go through the blocks together where no prompt is longer: enough to fill any adapter. */
const PACKED_ROWS = 2048;

/**
 * All pictures through the encoder, all prompts through the blocks one behind the other, then a decode step has a row a
 * request that has not ended. What a request gives does not depend on its neighbours.
 */
export async function* run_batch(
  ctx: Context,
  items: readonly BatchItem[],
  options: BatchOptions,
): AsyncGenerator<BatchToken, BatchRunResult, void> {
  const { executor, config } = ctx;
  for (const { input } of items) check_input(config, input);
  const plan = plan_blocks(config, options.knobs ?? {});
  const ledger = make_ledger();
  executor.observe(ledger.record);
  executor.buffers.restart_peaks();
  const mark = executor.buffers.mark();
  const clock = start_clock(executor, ledger, { signal: options.signal });
  let sequences: Sequences | undefined;
  try {
    const insertions = await see(ctx, items, options, clock);
    const prompts = items.map(({ input }) => input.ids);
    const steps = items.map(({ maxNewTokens }) => maxNewTokens);
    const open = await open_sequences(ctx, prompts, steps, plan);
    sequences = open;
    await clock.time('prefill', () => prefill(ctx, open, plan, insertions, items, options));
    executor.buffers.destroy(...insertions.map(({ features }) => features.buffer));
    const decoded = yield* decode(ctx, open, plan, items, options.signal, clock);
    return { stages: clock.stages, total_ms: clock.total_ms(), ledger, ...decoded };
  } finally {
    executor.observe(undefined);
    executor.drop();
    if (sequences !== undefined) close_sequences(ctx, sequences);
    executor.buffers.sweep(mark);
  }
}

/** Image features of all requests, and the row of the packed prompts that each belongs to. */
async function see(
  ctx: Context,
  items: readonly BatchItem[],
  { keepDeadBlocks, signal }: BatchOptions,
  clock: ReturnType<typeof start_clock>,
): Promise<Insertion[]> {
  const insertions: Insertion[] = [];
  let wall = { vision_encoder: 0, projector: 0 };
  const started_ms = performance.now();
  for (const { crops, index } of pictures_together(ctx, items)) {
    signal?.throwIfAborted();
    const begun_ms = performance.now();
    const windows: View = await encode_vision(ctx, crops, { keepDeadBlocks, signal });
    await ctx.executor.finish();
    const seen_ms = performance.now();
    insertions.push({ features: await project(ctx, windows), index });
    await ctx.executor.finish();
    wall = {
      vision_encoder: wall.vision_encoder + seen_ms - begun_ms,
      projector: wall.projector + performance.now() - seen_ms,
    };
  }
  if (insertions.length > 0) {
    clock.add('vision_encoder', started_ms, wall.vision_encoder);
    clock.add('projector', started_ms + wall.vision_encoder, wall.projector);
  }
  return insertions;
}

/** Pictures of several requests as one, as many as the windows of their crops fit a binding. */
function pictures_together(ctx: Context, items: readonly BatchItem[]): { crops: Crops; index: Int32Array }[] {
  const { config } = ctx;
  const { patches } = geometry_of(config);
  const most = Math.max(1, Math.floor(rows_that_fit(ctx, config.vit_layers.length * config.vit.emb, 1) / patches));
  const groups: { crops: Crops & { index: Int32Array }; row0: number }[][] = [];
  let row0 = 0;
  let held = 0;
  for (const { input } of items) {
    if (input.crops !== undefined) {
      if (groups.length === 0 || held + input.crops.count > most) {
        groups.push([]);
        held = 0;
      }
      held += input.crops.count;
      groups.at(-1)?.push({ crops: input.crops, row0 });
    }
    row0 += input.ids.length;
  }
  return groups.map((group) => ({
    crops: {
      count: group.reduce((sum, { crops }) => sum + crops.count, 0),
      images: joined(
        Float32Array,
        group.map(({ crops }) => crops.images),
      ),
      masks: joined(
        Float32Array,
        group.map(({ crops }) => crops.masks),
      ),
    },
    index: joined(
      Int32Array,
      group.map(({ crops, row0: first }) => crops.index.map((row) => (row < 0 ? row : row + first))),
    ),
  }));
}

function joined<T extends Float32Array | Int32Array>(type: new (length: number) => T, parts: readonly T[]): T {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const all = new type(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Puts the first token of each request behind all prompts, in the order of requests. */
async function prefill(
  ctx: Context,
  sequences: Sequences,
  plan: BlockPlan,
  insertions: readonly Insertion[],
  items: readonly BatchItem[],
  { knobs = {}, signal }: BatchOptions,
): Promise<void> {
  const { lengths, prompt_rows: total } = sequences;
  const most = Math.min(total, Math.max(PACKED_ROWS, ...lengths));
  const size = even_part(total, chunk_rows(ctx, most));
  const picture_plan = plan_pictures(ctx.config, knobs);
  const index = joined(
    Int32Array,
    insertions.map((insertion) => insertion.index),
  );
  const differs = picture_plan.some((k, block) => k !== plan[block]);
  const pictures = differs ? open_picture_rows(ctx, index, total, picture_plan) : undefined;
  const work = await decoder_work(ctx, size, 1, plan, { pictures });
  const row_of = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
  try {
    for (let row0 = 0; row0 < total; row0 += size) {
      signal?.throwIfAborted();
      const rows = Math.min(size, total - row0);
      embed(ctx, sequences, row0, rows, work, { stage: 'prefill', component: 'embed' });
      for (const insertion of insertions) insert_features(ctx, insertion, row0, rows, work);
      const pieces = lengths.flatMap((length, sequence) => {
        const first = row_of[sequence] as number;
        const from = Math.max(first, row0);
        const to = Math.min(first + length, row0 + rows);
        return from < to ? [{ sequence, row: from - row0, rows: to - from, first_position: from - first }] : [];
      });
      const spans = spans_of(
        sequences,
        pieces.flatMap(({ sequence, rows: own }) => Array.from({ length: own }, () => ({ sequence, keys: 0 }))),
      );
      const step = { stage: 'prefill', row0, rows, spans, pieces, pictures, signal } as const;
      await run_blocks(ctx, step, plan, sequences, work);
      for (const { sequence, row, rows: own, first_position } of pieces) {
        const length = lengths[sequence] as number;
        if (first_position + own < length) continue;
        await head(ctx, 'prefill', row + own - 1, 1, work);
        const { maxNewTokens, sampling } = items[sequence] as BatchItem;
        if (maxNewTokens > 0)
          choose(ctx, 'prefill', 1, work, sequences.tokens, total + sequence, sampling, { step: length });
      }
    }
    await ctx.executor.flush();
  } finally {
    release_work(ctx, work);
  }
}

/** A request on its way through decoding. */
interface Row {
  readonly request: number;
  readonly item: BatchItem;
  readonly length: number;
  made: number;
  last: number;
}

async function* decode(
  ctx: Context,
  sequences: Sequences,
  plan: BlockPlan,
  items: readonly BatchItem[],
  signal: AbortSignal | undefined,
  clock: ReturnType<typeof start_clock>,
): AsyncGenerator<BatchToken, Pick<BatchRunResult, 'decode_step_ms' | 'decode_step_rows'>, void> {
  const base = sequences.prompt_rows;
  const step_ms: number[] = [];
  const step_rows: number[] = [];
  let rows: Row[] = items.map((item, request) => ({
    ...{ request, item, length: sequences.lengths[request] as number, made: 0, last: 0 },
  }));
  const take = (row: Row, id: number | undefined): BatchToken => {
    row.last = checked(ctx, id, row.made);
    row.made += 1;
    return { request: row.request, id: row.last, index: row.made - 1 };
  };
  const goes_on = (row: Row): boolean => row.made < row.item.maxNewTokens && !row.item.left();
  rows = rows.filter(({ item }) => item.maxNewTokens > 0);
  const first = rows.length > 0 ? await read(ctx, sequences, 0, items.length) : [];
  const started_ms = performance.now();
  let work: DecoderWork | undefined;
  let launched: readonly Dispatch[] | undefined;
  let steps_here = 0;
  let ids: ArrayLike<number> = rows.map(({ request }) => first[request] as number);
  let moved = true;
  try {
    for (;;) {
      const left_ms = performance.now();
      const ended = new Set<Row>();
      for (const [i, row] of rows.entries()) {
        const token = take(row, ids[i]);
        if (row.item.until(token.id) || !goes_on(row)) ended.add(row);
        yield token;
      }
      clock.came_back(left_ms);
      const before_ms = performance.now();
      if (ended.size > 0) {
        rows = rows.filter((row) => !ended.has(row));
        moved = true;
      }
      if (rows.length === 0) break;
      signal?.throwIfAborted();
      work ??= await decoder_work(ctx, rows.length, rows.length, plan, { decode_keys: sequences.capacity });
      if (moved) {
        place(ctx, sequences, rows);
        steps_here = 0;
        launched = undefined;
        moved = false;
      }
      launched = await step(ctx, sequences, plan, rows, base + steps_here * rows.length, work, launched);
      steps_here += 1;
      ids = await read(ctx, sequences, steps_here * rows.length, rows.length);
      step_ms.push(performance.now() - before_ms);
      step_rows.push(rows.length);
    }
    if (step_ms.length > 0) {
      clock.add(
        'decode',
        started_ms,
        step_ms.reduce((sum, ms) => sum + ms, 0),
      );
    }
    return { decode_step_ms: step_ms, decode_step_rows: step_rows };
  } finally {
    if (work !== undefined) release_work(ctx, work);
  }
}

/** Rows that are left move together: their last tokens first, then a row each for every step that all of them have. */
function place(ctx: Context, sequences: Sequences, rows: readonly Row[]): void {
  const steps = Math.min(...rows.map(({ item, made }) => item.maxNewTokens - made));
  const places = Array.from({ length: steps }, (_, step) =>
    rows.map(({ request, length, made }) => ({ sequence: request, position: length + made - 1 + step })),
  ).flat();
  ctx.executor.write(
    sequences.tokens,
    4 * sequences.prompt_rows,
    Uint32Array.from(rows, ({ last }) => last),
  );
  place_rows(ctx, sequences, sequences.prompt_rows, places);
}

/** Feeds the tokens at row0 and puts the next ones behind them. `before`: what the step before launched. */
async function step(
  ctx: Context,
  sequences: Sequences,
  plan: BlockPlan,
  rows: readonly Row[],
  row0: number,
  work: DecoderWork,
  before: readonly Dispatch[] | undefined,
): Promise<readonly Dispatch[] | undefined> {
  const { executor } = ctx;
  const count = rows.length;
  const sampled = rows.some(({ item: { sampling } }) => sampling !== undefined && sampling.temperature > 0);
  if (before !== undefined && !sampled) {
    const launched = executor.again(before, count);
    await executor.flush();
    return launched;
  }
  const spans = spans_of(
    sequences,
    rows.map(({ request, length, made }) => ({ sequence: request, keys: length + made })),
  );
  embed(ctx, sequences, row0, count, work, { stage: 'decode', component: 'embed' });
  await run_blocks(ctx, { stage: 'decode', row0, rows: count, spans }, plan, sequences, work);
  await head(ctx, 'decode', 0, count, work);
  if (!sampled) choose(ctx, 'decode', count, work, sequences.tokens, row0 + count, undefined);
  else {
    for (const [row, { item, length, made }] of rows.entries()) {
      // The likeliest of one is what argmax takes.
      const sampling = item.sampling?.temperature ? item.sampling : { temperature: 1, topK: 1 };
      choose(ctx, 'decode', 1, work, sequences.tokens, row0 + count + row, sampling, { step: length + made, row });
    }
  }
  const launched = executor.recorded();
  await executor.flush();
  return launched;
}

async function read(ctx: Context, sequences: Sequences, index: number, count: number): Promise<Uint32Array> {
  return new Uint32Array(await ctx.executor.read(sequences.tokens, 4 * (sequences.prompt_rows + index), 4 * count));
}

function checked(ctx: Context, id: number | undefined, index: number): number {
  if (id !== undefined && id < ctx.config.embedding_size) return id;
  throw new InputError(
    `token ${index}: the logits are not numbers; the weights or the driver are at fault: run \`molmoe verify\``,
  );
}
