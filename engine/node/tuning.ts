import { createHash } from 'node:crypto';
import { FORMATS, type Variant, wgsl_files } from '../../kernels/spec.ts';
import type { Device } from '../gpu/device.ts';
import type { Tuning } from '../gpu/pipelines.ts';
import { shipped_tuning, type TuningChoice } from '../gpu/shipped_tunings.ts';
import { TUNED_KERNELS } from '../tune.ts';
import { adapter_key, keep, read_kept } from './cache.ts';

/** A tuning holds for these kernels: any change of theirs may change what is fastest. */
function kernels_digest(): string {
  const hash = createHash('sha256');
  for (const { name, variants } of TUNED_KERNELS) {
    for (const variant of variants) {
      hash.update(JSON.stringify([name, variant.name, sources(variant), String(variant.consts), String(variant.grid)]));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

const sources = (variant: Variant): readonly string[] =>
  Object.values(FORMATS).flatMap((format) => wgsl_files(variant, { WEIGHT_FORMAT: format }));

const key_of = (device: Device, backend: string) => ({ kernels: kernels_digest(), ...adapter_key(device, backend) });

export async function tuning_for(device: Device, backend: string): Promise<TuningChoice> {
  const kept = await read_kept('tuning', key_of(device, backend));
  return is_tuning(kept) ? { from: 'measured', choices: kept } : shipped_tuning(device.facts);
}

/** Adds to what was measured here before, of other models. Returns the file; undefined where none could be written. */
export async function keep_tuning(
  device: Device,
  backend: string,
  measured: readonly string[],
  choices: Tuning,
): Promise<string | undefined> {
  const key = key_of(device, backend);
  const kept = await read_kept('tuning', key);
  const others = Object.entries(is_tuning(kept) ? kept : {}).filter(([name]) => !measured.includes(name));
  return keep('tuning', key, { ...Object.fromEntries(others), ...choices });
}

const is_tuning = (value: unknown): value is Tuning =>
  value !== null &&
  typeof value === 'object' &&
  !Array.isArray(value) &&
  Object.values(value).every((name) => typeof name === 'string');
