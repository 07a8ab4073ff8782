import { create, globals } from 'webgpu';
import { InputError } from '../errors.ts';
import {
  type AdapterFacts,
  type AdapterHandle,
  adapter_facts,
  choose_adapter,
  type RunMode,
  TOGGLES,
} from '../gpu/device.ts';
import { hushed, prepare_adapter_env } from './adapter_env.ts';

export interface AdapterChoice {
  /** A number, a part of the name, or `auto`. */
  readonly adapter?: string;
  readonly backend?: 'vulkan' | 'metal' | 'd3d12' | 'd3d11' | 'opengl' | 'opengles';
  readonly power?: 'high-performance' | 'low-power';
  readonly mode: RunMode;
  /** Keeps what drivers write to stderr while they open off the terminal; on unless false. */
  readonly hush?: boolean;
}

export interface OpenAdapter extends AdapterHandle {
  readonly found: readonly AdapterFacts[];
  readonly backend: string;
  readonly toggles: { readonly enable: readonly string[]; readonly disable: readonly string[] };
}

/**
 * One a process for each way of asking. Every instance opens the driver anew and keeps its threads, a file and a few
 * megabytes; and the binding goes on polling it for a turn or two after its last device is destroyed, so that one that
 * was garbage-collected meanwhile hangs or aborts the process: they are never let go.
 */
const instances = new Map<string, GPU>();

function instance_of(flags: readonly string[]): GPU {
  const key = flags.join(' ');
  const made = instances.get(key) ?? create([...flags]);
  instances.set(key, made);
  return made;
}

export function default_backend(platform: string): NonNullable<AdapterChoice['backend']> {
  if (platform === 'darwin') return 'metal';
  return platform === 'win32' ? 'd3d12' : 'vulkan';
}

/** Finds adapters of one backend. Dawn's binding hands out one adapter a request, so each way of asking is tried. */
export async function open_adapter(choice: AdapterChoice): Promise<OpenAdapter> {
  prepare_adapter_env();
  Object.assign(globalThis, globals);
  const backend = choice.backend ?? default_backend(process.platform);
  const toggles = TOGGLES[choice.mode];
  const flags = [
    `backend=${backend}`,
    `enable-dawn-features=${toggles.enable.join(',')}`,
    `disable-dawn-features=${toggles.disable.join(',')}`,
  ];
  const around = choice.hush === false ? <T>(call: () => T): T => call() : hushed;
  const instance = around(() => instance_of(flags));
  const asks: GPURequestAdapterOptions[] = [
    { powerPreference: choice.power ?? 'high-performance' },
    { powerPreference: choice.power === 'low-power' ? 'high-performance' : 'low-power' },
    { forceFallbackAdapter: true },
  ];
  const adapters: GPUAdapter[] = [];
  const found: AdapterFacts[] = [];
  for (const ask of asks) {
    const adapter = await around(() => instance.requestAdapter(ask));
    if (adapter === null) continue;
    const facts = adapter_facts(adapter);
    if (is_null_backend(facts) || found.some((f) => f.device === facts.device && f.description === facts.description)) {
      continue;
    }
    adapters.push(adapter);
    found.push(facts);
  }
  const adapter = adapters[choose_adapter(found, choice.adapter ?? 'auto')];
  if (adapter === undefined) throw new InputError('no WebGPU adapter could be opened');
  return { instance, adapter, found, backend, toggles };
}

/** Dawn's null backend accepts everything and computes nothing: its results would be zeros that look like numbers. */
function is_null_backend(facts: AdapterFacts): boolean {
  return /null backend/i.test(`${facts.vendor} ${facts.device} ${facts.description}`);
}
