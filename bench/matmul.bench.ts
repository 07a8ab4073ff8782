import type { VariantChoice } from '../engine/gpu/pipelines.ts';
import { open_executor } from '../engine/node/load.ts';
import { matmul } from '../kernels/matmul/matmul.ts';
import { matvec } from '../kernels/matvec/matvec.ts';
import { FORMATS, type Kernel, row_stride } from '../kernels/spec.ts';
import type { Bench } from './main.ts';

const SHAPES = [
  [577, 1024, 1024],
  [512, 2048, 2048],
  [1, 2048, 2048],
] as const;
const RUNS = 7;

/** Dense products of the real model with f16 weights: best of a few runs, wall time from submit to done. */
export async function bench_matmul({ say }: Bench) {
  const rows: Record<string, unknown>[] = [];
  const best: Record<string, number> = {};
  for (const variant of ['tiled', 'lanes'] as const satisfies VariantChoice[]) {
    const { executor } = await open_executor({ variant, hush: true });
    const { create, destroy } = executor.buffers;
    for (const [m, k, n] of SHAPES) {
      const a = create('a', 4 * m * row_stride(k), 'activations');
      const weights = create('weights', 2 * k * n, 'weights');
      const c = create('c', 4 * m * n, 'activations');
      const kernel = m === 1 ? matvec : matmul;
      const repeats = m === 1 ? 20 : 1;
      const params = {
        rows: m,
        k,
        cols: n,
        true_cols: n,
        a_stride: row_stride(k),
        c_stride: n,
        col0: 0,
        a_row0: 0,
        c_row0: 0,
        epilogue: 0,
      };
      const run = async () => {
        const started = performance.now();
        for (let i = 0; i < repeats; i++) {
          const options = { WEIGHT_FORMAT: FORMATS.f16 };
          executor.dispatch(kernel as Kernel, { a, weights, c }, params, options, {
            stage: 'prefill',
            component: 'mlp',
          });
        }
        await executor.finish();
        return (performance.now() - started) / repeats;
      };
      await run(); // compiles
      const samples_ms: number[] = [];
      for (let i = 0; i < RUNS; i++) samples_ms.push(await run());
      const least = Math.min(...samples_ms);
      const gflops = (2 * m * k * n) / least / 1e6;
      best[`${variant} ${m}x${k}x${n}`] = gflops;
      const against = best[`tiled ${m}x${k}x${n}`] as number;
      say(
        `${variant.padEnd(5)} ${`${m}x${k}x${n}`.padEnd(14)} ${least.toFixed(2)} ms  ${gflops.toFixed(1)} GFLOP/s  ${((2 * k * n) / least / 1e6).toFixed(1)} GB/s of weights  ${(gflops / against).toFixed(1)}x tiled`,
      );
      rows.push({
        kernel: kernel.name,
        variant,
        m,
        k,
        n,
        best_ms: least,
        gflops,
        times_tiled: gflops / against,
        samples_ms,
      });
      destroy(a, weights, c);
    }
    executor.destroy();
  }
  return rows;
}
