import { mebibytes } from '../../engine/gpu/buffers.ts';
import type { TuningChoice } from '../../engine/gpu/shipped_tunings.ts';
import { open_executor } from '../../engine/node/load.ts';
import { commit, dirty, version } from '../build.ts';
import { out, table } from '../print.ts';
import { type AdapterFlags, device_choice } from './flags.ts';

const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBuffersPerShaderStage',
] as const;

/** What each missing feature costs, and how to get it. */
const FEATURES = {
  'timestamp-query': 'kernels can then only be timed from the host; update the driver',
  subgroups: 'software adapters then lose the fast `lanes` kernels; update the driver',
  'shader-f16': 'weights stay 16-bit, arithmetic is f32 either way; update the driver for half-precision staging',
  'chromium-experimental-subgroup-matrix': 'no matrix units; only recent GPUs and drivers have it',
} as const;

export async function doctor(flags: AdapterFlags & { readonly json?: boolean }, debug: boolean): Promise<undefined> {
  const { executor, adapter, tuning } = await open_executor(device_choice(flags, debug));
  try {
    const { device } = executor;
    const { facts } = device;
    const limits = Object.fromEntries(LIMITS.map((name) => [name, device.gpu.limits[name]]));
    const missing = Object.keys(FEATURES).filter((name) => !facts.features.includes(name)) as (keyof typeof FEATURES)[];
    if (flags.json) {
      const { found, backend, toggles } = adapter;
      const report = {
        schema: 'molmoe.doctor/1',
        version,
        commit,
        dirty,
        backend,
        adapter: facts,
        found,
        limits,
        toggles,
        tuning,
      };
      out(`${JSON.stringify({ ...report, immediates: device.immediates, missing, node: process.version })}\n`);
      return;
    }
    const rows = [
      ['adapter', facts.description || facts.device],
      ['type', `${facts.type}, vendor ${facts.vendor || 'unknown'}, architecture ${facts.architecture || 'unknown'}`],
      [
        'backend',
        `${adapter.backend}, Node ${process.version}, molmoe ${version} (${commit}${dirty ? ', changed' : ''})`,
      ],
      [
        'subgroups',
        device.features.has('subgroups') ? `${facts.subgroup_min_size} to ${facts.subgroup_max_size} lanes` : 'none',
      ],
      ['parameters', device.immediates ? 'immediates' : 'uniform buffer (no immediates)'],
      ['features', facts.features.filter((f) => f in FEATURES).join(', ') || 'none of those that matter'],
      ...Object.entries(limits).map(([name, value]) => [name, /Size$/.test(name) ? mebibytes(value) : String(value)]),
      ['toggles on', adapter.toggles.enable.join(' ')],
      ['toggles off', adapter.toggles.disable.join(' ')],
      ['tuning', told(tuning)],
      ...adapter.found.map((f, i) => [`--adapter ${i}`, `${f.description || f.device} (${f.type})`]),
      ...missing.map((name) => ['missing', `${name}: ${FEATURES[name]}`]),
      ...(facts.type === 'software'
        ? [['note', 'a CPU plays GPU here: right results, slow; install a GPU driver for speed']]
        : []),
    ];
    out(`${table(rows)}\n`);
  } finally {
    executor.destroy();
  }
}

function told({ from, choices }: TuningChoice): string {
  const count = Object.keys(choices).length;
  if (from === 'default') return 'the first variants: `molmoe tune` finds the fastest here';
  const how = { measured: 'measured here', itself: 'found by commands themselves', shipped: 'shipped', off: 'off' }[
    from
  ];
  return `${how}: ${count} classes of shapes run another variant than the first`;
}
