import { add_features } from '../../kernels/add_features/add_features.ts';
import { argmax } from '../../kernels/argmax/argmax.ts';
import { attention } from '../../kernels/attention/attention.ts';
import {
  attention_decode,
  attention_decode_combine,
  decode_partial_values,
  decode_splits,
} from '../../kernels/attention_decode/attention_decode.ts';
import { embed_tokens } from '../../kernels/embed_tokens/embed_tokens.ts';
import { EPILOGUE } from '../../kernels/matmul/matmul.ts';
import { qk_rope } from '../../kernels/qk_rope/qk_rope.ts';
import { sample } from '../../kernels/sample/sample.ts';
import type { Buffer } from '../gpu/buffers.ts';
import type { Tag } from '../gpu/executor.ts';
import {
  activation,
  type Context,
  even_part,
  linear,
  norm,
  norm_linear,
  rows_that_fit,
  submit_layers,
  type View,
  weight_option,
} from './context.ts';
import type { BlockPlan } from './knobs.ts';
import { type MoeWork, moe, moe_buffers, moe_work } from './moe.ts';
import { type PictureRows, takes_of } from './picture_rows.ts';
import type { Cache, Sequences, Span } from './sequences.ts';
import type { Block } from './weight_layout.ts';

/** Image features and the prompt row each is added to (-1: not used). */
export interface Insertion {
  readonly features: View;
  readonly index: Int32Array;
}

export interface Sampling {
  readonly temperature: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly seed?: number;
}

/** Scratch for `rows` rows at a time. */
export interface DecoderWork {
  readonly rows: number;
  readonly x: View;
  readonly normed: View;
  readonly qkv: View;
  readonly q: View;
  readonly moe: MoeWork;
  readonly last: View;
  readonly logits: View;
  readonly partial: Buffer | undefined;
}

/** Rows that go through all blocks together: the widest activation must fit one binding, the last row attends to all. */
export function chunk_rows(ctx: Context, rows: number, known = 0): number {
  const { d_model } = ctx.config;
  return even_part(rows - known, rows_that_fit(ctx, 3 * d_model, Math.max(6 * d_model ** 2, 4 * rows * d_model)));
}

export async function decoder_work(
  ctx: Context,
  rows: number,
  logit_rows: number,
  plan: BlockPlan,
  { decode_keys = 0, pictures }: { readonly decode_keys?: number; readonly pictures?: PictureRows } = {},
): Promise<DecoderWork> {
  const { config, executor } = ctx;
  const d = config.d_model;
  const { traits } = executor.device;
  // Steps of fewer rows, after some sequences ended, are split more.
  const partial_values = (some: number): number => {
    const { splits } = decode_splits(decode_keys, config.n_heads, some, traits);
    return splits > 1 ? decode_partial_values(some, config.n_heads, splits, config.head_dim) : 0;
  };
  const most_values = decode_keys > 0 ? Math.max(...Array.from({ length: rows }, (_, i) => partial_values(i + 1))) : 0;
  return executor.buffers.guard(`${rows} rows of the decoder`, () => ({
    rows,
    x: activation(ctx, 'residual', rows, d),
    normed: activation(ctx, 'normed', rows, d),
    qkv: activation(ctx, 'qkv', rows, 3 * d),
    q: activation(ctx, 'q', rows, d),
    moe: moe_work(ctx, rows, Math.max(1, ...plan, ...(pictures?.plan ?? [])), pictures !== undefined),
    last: activation(ctx, 'final norm', logit_rows, d),
    logits: activation(ctx, 'logits', logit_rows, config.embedding_size),
    partial: most_values > 0 ? executor.buffers.create('split attention', 4 * most_values, 'activations') : undefined,
  }));
}

export function release_work(ctx: Context, work: DecoderWork): void {
  const views = [work.x, work.normed, work.qkv, work.q, work.last, work.logits];
  ctx.executor.buffers.destroy(...views.map((v) => v.buffer), ...moe_buffers(work.moe));
  if (work.partial !== undefined) ctx.executor.buffers.destroy(work.partial);
}

/** Token embeddings of rows row0 .. into work.x; ids are read on the GPU, where argmax may have put them. */
export function embed(
  ctx: Context,
  sequences: Sequences,
  row0: number,
  rows: number,
  work: DecoderWork,
  tag: Tag,
): void {
  for (const slice of ctx.weights.embedding.slices) {
    ctx.executor.dispatch(
      embed_tokens,
      { ids: sequences.tokens, weights: slice.buffer, x: work.x.buffer },
      {
        rows,
        d: ctx.config.d_model,
        x_stride: work.x.stride,
        id_row0: row0,
        first_id: slice.first_id,
        id_count: slice.count,
        x_row0: 0,
        rows_counted: slice === ctx.weights.embedding.slices[0] ? rows : 0,
      },
      weight_option(ctx.weights.embedding),
      tag,
    );
  }
}

