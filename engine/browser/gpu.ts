import { InputError } from '../errors.ts';
import { type Device, type DeviceOptions, open_device } from '../gpu/device.ts';
import { type Executor, make_executor } from '../gpu/executor.ts';
import { require_matrix_units } from '../gpu/matrix_check.ts';
import { paced } from '../gpu/pace.ts';
import type { VariantChoice } from '../gpu/pipelines.ts';
import { NOT_TUNED, shipped_tuning, type TuningChoice } from '../gpu/shipped_tunings.ts';

/** A browser's GPU process may be cold: it then says that there is no adapter, and has one a moment later. */
const TRIES = 6;
const FIRST_PAUSE_MS = 100;

export interface BrowserChoice extends Omit<DeviceOptions, 'mode'> {
  readonly power?: GPUPowerPreference;
  readonly variant?: VariantChoice;
}

export interface BrowserDevice {
  readonly executor: Executor;
  readonly tuning: TuningChoice;
  /** The adapter's own words, which may tell its memory. */
  readonly info: GPUAdapterInfo;
  readonly lost: GPUDevice['lost'];
}

/** The page's or the worker's; a sentence for people where there is none. */
function gpu_of(scope: { readonly navigator?: { readonly gpu?: GPU }; readonly isSecureContext?: boolean }): GPU {
  const gpu = scope.navigator?.gpu;
  if (gpu !== undefined) return gpu;
  throw new InputError(
    scope.isSecureContext === false
      ? 'WebGPU: expected a page from https or from localhost, found another address, where browsers keep it off; open it there'
      : 'WebGPU: expected a browser that has it, found none; use a new Chrome, Edge, Safari or Firefox, and switch on hardware acceleration',
  );
}

/** Asks again for a while: a browser whose GPU process is cold has no adapter yet. */
export async function request_adapter(gpu: GPU, power: GPUPowerPreference = 'high-performance'): Promise<GPUAdapter> {
  let pause_ms = FIRST_PAUSE_MS;
  for (let tried = 1; ; tried++) {
    const adapter = await gpu.requestAdapter({ powerPreference: power });
    if (adapter !== null) return adapter;
    if (tried === TRIES) {
      throw new InputError(
        `WebGPU: expected an adapter, found none in ${TRIES} tries; switch on hardware acceleration, update the graphics driver, or see chrome://gpu`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, pause_ms));
    pause_ms *= 2;
  }
}

/** A browser validates and checks bounds whatever one asks: its runs count as validated ones. */
export async function open_executor({
  power,
  variant = 'auto',
  ...options
}: BrowserChoice = {}): Promise<BrowserDevice> {
  const gpu = gpu_of(globalThis as Parameters<typeof gpu_of>[0]);
  const adapter = await request_adapter(gpu, power);
  const device = await opened(adapter, gpu, options);
  try {
    if (variant.startsWith('matrix')) await require_matrix_units(device);
    const tuning = variant === 'auto' ? shipped_tuning(device.facts) : NOT_TUNED;
    const executor = make_executor(await paced(device), variant, tuning.choices);
    return { executor, tuning, info: adapter.info, lost: device.gpu.lost };
  } catch (error) {
    device.destroy();
    throw error;
  }
}

async function opened(adapter: GPUAdapter, instance: GPU, options: Omit<DeviceOptions, 'mode'>): Promise<Device> {
  try {
    return await open_device({ adapter, instance }, { ...options, mode: 'validated' });
  } catch (error) {
    throw new InputError(
      `WebGPU: expected a device of the adapter, found "${(error as Error).message.slice(0, 200)}"; close other pages that use the GPU, or restart the browser`,
    );
  }
}
