import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { measure_ceilings, PROBES_VERSION, read_ceilings, stream_bytes } from '../../engine/meter/ceilings.ts';
import { matmul } from '../../kernels/matmul/matmul.ts';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { FMA_FORMS, fma_name } from '../../kernels/probe_fma/probe_fma.ts';
import { READ_FORMS, stream_name, WRITE_FORMS } from '../../kernels/probe_stream/probe_stream.ts';
import { FORMATS, type Kernel } from '../../kernels/spec.ts';
import { TAG, test_executor } from '../support/gpu.ts';

const executor = await test_executor('auto', { mode: 'release' });

/** Wall time of one product with f16 weights, best of a few. */
async function product_ms(e: Executor, kernel: Kernel, rows: number, k: number, cols: number): Promise<number> {
  const { create, destroy } = e.buffers;
  const a = create('a', 4 * rows * k, 'activations');
  const weights = create('w', 2 * k * cols, 'activations');
  const c = create('c', 4 * rows * cols, 'activations');
  const strides = { a_stride: k, c_stride: cols, col0: 0, a_row0: 0, c_row0: 0, epilogue: 0 };
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 4; i++) {
    const started = performance.now();
    const params = { rows, k, cols, true_cols: cols, ...strides };
    e.dispatch(kernel, { a, weights, c }, params, { WEIGHT_FORMAT: FORMATS.f16 }, TAG);
    await e.finish();
    best = Math.min(best, performance.now() - started);
  }
  destroy(a, weights, c);
  return best;
}

describe('the ceilings of this adapter', async () => {
  const held = executor.buffers.memory();
  const progress: [number, number][] = [];
  const ceilings = await measure_ceilings(executor, (...seen) => progress.push(seen));

  it('are positive numbers', () => {
    const { matrix_f16_flops, fma_f16_flops, cache_bytes, forms, probes, ...rates } = ceilings;
    expect(probes).toBe(PROBES_VERSION);
    expect(matrix_f16_flops).toBeNull();
    expect(fma_f16_flops !== null).toBe(executor.device.features.has('shader-f16'));
    for (const [name, value] of Object.entries({ ...rates, fma: fma_f16_flops ?? 1 })) {
      expect(value > 0 && Number.isFinite(value), `${name} ${value}`).toBe(true);
    }
    expect(cache_bytes).toBeLessThanOrEqual(stream_bytes(executor.device.max_binding_bytes) / 2);
    expect(ceilings.cache_read_bytes).toBeGreaterThanOrEqual(ceilings.stream_read_bytes);
  });

  it('say which form of each probe was the fastest, of how many', () => {
    const { forms } = ceilings;
    const has_half = executor.device.features.has('shader-f16');
    expect(FMA_FORMS.map(fma_name)).toContain(forms?.fma_f32.form);
    expect(forms?.fma_f32.of).toBe(FMA_FORMS.length);
    expect(forms?.fma_f16 !== null).toBe(has_half);
    for (const read of [forms?.stream_read, forms?.cache_read]) {
      expect(READ_FORMS.map(stream_name)).toContain(read?.form);
      expect(read?.of).toBeGreaterThan(4);
    }
    expect(WRITE_FORMS.map(stream_name)).toContain(forms?.stream_write.form);
    const names = [FMA_FORMS.map(fma_name), READ_FORMS.map(stream_name), WRITE_FORMS.map(stream_name)];
    for (const of_probe of names) expect(new Set(of_probe).size).toBe(of_probe.length);
  });

  it('tell how far they are, and leave no buffer and no pass plan behind', async () => {
    expect(progress.map(([done]) => done)).toEqual(progress.map((_, i) => i + 1));
    expect(progress.at(-1)?.[0]).toBe(progress.at(-1)?.[1]);
    const after = executor.buffers.memory();
    for (const purpose of ['activations', 'weights', 'kv'] as const) {
      expect(after[purpose].current).toBe(held[purpose].current);
    }
  });

  it('lie above what real kernels reach in the same process', async () => {
    const [rows, k, cols] = [256, 1024, 1024];
    let { fma_f32_flops, cache_read_bytes } = ceilings;
    let [matmul_flops, matvec_bytes] = [0, 0];
    // Other work on the machine slows whichever it meets: the best of both sides counts, measured anew if need be.
    for (let attempt = 0; attempt < 4; attempt++) {
      const matmul_ms = await product_ms(executor, matmul as Kernel, rows, k, cols);
      matmul_flops = Math.max(matmul_flops, (2 * rows * k * cols) / (matmul_ms / 1000));
      const matvec_ms = await product_ms(executor, matvec as Kernel, 1, 4096, 4096);
      matvec_bytes = Math.max(matvec_bytes, (2 * 4096 * 4096) / (matvec_ms / 1000));
      if (fma_f32_flops >= matmul_flops && cache_read_bytes >= matvec_bytes) break;
      const again = await measure_ceilings(executor);
      fma_f32_flops = Math.max(fma_f32_flops, again.fma_f32_flops);
      cache_read_bytes = Math.max(cache_read_bytes, again.cache_read_bytes);
    }
    expect(fma_f32_flops).toBeGreaterThanOrEqual(matmul_flops);
    expect(cache_read_bytes).toBeGreaterThanOrEqual(matvec_bytes);
  });
});

describe('without time stamps and half precision', () => {
  it('the host times fenced passes', async () => {
    const plain = await test_executor('auto', { mode: 'release', without: ['timestamp-query', 'shader-f16'] });
    const { fma_f32_flops, fma_f16_flops, dispatch_ms } = await measure_ceilings(plain);
    expect(fma_f16_flops).toBeNull();
    expect(fma_f32_flops).toBeGreaterThan(1e8);
    expect(dispatch_ms).toBeGreaterThan(0);
  });
});

describe('read_ceilings', () => {
  const sets = (...rates: number[]) => rates.map((rate, i) => ({ bytes: 2 ** i, rate }));

  it('takes the largest set that is nearer to the cache than to the stream', () => {
    expect(read_ceilings(sets(30, 32, 28, 22, 14, 10))).toEqual({
      stream_read_bytes: 10,
      cache_read_bytes: 32,
      cache_bytes: 8,
    });
  });

  it('knows no cache where none shows', () => {
    const none = { stream_read_bytes: 10, cache_read_bytes: 10, cache_bytes: 0 };
    expect(read_ceilings(sets(9, 8, 10))).toEqual(none);
    expect(read_ceilings(sets(10))).toEqual(none);
  });
});

describe('the streamed buffer', () => {
  it('fits a binding and is whole units of 64 KiB', () => {
    expect(stream_bytes(128 * 2 ** 20)).toBe(96 * 2 ** 20);
    expect(stream_bytes(2 ** 32)).toBe(512 * 2 ** 20);
    expect(stream_bytes(2 ** 20 + 256)).toBe(12 * 65536);
  });
});
