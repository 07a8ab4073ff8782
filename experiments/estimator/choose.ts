import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { InputError } from '../../engine/errors.ts';
import type { AdapterFacts } from '../../engine/gpu/device.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { parameter_counts } from '../../engine/model/tensors.ts';
import type { Ceilings, Provenance } from '../lab/schema.ts';
import type { Estimator } from './estimator.ts';
import { estimator_in, type Known, read_model, same_probes, shipped_models } from './model_file.ts';

/** Where an experiment leaves what this machine's own runs taught. */
const OWN_MODEL = 'results/core/e3/e3_estimator_model.json';

/** Own results first, then what comes with the program. A file of one's own that cannot be read is told and passed over. */
export async function known_models(on_fault: (message: string) => void, own = OWN_MODEL): Promise<Known[]> {
  const read = existsSync(own)
    ? await read_model(own).catch((error) => {
        if (!(error instanceof InputError)) throw error;
        on_fault(error.message);
        return undefined;
      })
    : undefined;
  return [...(read ? [read] : []), ...(await shipped_models())];
}

/** The adapter that a prediction is for. */
export interface Site {
  readonly adapter: string;
  readonly backend: string;
  readonly software: boolean;
  readonly cpu: string;
  readonly cores: number;
}

const name_of = ({ description, device }: Pick<AdapterFacts, 'description' | 'device'>): string =>
  description || device;

export const this_site = (facts: AdapterFacts, backend: string): Site => ({
  adapter: name_of(facts),
  backend,
  software: facts.type === 'software',
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
});

export const site_of = ({ adapter, backend, host }: Provenance): Site => ({
  adapter: name_of(adapter),
  backend,
  software: adapter.type === 'software',
  cpu: host.cpu,
  cores: host.cores,
});

/** How near a measured model is to the one asked for: itself, one of other depth, or one of other widths. */
export type Nearness = 'same' | 'depth' | 'other';

export function nearness(config: ModelConfig, model: Provenance['model']): Nearness {
  const asked: Readonly<Record<string, number>> = parameter_counts(config);
  const equal = (part: string, by: readonly [number, number] = [1, 1]) =>
    (asked[part] as number) / by[0] === (model.parameters[part] ?? Number.NaN) / by[1];
  const layers = [config.n_layers, model.layers] as const;
  const widths =
    ['pooling', 'projector_mlp', 'lm_head'].every((part) => equal(part)) &&
    ['attention', 'router', 'experts'].every((part) => equal(part, layers));
  if (!widths) return 'other';
  return layers[0] === layers[1] && equal('vit') ? 'same' : 'depth';
}

export interface Choice {
  readonly known: Known;
  readonly estimator: Estimator;
  readonly nearness: Nearness;
  readonly same_dtype: boolean;
  /** Measured on another host, whose processor is this adapter. */
  readonly other_host: boolean;
}

/** Of this adapter and its driver, the one of the nearest model; of equals the first. */
export function choose_estimator(
  all: readonly Known[],
  here: Site,
  config: ModelConfig,
  dtype: string | undefined,
): Choice | undefined {
  const rank: Readonly<Record<Nearness, number>> = { same: 4, depth: 2, other: 0 };
  const choices = all.flatMap((known): Choice[] => {
    const { provenance } = known.file;
    const there = site_of(provenance);
    const estimator = estimator_in(known.file);
    if (
      estimator === null ||
      known.file.samples.length === 0 ||
      there.adapter !== here.adapter ||
      there.backend !== here.backend
    )
      return [];
    const other_host = here.software && (there.cpu !== here.cpu || there.cores !== here.cores);
    const same_dtype = dtype === undefined || dtype === provenance.model.dtype;
    return [{ known, estimator, nearness: nearness(config, provenance.model), same_dtype, other_host }];
  });
  const worth = (one: Choice) => rank[one.nearness] + (one.same_dtype ? 1 : 0) + (one.other_host ? 0 : 0.5);
  return choices.reduce<Choice | undefined>((a, b) => (a === undefined || worth(b) > worth(a) ? b : a), undefined);
}

/**
 * Under the ceilings of this host where those of another were measured: how far from them kernels run is much the same. Not
 * where other probes measured them: then times are told as that host had them.
 */
export const under = (choice: Choice, ceilings: Ceilings | undefined): Estimator =>
  choice.other_host && ceilings && same_probes(choice.known, ceilings)
    ? { ...choice.estimator, roof: ceilings }
    : choice.estimator;

/** Whether it may stand for a time without a word: measured here, on this model or on blocks like its. */
export const is_own = ({ nearness: near, same_dtype, other_host }: Choice): boolean =>
  near !== 'other' && same_dtype && !other_host;

/** "60 configurations of molmoe-slice f16, 2026-11-27". */
export const basis_of_choice = ({ known: { file } }: Choice): string =>
  `${file.samples.length} configurations of ${file.provenance.model.name} ${file.provenance.model.dtype}, ${file.started.slice(0, 10)}`;