/** Adds the image features whose row lies in this chunk. */
export function insert_features(
  ctx: Context,
  insertion: Insertion,
  row0: number,
  rows: number,
  work: DecoderWork,
): void {
  const { executor } = ctx;
  const { features } = insertion;
  const local = insertion.index.map((row) => (row >= row0 && row < row0 + rows ? row - row0 : -1));
  const index = executor.buffers.create('image rows', local.byteLength, 'activations');
  executor.write(index, 0, local);
  executor.dispatch(
    add_features,
    { features: features.buffer, index, x: work.x.buffer },
    {
      ...{ cells: features.rows, cols: features.cols, f_stride: features.stride, x_stride: work.x.stride, rows },
      cells_counted: row0 === 0 ? features.rows : 0,
    },
    {},
    { stage: 'prefill', component: 'embed' },
  );
}

/** Prompt rows of one sequence. */
export interface Piece {
  readonly sequence: number;
  readonly row: number;
  readonly rows: number;
  readonly first_position: number;
}

/** Rows on their way through all blocks. */
export interface Forward {
  readonly stage: 'prefill' | 'decode';
  /** Rows of the row table that go through the blocks: row0 .. row0 + rows - 1. */
  readonly row0: number;
  readonly rows: number;
  /** The same rows, by where their keys and values lie. */
  readonly spans: readonly Span[];
  /** The same rows, by sequence: in prefill, where a sequence has many. */
  readonly pieces?: readonly Piece[];
  /** Where its rows take other experts than the plan says. */
  readonly pictures?: PictureRows;
  readonly signal?: AbortSignal;
}

/** work.x through all blocks of the plan. A skipped block dispatches nothing: x passes, its cache does not exist. */
export async function run_blocks(
  ctx: Context,
  step: Forward,
  plan: BlockPlan,
  sequences: Sequences,
  work: DecoderWork,
): Promise<void> {
  for (const [layer, top_k] of plan.entries()) {
    if (top_k > 0) {
      await attend(ctx, step, layer, sequences, work);
      const block = ctx.weights.blocks[layer] as Block;
      const { stage, row0, rows, pictures } = step;
      const takes = pictures === undefined ? { top_k } : takes_of(pictures, layer, top_k, row0, rows);
      await moe(ctx, block, { stage, layer, rows, ...takes }, work.normed, work.x, work.moe);
    }
    await ctx.probe?.('llm.hidden', layer, { ...work.x, rows: step.rows });
    if (step.stage === 'prefill') await submit_layers(ctx, layer, 2, step.signal);
  }
}

async function attend(
  ctx: Context,
  step: Forward,
  layer: number,
  sequences: Sequences,
  work: DecoderWork,
): Promise<void> {
  const { executor, config } = ctx;
  const { rows, stage } = step;
  const block = ctx.weights.blocks[layer] as Block;
  const caches = sequences.kv[layer] as readonly Cache[];
  const d = config.d_model;
  const tag: Tag = { stage, layer, component: 'attention' };
  const { normed, qkv, q } = work;
  norm_linear(ctx, work.x, block.attn_norm, normed, block.qkv, qkv, tag, { rows });
  await ctx.probe?.('attn.qkv', layer, { ...qkv, rows });
  for (const span of step.spans) {
    const { k, v } = caches[span.cache] as Cache;
    executor.dispatch(
      qk_rope,
      {
        qkv: qkv.buffer,
        q_weight: block.q_norm,
        k_weight: block.k_norm,
        rope: sequences.rope,
        row_table: sequences.table,
        q: q.buffer,
        k_cache: k,
        v_cache: v,
      },
      {
        rows: span.rows,
        heads: config.n_heads,
        qkv_stride: qkv.stride,
        k_col0: d,
        v_col0: 2 * d,
        q_stride: q.stride,
        kv_stride: sequences.kv_stride,
        capacity: sequences.capacity,
        table_row0: step.row0,
        row0: span.row,
        eps: config.norm_eps,
      },
      { HEAD_DIM: config.head_dim },
      tag,
    );
  }
  await ctx.probe?.('attn.q', layer, { ...q, rows });
  if (step.pieces === undefined) decode_attention(ctx, step, caches, sequences, work, tag);
  else for (const piece of step.pieces) prefill_attention(ctx, piece, caches, sequences, work, tag);
  await ctx.probe?.('attn.heads', layer, { ...normed, rows });
  linear(ctx, normed, block.out, work.x, tag, { rows, epilogue: EPILOGUE.accumulate });
  await ctx.probe?.('attn.residual', layer, { ...work.x, rows });
}

