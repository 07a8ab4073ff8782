import { type MatrixUnits, matrix_misfit, type Traits } from '../../kernels/spec.ts';
import { InputError, UsageError } from '../errors.ts';

/** Dawn's toggles by run mode; recorded in every result. A browser has its own and ignores these. */
export const TOGGLES = {
  /** For runs: nothing between us and the driver. */
  release: {
    enable: [
      'allow_unsafe_apis',
      'skip_validation',
      'disable_robustness',
      'disable_workgroup_init',
      'disable_polyfills_on_integer_div_and_mod',
      'use_vulkan_memory_model',
      'vulkan_enable_f16_on_nvidia',
    ],
    disable: ['timestamp_quantization', 'lazy_clear_resource_on_first_use'],
  },
  /** For tests: WebGPU's own validation and bounds checks. */
  validated: {
    enable: ['allow_unsafe_apis', 'use_vulkan_memory_model', 'vulkan_enable_f16_on_nvidia'],
    disable: ['timestamp_quantization'],
  },
} as const;

export type RunMode = keyof typeof TOGGLES;

/** Features that change speed or what can be measured; each is asked for where it is there and never assumed. */
export const WANTED_FEATURES = [
  'timestamp-query',
  'subgroups',
  'shader-f16',
  'chromium-experimental-subgroup-matrix',
  'subgroup-size-control',
] as const;
export type Feature = (typeof WANTED_FEATURES)[number];

const WANTED_LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const;

export interface DeviceOptions {
  readonly mode: RunMode;
  /** `default` asks for nothing above WebGPU's guaranteed limits (128 MiB a binding, 256 MiB a buffer). */
  readonly limits?: 'adapter' | 'default';
  /** Features to do without although the adapter has them: how their absence is tested. */
  readonly without?: readonly (Feature | 'immediates')[];
  /** Largest binding to use, in bytes, below the device's own: how slicing is tested on small models. */
  readonly max_binding_bytes?: number;
  /** All buffers together, in bytes: how a full GPU is tested without one. */
  readonly memory_limit_bytes?: number;
}

/** What an adapter is, in words and numbers that go into a result. */
export interface AdapterFacts {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly type: 'software' | 'hardware';
  readonly subgroup_min_size: number;
  readonly subgroup_max_size: number;
  readonly features: readonly string[];
}

export interface Device {
  readonly gpu: GPUDevice;
  readonly instance: GPU;
  readonly facts: AdapterFacts;
  readonly traits: Traits;
  /** Why there are no matrix units for the kernels, where there are none. */
  readonly matrix_misfit?: string;
  readonly mode: RunMode;
  readonly features: ReadonlySet<string>;
  /** Per-dispatch parameters go through immediates; without them through a uniform buffer. */
  readonly immediates: boolean;
  readonly max_binding_bytes: number;
  readonly max_buffer_bytes: number;
  readonly max_workgroups: number;
  /** FLOPs that one dispatch may have, so that no watchdog ends it; undefined where there is none (pace.ts). */
  readonly most_dispatch_flops?: number;
  /** Where fewer bytes than the adapter has are to be used. */
  readonly memory_limit_bytes?: number;
  /** Throws if the device was lost or reported an error since the last call. */
  readonly check: () => void;
  readonly destroy: () => void;
}

export function adapter_facts(adapter: GPUAdapter): AdapterFacts {
  const info = adapter.info;
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  const software = /llvmpipe|lavapipe|swiftshader|software|cpu\b|basic render/i.test(text);
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    // Browsers tell makers and kinds, not products.
    description: info.description || (info.device === '' ? `${info.vendor} ${info.architecture}`.trim() : ''),
    type: software ? 'software' : 'hardware',
    subgroup_min_size: info.subgroupMinSize ?? 0,
    subgroup_max_size: info.subgroupMaxSize ?? 0,
    features: [...adapter.features].sort(),
  };
}

interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Sizes of subgroups that a pipeline may ask for, the usual one first. */
const ASKED_SUBGROUPS = [32, 64, 16, 8];

