export { noise } from './noise.ts';

import { afterAll } from 'vitest';
import type { Buffer } from '../../engine/gpu/buffers.ts';
import { type DeviceOptions, open_device } from '../../engine/gpu/device.ts';
import { type Executor, make_executor } from '../../engine/gpu/executor.ts';
import type { VariantChoice } from '../../engine/gpu/pipelines.ts';
import { open_adapter } from '../../engine/node/gpu.ts';

/** A validated device for a test file, destroyed at its end. */
export async function test_executor(
  variant: VariantChoice = 'auto',
  options: Partial<DeviceOptions> = {},
): Promise<Executor> {
  const mode = options.mode ?? 'validated';
  const adapter = await open_adapter({ mode });
  const executor = make_executor(await open_device(adapter, { ...options, mode }), variant);
  afterAll(() => {
    executor.destroy();
  });
  return executor;
}

export const TAG = { stage: 'prefill', component: 'mlp' } as const;

export function upload(
  executor: Executor,
  data: Float32Array | Uint32Array | Uint16Array | Int32Array,
  label = 'data',
): Buffer {
  const buffer = executor.buffers.create(label, data.byteLength, 'activations');
  executor.write(buffer, 0, data);
  return buffer;
}

export async function download_f32(executor: Executor, buffer: Buffer, count: number): Promise<Float32Array> {
  return new Float32Array(await executor.read(buffer, 0, 4 * count));
}

export async function download_u32(executor: Executor, buffer: Buffer, count: number): Promise<Uint32Array> {
  return new Uint32Array(await executor.read(buffer, 0, 4 * count));
}

export function largest_difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const d = Math.abs((a[i] as number) - (b[i] as number));
    if (!(d <= worst)) worst = d; // NaN counts as a difference
    if (Number.isNaN(d)) return Number.POSITIVE_INFINITY;
  }
  return worst;
}