function prefill_attention(
  ctx: Context,
  { sequence, row, rows, first_position }: Piece,
  caches: readonly Cache[],
  { per_cache, capacity, kv_stride }: Sequences,
  work: DecoderWork,
  tag: Tag,
): void {
  const { k, v } = caches[Math.floor(sequence / per_cache)] as Cache;
  ctx.executor.dispatch(
    attention,
    { q: work.q.buffer, k, v, o: work.normed.buffer },
    {
      groups: 1,
      rows,
      keys: first_position + rows,
      heads: ctx.config.n_heads,
      q_stride: work.q.stride,
      kv_stride,
      o_stride: work.normed.stride,
      q_col0: 0,
      k_col0: 0,
      v_col0: 0,
      q_row0: row,
      k_row0: (sequence % per_cache) * capacity,
      first_position,
      scale: 1 / Math.sqrt(ctx.config.head_dim),
    },
    { HEAD_DIM: ctx.config.head_dim, CAUSAL: true },
    tag,
  );
}

function decode_attention(
  ctx: Context,
  step: Forward,
  caches: readonly Cache[],
  sequences: Sequences,
  work: DecoderWork,
  tag: Tag,
): void {
  const { executor, config } = ctx;
  const { rows } = step;
  const { splits, split_keys } = decode_splits(sequences.capacity, config.n_heads, rows, executor.device.traits);
  const options = { HEAD_DIM: config.head_dim };
  for (const span of step.spans) {
    const { k, v } = caches[span.cache] as Cache;
    executor.dispatch(
      attention_decode,
      {
        q: work.q.buffer,
        k_cache: k,
        v_cache: v,
        row_table: sequences.table,
        o: work.normed.buffer,
        partial: work.partial,
      },
      {
        rows: span.rows,
        heads: config.n_heads,
        q_stride: work.q.stride,
        kv_stride: sequences.kv_stride,
        o_stride: work.normed.stride,
        capacity: sequences.capacity,
        table_row0: step.row0,
        row0: span.row,
        splits,
        split_keys,
        keys: span.keys,
        scale: 1 / Math.sqrt(config.head_dim),
      },
      options,
      tag,
    );
  }
  if (splits === 1) return;
  executor.dispatch(
    attention_decode_combine,
    { partial: work.partial, o: work.normed.buffer },
    { rows, heads: config.n_heads, splits, o_stride: work.normed.stride },
    options,
    tag,
  );
}

/** Final norm and head of rows row0 .. of work.x, into work.logits. */
export async function head(
  ctx: Context,
  stage: Forward['stage'],
  row0: number,
  rows: number,
  work: DecoderWork,
): Promise<void> {
  const { x, last, logits } = work;
  const { ln_f, lm_head } = ctx.weights;
  if (ctx.probe !== undefined) {
    norm(ctx, x, ln_f, last, rows, row0, { stage, component: 'norm' }); // the head of few rows keeps no norm
    await ctx.probe('llm.ln_f', 0, { ...last, rows });
  }
  norm_linear(ctx, x, ln_f, last, lm_head, logits, { stage, component: 'lm_head' }, { rows, x_row0: row0 });
  await ctx.probe?.('logits', 0, { ...work.logits, rows });
}

/**
 * The next token of each logits row into `tokens`, greedy or sampled, without the host. What is drawn depends on the seed
 * and the token's position in its sequence alone: `step`, where that is not its row; `row` is the first of the logits.
 */
export function choose(
  ctx: Context,
  stage: Forward['stage'],
  rows: number,
  work: DecoderWork,
  tokens: Buffer,
  token_row0: number,
  sampling: Sampling | undefined,
  { step = token_row0, row = 0 }: { readonly step?: number; readonly row?: number } = {},
): void {
  const { executor, config } = ctx;
  const tag: Tag = { stage, component: 'sample' };
  const { buffer: logits, stride } = work.logits;
  if (sampling === undefined || sampling.temperature === 0) {
    executor.dispatch(argmax, { logits, tokens }, { rows, cols: config.embedding_size, stride, token_row0 }, {}, tag);
    return;
  }
  for (let i = 0; i < rows; i++) {
    executor.dispatch(
      sample,
      { logits, tokens },
      {
        cols: config.embedding_size,
        stride,
        row: row + i,
        token_at: token_row0 + i,
        temperature: sampling.temperature,
        top_p: sampling.topP ?? 1,
        top_k: sampling.topK ?? 0,
        seed: sampling.seed ?? 0,
        step: step + i,
      },
      {},
      tag,
    );
  }
}
