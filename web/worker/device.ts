import type { BrowserDevice } from '../../engine/browser/gpu.ts';
import { told_memory } from '../../engine/gpu/memory.ts';
import { start_timeline } from '../../engine/gpu/timeline.ts';
import { probe_empty } from '../../kernels/probe_empty/probe_empty.ts';
import type { DeviceView } from '../protocol.ts';
import { browser_name, clock_step_ms } from './browser.ts';

/** Passes enough that stamps which are all multiples of a browser's step are so because they are rounded. */
const PASSES = 16;

/** Whether the browser rounds the adapter's stamps: then they say nothing of kernels shorter than a tenth of a millisecond. */
export async function are_rounded({ executor }: BrowserDevice): Promise<boolean> {
  const timeline = await start_timeline(executor, 'kernel');
  const mark = executor.buffers.create('a mark', 4, 'activations');
  try {
    for (let i = 0; i < PASSES; i++) {
      executor.dispatch(probe_empty, { mark }, { value: i + 1 }, {}, { stage: 'load', component: 'weights' });
    }
    return (await timeline.collect()).faults.quantised;
  } finally {
    timeline.close();
    executor.buffers.destroy(mark);
  }
}

export function device_view({ executor, info, tuning }: BrowserDevice, rounded: boolean): DeviceView {
  const { facts, features, traits, max_binding_bytes, max_buffer_bytes, immediates } = executor.device;
  return {
    name: facts.description || facts.device || 'an adapter without a name',
    software: facts.type === 'software',
    features: [...features, ...(immediates ? ['immediates'] : [])].sort(),
    subgroup_size: traits.subgroup_size,
    max_binding_bytes,
    max_buffer_bytes,
    memory_bytes: told_memory(info),
    stamps: rounded ? 'rounded' : features.has('timestamp-query') ? 'exact' : 'none',
    clock_step_ms: clock_step_ms(),
    isolated: globalThis.crossOriginIsolated === true,
    browser: browser_name(),
    tuning: tuning.from,
  };
}
