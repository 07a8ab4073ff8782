import type { Executor } from '../../engine/gpu/executor.ts';
import type { TuningChoice } from '../../engine/gpu/shipped_tunings.ts';
import { repository_parameters } from '../../engine/meter/legacy.ts';
import { parameter_counts } from '../../engine/model/tensors.ts';
import type { ModelFacts } from '../../engine/molmoe.ts';
import { sampled_digest } from '../../engine/weights/digest.ts';
import type { WeightSource } from '../../engine/weights/source.ts';
import { visible } from '../../engine/weights/text.ts';
import { machine_of } from './machine.ts';
import type { Provenance } from './schema.ts';

/** What built the program: handed in, since only the bundle knows. */
export interface Build {
  readonly version: string;
  readonly commit: string;
  readonly dirty: boolean;
  readonly digest: string;
}

/** Names of folders, hosts and drivers may hold anything; figures, pages and terminals get text of one line. */
const in_lines = (provenance: Provenance): Provenance =>
  JSON.parse(JSON.stringify(provenance), (_, part) => (typeof part === 'string' ? visible(part) : part));

/** What runs: of a host with Node or of a browser. */
export interface Origin {
  readonly executor: Executor;
  /** Graphics API, or the browser that chose it. */
  readonly backend: string;
  readonly toggles: { readonly enable: readonly string[]; readonly disable: readonly string[] };
  readonly tuning: TuningChoice;
  readonly facts: ModelFacts;
  readonly source: WeightSource;
}

const told_tuning = ({ from, choices, itself }: TuningChoice): Provenance['tuning'] => ({
  from,
  choices,
  ...(itself && { itself: { ...itself, untuned: [...itself.untuned] } }),
});

/** Everything about program, adapter, model and host that a number depends on. */
export async function provenance_from(on: Origin, host: Provenance['host'], build: Build): Promise<Provenance> {
  const { executor, backend, toggles, facts, source } = on;
  const { device, variant } = executor;
  const { vendor, architecture, description, type: kind, subgroup_min_size, subgroup_max_size } = device.facts;
  return in_lines({
    package_version: build.version,
    commit: build.commit,
    dirty: build.dirty,
    build: build.digest,
    adapter: {
      vendor,
      architecture,
      device: device.facts.device,
      description,
      type: kind,
      subgroup_min_size,
      subgroup_max_size,
      features: [...device.features].sort(),
      machine: machine_of(device),
    },
    backend,
    toggles: { enable: [...toggles.enable], disable: [...toggles.disable] },
    mode: device.mode,
    variant,
    tuning: told_tuning(on.tuning),
    model: {
      name: facts.name,
      weights: facts.weights,
      weights_kind: facts.weights_kind,
      seed: facts.seed ?? null,
      weights_digest: source.kind === 'checkpoint' ? await sampled_digest(source) : null,
      dtype: facts.dtype,
      tokenizer: facts.tokenizer,
      layers: facts.config.n_layers,
      experts: facts.config.n_experts,
      parameters: { ...repository_parameters(facts.config), ...parameter_counts(facts.config) },
    },
    host,
  });
}
