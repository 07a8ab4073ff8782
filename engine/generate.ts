import { decode } from './decode.ts';
import { make_ledger } from './meter/ledger.ts';
import { type Context, rows_that_fit } from './model/context.ts';
import {
  choose,
  chunk_rows,
  decoder_work,
  embed,
  head,
  type Insertion,
  insert_features,
  release_work,
  run_blocks,
} from './model/decoder.ts';
import { type BlockPlan, plan_blocks, plan_pictures } from './model/knobs.ts';
import { open_picture_rows, type PictureRows } from './model/picture_rows.ts';
import { project } from './model/projector.ts';
import { check_length, close_sequences, make_room, open_sequences, type Sequences } from './model/sequences.ts';
import { encode_vision } from './model/vision.ts';
import { check_input, type ModelInput, type RunOptions, type RunResult, type RunToken } from './model_request.ts';
import { start_clock } from './stage_clock.ts';

export type { ModelInput, RunOptions, RunResult, RunToken, StageResult } from './model_request.ts';

/** vision -> projector -> prefill -> decode. Yields tokens as they are read back; returns times and counts. */
export async function* run_model(
  ctx: Context,
  input: ModelInput,
  options: RunOptions,
): AsyncGenerator<RunToken, RunResult, void> {
  const { executor, config } = ctx;
  check_input(config, input);
  const plan = plan_blocks(config, options.knobs ?? {});
  const warning = check_length(config, input.ids.length, options.maxNewTokens);
  const { kept } = options;
  // Before anything that would have to be undone: memory may not hold it.
  if (kept !== undefined) await make_room(ctx, kept, input.ids.length + options.maxNewTokens, plan);
  const ledger = make_ledger();
  executor.observe(ledger.record);
  executor.buffers.restart_peaks();
  const known = kept === undefined ? 0 : alike(kept.ids, input.ids);
  const mark = executor.buffers.mark();
  const clock = start_clock(executor, ledger, options);
  const done = (decode_step_ms: readonly number[] = []): RunResult => ({
    stages: clock.stages,
    total_ms: clock.total_ms(),
    decode_step_ms,
    ledger,
    kept_rows: known,
    warnings: warning === undefined ? [] : [warning],
  });
  let insertion: Insertion | undefined;
  let sequences: Sequences | undefined;
  try {
    if (input.crops !== undefined && known === 0) {
      const crops = input.crops;
      const windows = await clock.time('vision_encoder', () => encode_vision(ctx, crops, options));
      if (options.stopAfter === 'vision_encoder') return done();
      insertion = { features: await clock.time('projector', () => project(ctx, windows)), index: crops.index };
      if (options.stopAfter === 'projector') return done();
    }
    sequences = await open_sequences(ctx, [input.ids], options.maxNewTokens, plan, kept);
    const open = sequences;
    const pictures = picture_rows(ctx, input, plan, options);
    if (kept !== undefined) kept.ids = input.ids.slice(0, known); // what lies behind is written anew
    await clock.time('prefill', () => prefill(ctx, open, plan, insertion, pictures, options, known));
    if (kept !== undefined) kept.ids = input.ids;
    if (insertion !== undefined) executor.buffers.destroy(insertion.features.buffer);
    return done(yield* decode(ctx, open, plan, options, clock));
  } finally {
    executor.observe(undefined);
    executor.drop();
    if (sequences !== undefined) close_sequences(ctx, sequences, kept);
    executor.buffers.sweep(mark);
  }
}

/** Rows that two prompts begin with alike; not the last, whose logits are wanted. */
function alike(before: readonly number[], ids: readonly number[]): number {
  const most = Math.min(before.length, ids.length - 1);
  for (let i = 0; i < most; i++) if (before[i] !== ids[i]) return i;
  return most;
}

/** Undefined where all rows of the prompt take what text takes. */
function picture_rows(
  ctx: Context,
  { ids, crops }: ModelInput,
  plan: BlockPlan,
  { knobs = {} }: RunOptions,
): PictureRows | undefined {
  const pictures = plan_pictures(ctx.config, knobs);
  if (crops === undefined || pictures.every((k, block) => k === plan[block])) return undefined;
  return open_picture_rows(ctx, crops.index, ids.length, pictures);
}

async function prefill(
  ctx: Context,
  sequences: Sequences,
  plan: BlockPlan,
  insertion: Insertion | undefined,
  pictures: PictureRows | undefined,
  options: RunOptions,
  /** Rows whose keys are there already. */
  known: number,
): Promise<void> {
  const { executor, config } = ctx;
  const { signal } = options;
  const total = sequences.prompt_rows;
  const size = chunk_rows(ctx, total, known);
  const fitting = rows_that_fit(ctx, config.embedding_size, 2 * config.d_model * config.embedding_size);
  const logit_rows = options.allLogits ? Math.min(size, fitting) : 1;
  const work = await decoder_work(ctx, size, logit_rows, plan, { pictures });
  try {
    for (let row0 = known; row0 < total; row0 += size) {
      signal?.throwIfAborted();
      const rows = Math.min(size, total - row0);
      embed(ctx, sequences, row0, rows, work, { stage: 'prefill', component: 'embed' });
      if (insertion !== undefined) insert_features(ctx, insertion, row0, rows, work);
      await ctx.probe?.('llm.embeds', 0, { ...work.x, rows });
      const spans = [{ cache: 0, row: 0, rows, keys: 0 }];
      const pieces = [{ sequence: 0, row: 0, rows, first_position: row0 }];
      const step = { stage: 'prefill', row0, rows, spans, pieces, pictures, signal } as const;
      await run_blocks(ctx, step, plan, sequences, work);
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
  const layer = sequences.kv.findIndex((pairs) => pairs.length > 0);
  const [cache] = sequences.kv[layer] ?? [];
  if (ctx.probe === undefined || cache === undefined) return;
  const shape = { rows: sequences.prompt_rows, cols: ctx.config.d_model, stride: sequences.kv_stride };
  await ctx.probe('llm.k', layer, { buffer: cache.k, ...shape });
  await ctx.probe('llm.v', layer, { buffer: cache.v, ...shape });
}
