import { probe_fma_f32 } from '../../kernels/probe_fma/probe_fma.ts';
import type { Device } from './device.ts';
import { make_executor } from './executor.ts';

/** What a kernel reaches of the multiply-add rate at the least: the slowest on the shapes of this model come near it. */
const LEAST_SHARE = 1 / 8;
/** Desktops end a dispatch of a second or two, and draw nothing meanwhile. */
const LONGEST_S = 0.5;

const TAG = { stage: 'load', component: 'weights' } as const;
const ROUNDS = 256;
/** The first is a quarter of a second on the slowest GPUs there are; a longer one is not wanted on any. */
const FIRST_WORKGROUPS = 256;
const MOST_WORKGROUPS = 32768;
const LONG_ENOUGH_MS = 10;

/** The most FLOPs of one dispatch that stays well under a second at this multiply-add rate. */
export const most_flops_at = (flops_per_s: number): number => LEAST_SHARE * LONGEST_S * flops_per_s;

/**
 * The device with the most FLOPs that one of its dispatches may have. A GPU's rate is measured (some 50 ms), but where it is
 * given. Software adapters have no watchdog and no limit.
 */
export async function paced(device: Device, flops_per_s?: number): Promise<Device> {
  if (flops_per_s === undefined && device.traits.software) return device;
  return { ...device, most_dispatch_flops: most_flops_at(flops_per_s ?? (await multiply_add_rate(device))) };
}

/** FLOP/s of fused multiply-adds by the host's clock: near enough to know a slow GPU, where a fence is short beside the work. */
export async function multiply_add_rate(device: Device): Promise<number> {
  const executor = make_executor(device);
  const counts = executor.buffers.create('multiply-adds', 4 * 64 * 1024, 'activations');
  const run = async (workgroups: number) => {
    const params = { rounds: ROUNDS, factor: 1, term: 1, workgroups };
    executor.dispatch(probe_fma_f32, { counts }, params, {}, TAG);
    const started_ms = performance.now();
    await executor.finish();
    return { flops: probe_fma_f32.flops(params, {}).useful, ms: performance.now() - started_ms };
  };
  try {
    await run(1); // compiles
    let best = 0;
    for (let workgroups = FIRST_WORKGROUPS; workgroups <= MOST_WORKGROUPS; workgroups *= 4) {
      const { flops, ms } = await run(workgroups);
      best = Math.max(best, (1000 * flops) / ms);
      if (ms >= LONG_ENOUGH_MS) break;
    }
    return best;
  } finally {
    executor.buffers.destroy(counts);
  }
}
