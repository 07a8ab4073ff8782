import { expert_matmul, expert_tile_rows } from '../../kernels/expert_matmul/expert_matmul.ts';
import { expert_down, expert_gate_up } from '../../kernels/expert_matvec/expert_matvec.ts';
import { moe_combine } from '../../kernels/moe_combine/moe_combine.ts';
import { moe_route, moe_route_mixed } from '../../kernels/moe_route/moe_route.ts';
import { moe_router } from '../../kernels/moe_router/moe_router.ts';
import { max_tiles, moe_sort, moe_tiles } from '../../kernels/moe_sort/moe_sort.ts';
import { swiglu, swiglu_mixed } from '../../kernels/swiglu/swiglu.ts';
import type { Buffer } from '../gpu/buffers.ts';
import type { Tag } from '../gpu/executor.ts';
import {
  activation,
  type Context,
  even_part,
  FEW_ROWS,
  linear,
  norm,
  padded,
  rows_that_fit,
  type View,
  weight_option,
} from './context.ts';
import type { Takes } from './picture_rows.ts';
import type { Block, ExpertMatrix } from './weight_layout.ts';

/** Scratch of the mixture of experts, sized for the largest top-k of a request. Slot = row * k + j. */
export interface MoeWork {
  readonly router_logits: View; // [rows, experts]
  readonly experts: Buffer; // [rows * k] u32
  readonly route_weights: Buffer; // [rows * k] f32
  readonly counts: Buffer; // [experts] u32
  readonly lists: Buffer; // [experts, chunk rows] u32
  readonly tiles: Buffer; // [tiles] (expert, place in its list)
  readonly gate_up: View; // [chunk rows * k, 2 * hidden]
  readonly h: View; // [chunk rows * k, hidden]
  readonly y: View; // [chunk rows * k, d_model]
  /** Rows taken through the experts at a time, so that no buffer outgrows a binding. */
  readonly chunk_rows: number;
  /** Token-expert pairs of a chunk at most: with them the variant was chosen, and with it the rows of a tile. */
  readonly most_pairs: number;
  readonly tile_rows: number;
}

/** `mixed`: rows may take different numbers of experts, which only the grouped kernels can do, however few rows there are. */
export function moe_work(ctx: Context, rows: number, top_k: number, mixed: boolean): MoeWork {
  const { config, executor } = ctx;
  const widest = Math.max(2 * padded(config.expert_hidden), padded(config.d_model));
  const slots = rows_that_fit(ctx, widest, 4 * config.d_model * config.expert_hidden);
  const chunk_rows = even_part(rows, Math.max(1, Math.floor(slots / top_k)));
  const most_pairs = chunk_rows * top_k;
  const sized = { most_pairs, expert_count_total: config.n_experts };
  const tile_rows = expert_tile_rows(
    executor.choose(expert_matmul, sized, weight_option((ctx.weights.blocks[0] as Block).gate_up)),
  );
  const few = rows <= FEW_ROWS && !mixed;
  const words = (label: string, count: number) => executor.buffers.create(label, 4 * count, 'activations');
  const sorted_rows = few ? 1 : chunk_rows;
  return {
    router_logits: activation(ctx, 'router logits', rows, config.n_experts),
    experts: words('chosen experts', rows * top_k),
    route_weights: words('expert weights', rows * top_k),
    counts: words('expert counts', config.n_experts),
    lists: words('expert lists', config.n_experts * sorted_rows),
    tiles: words('expert tiles', 2 * max_tiles(sorted_rows * top_k, config.n_experts, tile_rows)),
    gate_up: activation(ctx, 'expert gate up', sorted_rows * top_k, 2 * padded(config.expert_hidden)),
    h: activation(ctx, 'expert hidden', chunk_rows * top_k, config.expert_hidden),
    y: activation(ctx, 'expert outputs', sorted_rows * top_k, config.d_model),
    chunk_rows,
    most_pairs,
    tile_rows,
  };
}

export const moe_buffers = (work: MoeWork): Buffer[] => [
  work.router_logits.buffer,
  work.experts,
  work.route_weights,
  work.counts,
  work.lists,
  work.tiles,
  work.gate_up.buffer,
  work.h.buffer,
  work.y.buffer,
];

interface MoeStep extends Takes {
  readonly stage: 'prefill' | 'decode';
  readonly layer: number;
  readonly rows: number;
}

