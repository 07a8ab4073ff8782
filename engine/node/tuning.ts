import { createHash } from 'node:crypto';
import { FORMATS, type Variant, wgsl_files } from '../../kernels/spec.ts';
import type { Device } from '../gpu/device.ts';
import type { Tuning } from '../gpu/pipelines.ts';
import { type SelfTuned, shipped_tuning, type TuningChoice } from '../gpu/shipped_tunings.ts';
import type { Engine, GenerateRequest, ModelFacts } from '../molmoe.ts';
import { share_of, TUNED_KERNELS, tune } from '../tune.ts';
import { foresee } from '../tune_requests.ts';
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

/** What is kept of an adapter: of all models that were tuned on it, by `molmoe tune` or by a command itself. */
interface Kept {
  readonly choices: Tuning;
  readonly models: Readonly<Record<string, SelfTuned | 'asked'>>;
}

/** Shapes hang on the model, and on how its weights are stored. */
export const tuned_model = ({ name, dtype }: Pick<ModelFacts, 'name' | 'dtype'>): string => `${name} ${dtype}`;

async function read_tuning(device: Device, backend: string): Promise<Kept | undefined> {
  const kept = await read_kept('tuning', key_of(device, backend));
  return is_kept(kept) ? kept : undefined;
}

/** Of the adapter, or, with a model, of that model on it. */
export async function tuning_for(device: Device, backend: string, model?: string): Promise<TuningChoice> {
  const kept = await read_tuning(device, backend);
  if (kept === undefined) return shipped_tuning(device.facts);
  const { choices, models } = kept;
  const how = model === undefined ? undefined : models[model];
  if (how !== undefined && how !== 'asked') return { from: 'itself', choices, itself: how };
  const asked = how === 'asked' || Object.values(models).includes('asked');
  return { from: asked ? 'measured' : 'itself', choices };
}

/**
 * GPU time with the fastest variants over that with the first ones, of the classes that were compared when a command tuned
 * itself for this model here; undefined where that is not known.
 */
export async function known_share(device: Device, backend: string, model: string): Promise<number | undefined> {
  const how = (await read_tuning(device, backend))?.models[model];
  return how === undefined || how === 'asked' ? undefined : (how.share ?? undefined);
}

/** Adds to what was measured here before, of other models. Returns the file; undefined where none could be written. */
export async function keep_tuning(
  device: Device,
  backend: string,
  measured: readonly string[],
  choices: Tuning,
  model: string,
  how: SelfTuned | 'asked' = 'asked',
): Promise<string | undefined> {
  const kept = await read_tuning(device, backend);
  const others = Object.entries(kept?.choices ?? {}).filter(([name]) => !measured.includes(name));
  const value: Kept = {
    choices: { ...Object.fromEntries(others), ...choices },
    models: { ...kept?.models, [model]: how },
  };
  return keep('tuning', key_of(device, backend), value);
}

/** Whether a command should look for the fastest variants itself: nobody has for this model, and nothing came with the program. */
export async function is_untuned(device: Device, backend: string, model: string): Promise<boolean> {
  const kept = await read_tuning(device, backend);
  return kept === undefined ? shipped_tuning(device.facts).from === 'default' : kept.models[model] === undefined;
}

/** A command that takes minutes spends so much on finding out how to take fewer. */
export const SELF_TUNING_MS = 20_000;

/** Times variants in requests of the kind that follow, keeps what is fastest and runs it from then on. */
export async function tune_itself(
  engine: Engine,
  backend: string,
  requests: readonly GenerateRequest[],
  options: { readonly on_progress?: (done: number, total: number) => void; readonly signal?: AbortSignal } = {},
): Promise<TuningChoice> {
  const { device, prefer, variant } = engine.executor;
  const started_ms = performance.now();
  const foreseen = await foresee(engine, requests);
  const within_ms = Math.max(1, SELF_TUNING_MS - (performance.now() - started_ms));
  const report = await tune(engine, { ...options, requests: foreseen.requests, within_ms });
  const measured = report.classes.map(({ key }) => key);
  const known = new Set(measured);
  const itself: SelfTuned = {
    seconds: Math.round((performance.now() - started_ms) / 100) / 10,
    share: share_of(report),
    untuned: [...foreseen.classes].filter((key) => !known.has(key)),
  };
  const model = tuned_model(engine.facts);
  await keep_tuning(device, backend, measured, report.choices, model, itself);
  const kept = await read_tuning(device, backend);
  const choices = kept?.choices ?? report.choices; // where nothing can be kept it still holds for this command
  prefer(variant, choices);
  return { from: 'itself', choices, itself };
}

const is_object = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const is_self_tuned = (value: unknown): value is SelfTuned =>
  is_object(value) &&
  typeof value.seconds === 'number' &&
  (value.share === null || typeof value.share === 'number') &&
  Array.isArray(value.untuned) &&
  value.untuned.every((key) => typeof key === 'string');

const is_kept = (value: unknown): value is Kept =>
  is_object(value) &&
  is_object(value.choices) &&
  Object.values(value.choices).every((name) => typeof name === 'string') &&
  is_object(value.models) &&
  Object.values(value.models).every((how) => how === 'asked' || is_self_tuned(how));
