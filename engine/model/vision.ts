import { attention } from '../../kernels/attention/attention.ts';
import { EPILOGUE } from '../../kernels/matmul/matmul.ts';
import { layer_norm } from '../../kernels/norm/norm.ts';
import { tap_windows } from '../../kernels/pool_windows/pool_windows.ts';
import { vit_embed } from '../../kernels/vit_embed/vit_embed.ts';
import type { Tag } from '../gpu/executor.ts';
import {
  activation,
  type Context,
  even_part,
  linear,
  padded,
  release,
  rows_that_fit,
  submit_layers,
  type View,
} from './context.ts';
import { geometry_of } from './geometry.ts';
import type { LayerNorm, VitBlock } from './weight_layout.ts';

/** Preprocessed crops: the overview first. */
export interface Crops {
  readonly count: number;
  readonly images: Float32Array; // [crops, patches, patch values]
  readonly masks: Float32Array; // [crops, patches]
}

export interface VisionOptions {
  /** Runs the blocks behind the last tap too, although nothing reads their output: for comparisons. */
  readonly keepDeadBlocks?: boolean;
  readonly signal?: AbortSignal;
}

/** ViT over all crops; the tapped blocks' outputs, padding embeddings added, land in pooling order. */
export async function encode_vision(ctx: Context, crops: Crops, options: VisionOptions): Promise<View> {
  const { executor, config } = ctx;
  const taps = config.vit_layers.length * config.vit.emb;
  const { patches, patch_values } = geometry_of(config);
  const made: View[] = [];
  return executor.buffers
    .guard('the vision encoder', () => {
      const view = (label: string, rows: number, cols: number): View => {
        made.push(activation(ctx, label, rows, cols));
        return made.at(-1) as View;
      };
      const widest = Math.max(padded(config.vit.mlp), 3 * padded(config.vit.emb), padded(patch_values));
      const fitting = Math.floor(rows_that_fit(ctx, widest, heaviest_row(ctx)) / config.vit.positions);
      const batch = even_part(crops.count, Math.max(1, fitting));
      const rows = batch * config.vit.positions;
      return {
        batch,
        windows: activation(ctx, 'pooling windows', crops.count * patches, taps),
        masks: view('masks', 1, crops.count * patches),
        keep: view('kept crops', 1, crops.count),
        patches: view('patches', batch * patches, patch_values),
        embedded: view('patch embeddings', batch * patches, config.vit.emb),
        x: view('vit residual', rows, config.vit.emb),
        normed: view('vit normed', rows, config.vit.emb),
        qkv: view('vit qkv', rows, 3 * padded(config.vit.emb)),
        mlp: view('vit mlp', rows, config.vit.mlp),
      };
    })
    .then(async (work) => {
      executor.write(work.masks.buffer, 0, crops.masks);
      executor.write(work.keep.buffer, 0, kept(crops, patches * patch_values));
      for (let crop0 = 0; crop0 < crops.count; crop0 += work.batch) {
        await run_batch(ctx, crops, crop0, Math.min(work.batch, crops.count - crop0), work, options);
      }
      await executor.flush();
      release(ctx, ...made);
      return work.windows;
    });
}

/** FLOPs of a row in the block's heaviest dispatch. */
function heaviest_row({ config: { vit } }: Context): number {
  return Math.max(2 * vit.emb * Math.max(vit.mlp, 3 * vit.emb), 4 * vit.positions * vit.emb);
}

type Work = Readonly<
  Record<'windows' | 'masks' | 'keep' | 'patches' | 'embedded' | 'x' | 'normed' | 'qkv' | 'mlp', View>
>;