/**
 * x += experts(norm(x)): softmax over all experts, the top k with their weights as they are, weighted sum. Where rows take
 * different numbers, each has slots for the most, and those that it leaves over are marked as empty.
 */
export async function moe(
  ctx: Context,
  block: Block,
  step: MoeStep,
  normed: View,
  x: View,
  work: MoeWork,
): Promise<void> {
  const { layer, rows, top_k } = step;
  const [router] = block.router.slices;
  const few = rows <= FEW_ROWS && step.mixed === undefined;
  if (few && router !== undefined && block.router.slices.length === 1) {
    route_few(ctx, block, router.buffer, step, normed, x, work);
  } else route_many(ctx, block, step, normed, x, work);
  if (ctx.probe !== undefined) {
    await ctx.probe('moe.normed', layer, { ...normed, rows });
    await ctx.probe('router.logits', layer, { ...work.router_logits, rows });
    await ctx.probe('router.experts', layer, { buffer: work.experts, rows, cols: top_k, stride: top_k });
    await ctx.probe('router.weights', layer, { buffer: work.route_weights, rows, cols: top_k, stride: top_k });
  }
  const chunk_rows = few ? rows : work.chunk_rows;
  for (let row0 = 0; row0 < rows; row0 += chunk_rows) {
    if (few) one_token_experts(ctx, block, step, normed, x, work);
    else grouped_experts(ctx, block, step, normed, x, work, row0);
    await ctx.probe?.('moe.hidden', layer, { ...work.h, rows: Math.min(chunk_rows, rows - row0) * top_k });
  }
}

/** Norm, router and choice in one launch. */
function route_few(
  ctx: Context,
  block: Block,
  weights: Buffer,
  { stage, layer, rows, top_k }: MoeStep,
  normed: View,
  x: View,
  { router_logits: logits, experts, route_weights }: MoeWork,
): void {
  ctx.executor.dispatch(
    moe_router,
    {
      ...{ x: x.buffer, weights, norm_weight: block.ff_norm, normed: normed.buffer },
      ...{ logits: logits.buffer, experts, route_weights },
    },
    {
      ...{ rows, k: x.cols, experts: ctx.config.n_experts, top_k, eps: ctx.config.norm_eps },
      ...{ x_stride: x.stride, normed_stride: normed.stride, logits_stride: logits.stride },
    },
    weight_option(block.router),
    { stage, layer, component: 'moe_router' },
  );
}

function route_many(ctx: Context, block: Block, step: MoeStep, normed: View, x: View, work: MoeWork): void {
  const { stage, layer, rows, top_k, mixed } = step;
  const tag: Tag = { stage, layer, component: 'moe_router' };
  const { router_logits: logits, experts, route_weights } = work;
  norm(ctx, x, block.ff_norm, normed, rows, 0, { stage, layer, component: 'norm' });
  linear(ctx, normed, block.router, logits, tag, { rows });
  const written = { logits: logits.buffer, experts, weights: route_weights };
  const sizes = { rows, experts: ctx.config.n_experts, k: top_k, stride: logits.stride, row0: 0 };
  if (mixed === undefined) {
    ctx.executor.dispatch(moe_route, written, sizes, {}, tag);
    return;
  }
  const { text: k_text, picture: k_picture, marks, mark0, pairs } = mixed;
  const kinds = { k_text, k_picture, mark0, pairs: pairs(0, rows) };
  ctx.executor.dispatch(moe_route_mixed, { ...written, marks }, { ...sizes, ...kinds }, {}, tag);
}

/** Few rows: each weight matrix of a chosen expert is read once a row, without sorting. */
function one_token_experts(ctx: Context, block: Block, step: MoeStep, normed: View, x: View, work: MoeWork): void {
  const { executor, config } = ctx;
  const { rows, top_k } = step;
  const tag: Tag = { stage: step.stage, layer: step.layer, component: 'moe_experts' };
  const sizes = (matrix: ExpertMatrix, slice: ExpertMatrix['slices'][number]) => ({
    rows,
    top_k,
    expert0: slice.expert0,
    expert_count: slice.experts,
    expert_count_total: config.n_experts,
    pairs_counted: slice === matrix.slices[0] ? rows * top_k : 0, // which slice a pair falls into is known only there
  });
  for (const slice of block.gate_up.slices) {
    executor.dispatch(
      expert_gate_up,
      { a: normed.buffer, weights: slice.buffer, experts: work.experts, h: work.h.buffer },
      {
        ...sizes(block.gate_up, slice),
        k: config.d_model,
        hidden: config.expert_hidden,
        a_stride: normed.stride,
        h_stride: work.h.stride,
        a_row0: 0,
      },
      weight_option(block.gate_up),
      tag,
    );
  }
  for (const slice of block.down.slices) {
    executor.dispatch(
      expert_down,
      {
        h: work.h.buffer,
        weights: slice.buffer,
        experts: work.experts,
        route_weights: work.route_weights,
        x: x.buffer,
      },
      {
        ...sizes(block.down, slice),
        hidden: config.expert_hidden,
        cols: config.d_model,
        h_stride: work.h.stride,
        x_stride: x.stride,
        x_row0: 0,
      },
      weight_option(block.down),
      tag,
    );
  }
}

