import type { VariantChoice } from '../engine/gpu/pipelines.ts';
import { open_executor } from '../engine/node/load.ts';
import { attention } from '../kernels/attention/attention.ts';
import type { Bench } from './main.ts';

interface Shape {
  readonly name: string;
  readonly groups: number;
  readonly rows: number;
  readonly heads: number;
  readonly head_dim: number;
  readonly causal: boolean;
}

const SHAPES: readonly Shape[] = [
  { name: 'ViT crop, molmoe-1b', groups: 1, rows: 577, heads: 16, head_dim: 64, causal: false },
  { name: '13 ViT crops, molmoe-mini', groups: 13, rows: 577, heads: 2, head_dim: 64, causal: false },
  { name: 'prefill, molmoe-1b', groups: 1, rows: 512, heads: 16, head_dim: 128, causal: true },
  { name: 'prefill, molmoe-mini', groups: 1, rows: 1215, heads: 2, head_dim: 128, causal: true },
];
const RUNS = 7;

/** Attention of the vision encoder and of prefill: best of a few runs, wall time from submit to done. */
export async function bench_attention({ say }: Bench) {
  const results: Record<string, unknown>[] = [];
  const best: Record<string, number> = {};
  for (const variant of ['tiled', 'lanes'] as const satisfies VariantChoice[]) {
    const { executor } = await open_executor({ variant, hush: true });
    for (const { name, groups, rows, heads, head_dim, causal } of SHAPES) {
      const width = heads * head_dim;
      const qkv = executor.buffers.create('qkv', 4 * 3 * width * groups * rows, 'activations');
      const o = executor.buffers.create('o', 4 * width * groups * rows, 'activations');
      const params = {
        ...{ groups, rows, keys: rows, heads, q_stride: 3 * width, kv_stride: 3 * width, o_stride: width },
        ...{ q_col0: 0, k_col0: width, v_col0: 2 * width, q_row0: 0, k_row0: 0, first_position: 0 },
        scale: 1 / Math.sqrt(head_dim),
      };
      const options = { HEAD_DIM: head_dim, CAUSAL: causal };
      const run = async () => {
        const started = performance.now();
        executor.dispatch(attention, { q: qkv, k: qkv, v: qkv, o }, params, options, {
          stage: causal ? 'prefill' : 'vision_encoder',
          component: 'attention',
        });
        await executor.finish();
        return performance.now() - started;
      };
      await run(); // compiles
      const samples_ms: number[] = [];
      for (let i = 0; i < RUNS; i++) samples_ms.push(await run());
      const best_ms = Math.min(...samples_ms);
      const gflops = attention.flops(params, options).useful / best_ms / 1e6;
      best[`${variant} ${name}`] = gflops;
      const times_tiled = gflops / (best[`tiled ${name}`] as number);
      const shape = `${groups}x${rows} ${heads}x${head_dim}`;
      say(
        `${variant.padEnd(5)} ${name.padEnd(26)} ${shape.padEnd(13)} ${best_ms.toFixed(2)} ms  ${gflops.toFixed(1)} GFLOP/s  ${times_tiled.toFixed(1)}x tiled`,
      );
      results.push({
        ...{ kernel: attention.name, variant, name, groups, rows, heads, head_dim, causal },
        ...{ best_ms, gflops, times_tiled, samples_ms },
      });
      executor.buffers.destroy(qkv, o);
    }
    executor.destroy();
  }
  return results;
}