async function run_batch(
  ctx: Context,
  crops: Crops,
  crop0: number,
  count: number,
  work: Work,
  options: VisionOptions,
): Promise<void> {
  const { executor, config, weights } = ctx;
  const { emb, positions } = config.vit;
  const { patches, patch_values, patches_per_side } = geometry_of(config);
  const { x, embedded } = work;
  const rows = count * positions;
  const stage = 'vision_encoder';
  const embed_tag = { stage, component: 'patch_embed' } as const;

  // Written as they come, one value behind the other: the stride of `patches` is not used.
  const crop_values = patches * patch_values;
  executor.write(work.patches.buffer, 0, crops.images.subarray(crop0 * crop_values, (crop0 + count) * crop_values));
  const dense = { ...work.patches, rows: count * patches, stride: patch_values };
  linear(ctx, dense, weights.patch_embedding, embedded, embed_tag);
  await ctx.probe?.('vit.patches', 0, { ...embedded, rows: count * patches });
  executor.dispatch(
    vit_embed,
    {
      patches: embedded.buffer,
      class_embedding: weights.class_embedding,
      positions: weights.positions,
      x: work.normed.buffer,
    },
    { crops: count, patches_per_crop: patches, emb, stride: x.stride, pos_stride: emb },
    {},
    embed_tag,
  );
  norm(ctx, work.normed, weights.pre_ln, x, rows, { stage, component: 'norm' });
  await ctx.probe?.('vit.embedded', 0, { ...x, rows });

  const last = options.keepDeadBlocks ? config.vit.layers - 1 : Math.max(...config.vit_layers);
  for (let layer = 0; layer <= last; layer++) {
    run_block(ctx, weights.vit[layer] as VitBlock, layer, count, work);
    await ctx.probe?.('vit.block', layer, { ...x, rows });
    for (const [tap, tapped] of config.vit_layers.entries()) {
      if (tapped !== layer) continue;
      if (crop0 === 0) await ctx.probe?.('vit.hidden', tap, { ...x, rows: positions });
      executor.dispatch(
        tap_windows,
        {
          x: x.buffer,
          masks: work.masks.buffer,
          keep: work.keep.buffer,
          pad_embed: weights.pad_embed,
          windows: work.windows.buffer,
        },
        {
          crops: count,
          emb,
          x_stride: x.stride,
          w_stride: work.windows.stride,
          col0: tap * emb,
          pad_cols: config.vit_layers.length * emb,
          grid_side: patches_per_side,
          crop0,
        },
        {},
        { stage, layer, component: 'pooling' },
      );
    }
    await submit_layers(ctx, layer, 4, options.signal);
  }
}

function run_block(ctx: Context, block: VitBlock, layer: number, count: number, work: Work): void {
  const { emb, heads, head_dim, positions } = ctx.config.vit;
  const { x, normed, qkv, mlp } = work;
  const rows = count * positions;
  const tag = (component: Tag['component']): Tag => ({ stage: 'vision_encoder', layer, component });
  const segment = padded(emb);

  norm(ctx, x, block.attention_norm, normed, rows, tag('norm'));
  linear(ctx, normed, block.qkv, qkv, tag('attention'), { rows });
  ctx.executor.dispatch(
    attention,
    { q: qkv.buffer, k: qkv.buffer, v: qkv.buffer, o: normed.buffer },
    {
      groups: count,
      rows: positions,
      keys: positions,
      heads,
      q_stride: qkv.stride,
      kv_stride: qkv.stride,
      o_stride: normed.stride,
      q_col0: 0,
      k_col0: segment,
      v_col0: 2 * segment,
      q_row0: 0,
      k_row0: 0,
      first_position: 0,
      scale: 1 / Math.sqrt(head_dim),
    },
    { HEAD_DIM: head_dim, CAUSAL: false },
    tag('attention'),
  );
  linear(ctx, normed, block.out, x, tag('attention'), { rows, epilogue: EPILOGUE.accumulate });
  norm(ctx, x, block.ffn_norm, normed, rows, tag('norm'));
  linear(ctx, normed, block.up, mlp, tag('mlp'), { rows, epilogue: EPILOGUE.quick_gelu });
  linear(ctx, mlp, block.down, x, tag('mlp'), { rows, epilogue: EPILOGUE.accumulate });
}

function norm(ctx: Context, x: View, weights: LayerNorm, y: View, rows: number, tag: Tag): void {
  ctx.executor.dispatch(
    layer_norm,
    { x: x.buffer, weight: weights.weight, bias: weights.bias, y: y.buffer },
    { rows, cols: x.cols, x_stride: x.stride, y_stride: y.stride, x_row0: 0, y_row0: 0, eps: ctx.config.vit.norm_eps },
    {},
    tag,
  );
}

/** 0 for a padding crop (every value -1), whose features must not count; else 1. */
function kept({ images, count }: Crops, size: number): Float32Array {
  return Float32Array.from({ length: count }, (_, c) =>
    images.subarray(c * size, (c + 1) * size).every((value) => value === -1) ? 0 : 1,
  );
}