/** Which rows of `a` feed a product's slots: a_row0 + slot / a_div, and how many those are. */
interface ProductRows {
  readonly a_row0: number;
  readonly a_div: number;
  readonly a_rows: number;
}

/** Many rows: slots sorted by expert, one product a (expert, tile) pair, nothing read back to the host. */
function grouped_experts(
  ctx: Context,
  block: Block,
  step: MoeStep,
  normed: View,
  x: View,
  work: MoeWork,
  row0: number,
): void {
  const { executor, config } = ctx;
  const { top_k, mixed } = step;
  const rows = Math.min(work.chunk_rows, step.rows - row0);
  const pairs = mixed?.pairs(row0, rows) ?? rows * top_k;
  const slot0 = row0 * top_k;
  const tag: Tag = { stage: step.stage, layer: step.layer, component: 'moe_experts' };
  const tiles = max_tiles(pairs, config.n_experts, work.tile_rows);
  executor.dispatch(
    moe_sort,
    { experts: work.experts, counts: work.counts, lists: work.lists },
    { rows, k: top_k, experts: config.n_experts, slot0, pairs },
    {},
    tag,
  );
  executor.dispatch(
    moe_tiles,
    { counts: work.counts, tiles: work.tiles },
    { experts: config.n_experts, tile_rows: work.tile_rows, max_tiles: tiles },
    {},
    tag,
  );
  const product = (a: View, from: ProductRows, matrix: ExpertMatrix, c: View, flop_cols: number) => {
    for (const slice of matrix.slices) {
      const counted = slice === matrix.slices[0];
      executor.dispatch(
        expert_matmul,
        {
          a: a.buffer,
          weights: slice.buffer,
          tiles: work.tiles,
          counts: work.counts,
          lists: work.lists,
          c: c.buffer,
        },
        {
          k: matrix.k,
          cols: matrix.cols,
          a_stride: a.stride,
          c_stride: c.stride,
          expert0: slice.expert0,
          expert_count: slice.experts,
          list_stride: rows,
          a_div: from.a_div,
          a_row0: from.a_row0,
          max_tiles: tiles,
          most_pairs: work.most_pairs,
          expert_count_total: config.n_experts,
          pairs_counted: counted ? pairs : 0,
          a_rows_counted: counted ? from.a_rows : 0,
          flop_k: matrix.k,
          flop_cols,
        },
        weight_option(matrix),
        tag,
      );
    }
  };
  const tokens = { a_row0: row0, a_div: top_k, a_rows: rows };
  product(normed, tokens, block.gate_up, work.gate_up, 2 * config.expert_hidden);
  const gates = { gate_up: work.gate_up.buffer, h: work.h.buffer };
  const gate_sizes = {
    rows: rows * top_k,
    hidden: config.expert_hidden,
    in_stride: work.gate_up.stride,
    up_col0: padded(config.expert_hidden),
    out_stride: work.h.stride,
  };
  if (mixed === undefined) executor.dispatch(swiglu, gates, gate_sizes, {}, tag);
  else executor.dispatch(swiglu_mixed, { ...gates, experts: work.experts }, { ...gate_sizes, slot0, pairs }, {}, tag);
  product(work.h, { a_row0: 0, a_div: 1, a_rows: pairs }, block.down, work.y, config.d_model);
  executor.dispatch(
    moe_combine,
    { y: work.y.buffer, weights: work.route_weights, x: x.buffer },
    {
      rows,
      k: top_k,
      cols: config.d_model,
      y_stride: work.y.stride,
      x_stride: x.stride,
      x_row0: row0,
      slot0,
      pairs,
    },
    mixed === undefined ? {} : { MIXED: true },
    tag,
  );
}
