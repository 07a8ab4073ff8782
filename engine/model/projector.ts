import { pool_attention } from '../../kernels/pool_attention/pool_attention.ts';
import { window_mean } from '../../kernels/pool_windows/pool_windows.ts';
import { swiglu } from '../../kernels/swiglu/swiglu.ts';
import { activation, type Context, linear, padded, release, type View } from './context.ts';

/** 2x2 attention pooling (the query is the mean of the four), then the SwiGLU projector: one feature a pooled cell. */
export async function project(ctx: Context, windows: View): Promise<View> {
  const { executor, config, weights } = ctx;
  const { emb, heads, head_dim } = config.vit;
  const cells = windows.rows / 4;
  const pooling = { stage: 'projector', component: 'pooling' } as const;
  const mlp = { stage: 'projector', component: 'mlp' } as const;
  const hidden = padded(config.projector_hidden);
  const work = await executor.buffers.guard('the projector', () => ({
    mean: activation(ctx, 'window means', cells, windows.cols),
    q: activation(ctx, 'pool q', cells, emb),
    kv: activation(ctx, 'pool kv', windows.rows, 2 * padded(emb)),
    attended: activation(ctx, 'pool attended', cells, emb),
    pooled: activation(ctx, 'pooled', cells, emb),
    gate_up: activation(ctx, 'projector gate up', cells, 2 * hidden),
    h: activation(ctx, 'projector hidden', cells, config.projector_hidden),
    features: activation(ctx, 'image features', cells, config.d_model),
  }));
  await ctx.probe?.('vision.prepool', 0, windows);
  executor.dispatch(
    window_mean,
    { windows: windows.buffer, mean: work.mean.buffer },
    { cells, cols: windows.cols, w_stride: windows.stride, m_stride: work.mean.stride },
    {},
    pooling,
  );
  linear(ctx, work.mean, weights.pool_q, work.q, pooling);
  linear(ctx, windows, weights.pool_kv, work.kv, pooling);
  executor.dispatch(
    pool_attention,
    { q: work.q.buffer, kv: work.kv.buffer, o: work.attended.buffer },
    {
      cells,
      heads,
      head_dim,
      q_stride: work.q.stride,
      kv_stride: work.kv.stride,
      v_col0: padded(emb),
      o_stride: work.attended.stride,
      scale: 1 / Math.sqrt(head_dim),
    },
    {},
    pooling,
  );
  linear(ctx, work.attended, weights.pool_out, work.pooled, pooling);
  await ctx.probe?.('vision.pooled', 0, work.pooled);
  linear(ctx, work.pooled, weights.projector_gate_up, work.gate_up, mlp);
  executor.dispatch(
    swiglu,
    { gate_up: work.gate_up.buffer, h: work.h.buffer },
    {
      rows: cells,
      hidden: config.projector_hidden,
      in_stride: work.gate_up.stride,
      up_col0: hidden,
      out_stride: work.h.stride,
    },
    {},
    mlp,
  );
  linear(ctx, work.h, weights.projector_down, work.features, mlp);
  await ctx.probe?.('vision.features', 0, work.features);
  await executor.flush();
  const { features, ...temporary } = work;
  release(ctx, windows, ...Object.values(temporary));
  return features;
}
