import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';
import { checked, first_issue } from '../lab/checked.ts';
import { read_json } from '../lab/read.ts';
import {
  by_stage,
  type Ceilings,
  count,
  finite,
  head_shape,
  type Provenance,
  STAGES,
  type StageName,
  strings,
} from '../lab/schema.ts';
import type { Estimator, Fitted } from './estimator.ts';
import { type Example, example_schema } from './example.ts';
import { ASSUMED, TERMS } from './work.ts';

/** e3_estimator_model.json: what the study keeps as a pickle. Whoever has the file and a request's counts can predict. */
const MODEL_FILE = 'e3_estimator_model';

/** Coefficients by the names of their terms: how many times longer than the ceilings allow. */
const fitted_schema = z.strictObject({
  stages: by_stage(z.record(z.string(), finite.nonnegative())),
  rest_ms: finite,
});
const off_schema = z.partialRecord(z.enum(['vision_encoder', 'projector', 'prefill', 'decode', 'total']), finite);

export const model_shape = {
  /** null where there were no ceilings, or no samples. */
  estimator: z
    .strictObject({
      full: fitted_schema,
      /** Without a fold of the samples each, and what those were off by: logarithms of measured over predicted. */
      folds: z.array(fitted_schema),
      left_out: z.array(z.strictObject({ key: z.string(), fold: count, off: off_schema })),
      strength: by_stage(finite),
    })
    .nullable(),
  /** Adapters whose coefficients these were drawn towards. */
  drawn_towards: strings,
  samples: z.array(example_schema),
  /** Cells without stamped kernels: what they did is not known kernel by kernel. */
  unused: strings,
};

const file_schema = z.strictObject({
  schema: z.literal('molmoe.e3.estimator_model/2'),
  experiment: z.literal('e3'),
  ...head_shape,
  ...model_shape,
});
type ModelFile = z.infer<typeof file_schema>;

/** An estimator of some adapter, what it rests on, and where it was read. */
const known_schema = z.strictObject({ source: z.string(), file: file_schema });
export type Known = z.infer<typeof known_schema>;

/** Those that a run was held against, as its folder keeps them. */
export function known_in(kept: unknown): Known[] {
  const found = z.array(known_schema).safeParse(kept ?? []);
  if (found.success) return found.data;
  throw new InputError(
    `inputs/others.json: expected estimators of other adapters, found ${first_issue(found.error)}; delete it, and name them with --with again`,
  );
}

/** An adapter of a host: a software adapter is as fast as its processor. */
export const adapter_of = ({ adapter, host, backend }: Provenance): string =>
  `${adapter.description || adapter.device} (${backend}), ${host.cpu}, ${host.cores} cores`;

export const label_of = (provenance: Provenance): string =>
  `${provenance.model.name} ${provenance.model.dtype} on ${adapter_of(provenance)}`;

type Named = Record<string, number>;
const named = (fitted: Fitted): z.infer<typeof fitted_schema> => ({
  stages: Object.fromEntries(
    STAGES.flatMap((stage) => {
      const row = fitted.stages[stage];
      return row ? [[stage, Object.fromEntries(TERMS.map((term, j) => [term, row[j] as number]))]] : [];
    }),
  ),
  rest_ms: fitted.rest_ms,
});

const unnamed = ({ stages, rest_ms }: z.infer<typeof fitted_schema>): Fitted => ({
  stages: Object.fromEntries(
    (Object.entries(stages) as [StageName, Named][]).map(([stage, row]) => [
      stage,
      TERMS.map((term, j) => row[term] ?? (ASSUMED[j] as number)),
    ]),
  ),
  rest_ms,
});

export function to_file(estimator: Estimator | null, samples: readonly Example[]): ModelFile['estimator'] {
  if (estimator === null) return null;
  const { full, folds, left_out, strength } = estimator;
  return {
    full: named(full),
    folds: folds.map(named),
    left_out: left_out.map(({ fold, off }, i) => ({ key: (samples[i] as Example).key, fold, off })),
    strength,
  };
}

/**
 * Coefficients say how far from ceilings kernels run, so they mean something only under ceilings that the same probes found:
 * those of several forms find higher ones than those of one.
 */
export const same_probes = ({ file }: Known, ceilings: Ceilings | null): boolean =>
  file.ceilings !== null && ceilings !== null && (file.ceilings.probes ?? 1) === (ceilings.probes ?? 1);

/** null: a file without one. */
export function estimator_in({ estimator, ceilings }: ModelFile): Estimator | null {
  if (estimator === null || ceilings === null) return null;
  const { full, folds, left_out, strength } = estimator;
  return { roof: ceilings, full: unnamed(full), folds: folds.map(unnamed), left_out, strength };
}

const REMEDY = `name the ${MODEL_FILE}.json of an e3 run, or its folder`;

/** A file, or the folder it lies in. */
export async function read_model(path: string): Promise<Known> {
  const is_folder = await stat(path).then(
    (found) => found.isDirectory(),
    (error) => Promise.reject(file_error(error, path, 'an estimator')),
  );
  const source = is_folder ? join(path, `${MODEL_FILE}.json`) : path;
  const file = checked(
    file_schema,
    await read_json(source, 'an estimator', REMEDY),
    source,
    'molmoe.e3.estimator_model/2',
    REMEDY,
  );
  const orphans = file.estimator?.left_out.filter(({ fold }) => fold >= (file.estimator?.folds.length ?? 0)) ?? [];
  if (orphans.length > 0) {
    throw new InputError(
      `${source}: expected a fold for each left-out sample, found none for ${orphans[0]?.key}; restore it`,
    );
  }
  return { source, file };
}

/** Beside this source, or beside the bundle that it is part of. */
const SHIPPED = ['./shipped/', '../experiments/estimator/shipped/'].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
);

/** Estimators of adapters that were measured once and come with the program. */
export async function shipped_models(): Promise<Known[]> {
  for (const folder of SHIPPED) {
    const names = await readdir(folder).catch(() => []);
    const files = names.filter((name) => name.endsWith('.json')).sort();
    if (files.length > 0) return Promise.all(files.map((name) => read_model(join(folder, name))));
  }
  return [];
}