/** The largest matrices that the adapter multiplies in f16 with sums in f32 and that the kernels' tiles take; else why not. */
export function matrix_units(info: object, features: ReadonlySet<string>): MatrixUnits | string {
  const lacking = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'].find((f) => !features.has(f));
  if (lacking !== undefined) return `expected the feature ${lacking}, found none`;
  const [least, most] = [Number(Reflect.get(info, 'subgroupMinSize')), Number(Reflect.get(info, 'subgroupMaxSize'))];
  const asked = least !== most;
  if (asked && !features.has('subgroup-size-control'))
    return `expected subgroups of one size or the feature subgroup-size-control, found ${least} to ${most} without it`;
  const sizes = asked ? ASKED_SUBGROUPS.filter((size) => size >= least && size <= most) : [most];
  const configs = [...((Reflect.get(info, 'subgroupMatrixConfigs') ?? []) as Iterable<MatrixConfig>)];
  const able = configs.filter((c) => c.componentType === 'f16' && c.resultComponentType === 'f32');
  if (able.length === 0)
    return `expected matrices of f16 with sums in f32, found ${configs.map(config_name).join(', ') || 'none'}`;
  able.sort((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
  let misfit = sizes.length === 0 ? `expected subgroups of ${ASKED_SUBGROUPS}, found ${least} to ${most}` : '';
  for (const subgroup of sizes) {
    for (const { M, N, K } of able) {
      const units = { m: M, n: N, k: K, subgroup, ...(asked ? { asked } : {}) };
      const fault = matrix_misfit(units);
      if (fault === undefined) return units;
      misfit ||= fault;
    }
  }
  return misfit;
}

const config_name = ({ M, N, K, componentType, resultComponentType }: MatrixConfig): string =>
  `${M}x${N}x${K} ${componentType} to ${resultComponentType}`;

export interface AdapterHandle {
  readonly adapter: GPUAdapter;
  /** What made the adapter; a device holds on to it. */
  readonly instance: GPU;
}

export async function open_device({ adapter, instance }: AdapterHandle, options: DeviceOptions): Promise<Device> {
  const facts = adapter_facts(adapter);
  const without = new Set<string>(options.without ?? []);
  const requiredFeatures = WANTED_FEATURES.filter((f) => adapter.features.has(f) && !without.has(f));
  const requiredLimits: Record<string, number> = {};
  if (options.limits !== 'default') {
    for (const name of WANTED_LIMITS) requiredLimits[name] = adapter.limits[name];
  }
  const gpu = await adapter.requestDevice({ requiredFeatures: requiredFeatures as GPUFeatureName[], requiredLimits });
  const fault = watch_faults(gpu, facts);
  const features = new Set<string>(requiredFeatures);
  const fixed_subgroups = features.has('subgroups') && facts.subgroup_min_size === facts.subgroup_max_size;
  const subgroup_size = fixed_subgroups ? facts.subgroup_max_size : 0;
  const units = matrix_units(adapter.info, features);
  const device_binding = gpu.limits.maxStorageBufferBindingSize;
  const max_binding_bytes = Math.min(options.max_binding_bytes ?? device_binding, device_binding) & ~255;
  return {
    gpu,
    instance,
    facts,
    traits: {
      subgroup_size,
      software: facts.type === 'software',
      matrix: typeof units === 'string' ? undefined : units,
      workgroup_bytes: gpu.limits.maxComputeWorkgroupStorageSize,
    },
    matrix_misfit: typeof units === 'string' ? units : undefined,
    mode: options.mode,
    features,
    immediates: !without.has('immediates') && Number(Reflect.get(gpu.limits, 'maxImmediateSize') ?? 0) >= 64,
    max_binding_bytes: max_binding_bytes > 0 ? max_binding_bytes : floor_to(device_binding, 256),
    max_buffer_bytes: gpu.limits.maxBufferSize,
    max_workgroups: gpu.limits.maxComputeWorkgroupsPerDimension,
    memory_limit_bytes: options.memory_limit_bytes,
    check: fault.check,
    destroy: fault.destroy,
  };
}

const floor_to = (bytes: number, unit: number): number => Math.floor(bytes / unit) * unit;

/** Lost devices and uncaptured errors arrive out of band; they are kept and thrown at the next check. */
function watch_faults(gpu: GPUDevice, facts: AdapterFacts) {
  let message: string | undefined;
  let closed = false;
  const name = facts.description || facts.device || 'the adapter';
  gpu.lost.then((info) => {
    if (closed) return;
    const why = one_line(info.message) || info.reason || 'no reason given';
    message = `the GPU device of ${name} was lost (${why}): run again; if it repeats, try a smaller request or another adapter`;
  });
  gpu.onuncapturederror = (event) => {
    message ??= `WebGPU reported an error on ${name}: ${one_line(event.error.message)}`;
  };
  return {
    check() {
      if (closed) throw new InputError('this engine was closed: load the model again');
      if (message !== undefined) throw new InputError(message);
    },
    destroy() {
      closed = true;
      gpu.onuncapturederror = null; // the handler holds the device, and the device its driver's threads
      gpu.destroy();
    },
  };
}

export function one_line(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 400);
}

/** Picks an adapter by number or by a part of its name; `auto` prefers hardware, `rank:3` the fourth of it, around and around. */
export function choose_adapter(found: readonly AdapterFacts[], wanted: string): number {
  if (found.length === 0) {
    throw new InputError(
      'no WebGPU adapter: expected a Vulkan, Metal or D3D12 driver, found none; run `node tools/setup.mjs` or install your GPU driver (Debian: mesa-vulkan-drivers)',
    );
  }
  const names = found.map((f, i) => `${i}: ${f.description || f.device}`).join('; ');
  const [, rank] = /^rank:(\d{1,9})$/.exec(wanted) ?? [];
  if (wanted === 'auto' || rank !== undefined) {
    const hardware = found.flatMap(({ type }, i) => (type === 'hardware' ? i : []));
    return hardware[Number(rank ?? 0) % hardware.length] ?? 0;
  }
  if (/^\d+$/.test(wanted) && Number(wanted) < found.length) return Number(wanted);
  // Of its names only: a number such as -1 or a short word is part of some feature of every adapter.
  const needle = wanted.trim().toLowerCase();
  const text_of = ({ vendor, architecture, device, description, type }: AdapterFacts) =>
    [vendor, architecture, device, description, type].join(' ').toLowerCase();
  const index = needle === '' || /^-\d/.test(needle) ? -1 : found.findIndex((f) => text_of(f).includes(needle));
  if (index >= 0) return index;
  throw new UsageError(
    `adapter: expected a part of an adapter's name, a number below ${found.length} or auto, found "${wanted}"; there is ${names}`,
  );
}
