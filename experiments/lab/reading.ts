import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';
import { checked, parsed_json } from './checked.ts';
import {
  type Definition,
  define,
  type Experiment,
  type FileHead,
  type Shape,
  type Source,
  type Values,
} from './define.ts';
import { nothing } from './instruments.ts';
import { described } from './options.ts';
import { read_own_text } from './own_files.ts';
import { head_shape } from './schema.ts';

/** Experiments that run nothing: they read what others published, and keep a copy of it. */

type Sources = Readonly<Record<string, Source>>;
/** A file as it was read, with its head. */
export type Input<S extends Shape = Shape> = FileHead & Values<S>;
export type Inputs<I extends Sources> = { readonly [K in keyof I]: Input<I[K]['shape']> };

type OfCells = 'sweeps' | 'instrument' | 'cells' | 'repeats' | 'quick' | 'order' | 'basis' | 'derive';

interface ReadingDefinition<I extends Sources, O extends Shape, F extends Readonly<Record<string, Shape>>>
  extends Omit<Definition<O, F>, OfCells | 'reads'> {
  /** By the option that names each. */
  readonly reads: I;
  readonly derive: (inputs: Inputs<I>, options: Values<O>) => ReturnType<Definition<O, F>['derive']>;
}

export function define_reading<const I extends Sources, O extends Shape, F extends Readonly<Record<string, Shape>>>({
  derive,
  ...definition
}: ReadingDefinition<I, O, F>): Experiment {
  const paths = Object.entries(definition.reads).map(([option, { group, experiment, file, alias }]) => {
    const said = `${file}.json or its folder; that of results/${group}/${experiment} when left out`;
    return [option, described(z.string().min(1).optional(), said, { value: '<path>', aliases: [alias] })];
  });
  return define({
    ...definition,
    options: { ...definition.options, ...Object.fromEntries(paths) } as O,
    sweeps: ['image', 'prompt', 'answer', 'maxCrops', 'topK', 'blocks'],
    instrument: nothing,
    cells: () => [],
    derive: ({ inputs = {} }, options) => derive(inputs as Inputs<I>, options),
  });
}

/** One that was found: its text is kept as it is. */
export interface FoundInput {
  readonly option: string;
  readonly source: Source;
  readonly path: string;
  readonly text: string;
  readonly digest: string;
  readonly input: Input;
}

/** Where a copy lies in the folder of those that read it. */
export const kept_name = ({ file }: Source): string => `inputs/${file}.json`;

/** The files that the options name, or else those beside the folder of results, or in results/. */
export async function find_inputs(
  { name, reads }: Pick<Experiment, 'name' | 'reads'>,
  options: Readonly<Record<string, unknown>>,
  out: string,
): Promise<FoundInput[]> {
  const places = Object.entries(reads).map(async ([option, source]) => {
    const given = options[option] as string | undefined;
    const usual = [dirname(dirname(out)), 'results'].map((root) => join(root, source.group, source.experiment));
    const path = await first_file(given === undefined ? usual : [given], source);
    return { option, source, given, path };
  });
  const all = await Promise.all(places);
  const missing = all.filter(({ path }) => path === undefined);
  if (missing.length > 0) {
    const who = missing.map(
      ({ source: { file, experiment }, given }) =>
        `${file}.json ${given === undefined ? `of ${experiment}` : `at ${given}`}`,
    );
    const remedy = missing.map(
      ({ option, source }) => `run \`molmoe ${source.experiment}\` or name it with ${flag_of(option)}`,
    );
    throw new InputError(`${name}: expected results to read, found no ${who.join(', no ')}; ${remedy.join(', ')}`);
  }
  return Promise.all(all.map(({ option, source, path }) => read_source(option, source, path as string)));
}

const flag_of = (option: string): string => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The first of these that is there: a file, or a folder that holds it. */
async function first_file(paths: readonly string[], { file }: Source): Promise<string | undefined> {
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    const inner = found?.isDirectory() ? join(path, `${file}.json`) : path;
    if (found !== undefined && (await stat(inner).catch(() => undefined)) !== undefined) return inner;
  }
  return undefined;
}

async function read_source(option: string, source: Source, path: string): Promise<FoundInput> {
  const remedy = `name ${source.file}.json of ${source.experiment} with ${flag_of(option)}`;
  const text = await read_own_text(path, remedy).catch((error) =>
    Promise.reject(file_error(error, path, `${source.file}.json of ${source.experiment}`)),
  );
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return { option, source, path, text, digest, input: input_of(source, text, path, remedy) };
}

function input_of({ schema, shape }: Source, text: string, path: string, remedy: string): Input {
  const type = z.looseObject({ schema: z.literal(schema), ...head_shape, ...shape });
  return checked(type, parsed_json(text, path, `schema ${schema}`, remedy), path, schema, remedy) as unknown as Input;
}

/** The copies that a results folder keeps, by option. */
export async function kept_inputs(
  { reads }: Pick<Experiment, 'reads'>,
  folder: string,
): Promise<Record<string, Input>> {
  const kept = Object.entries(reads).map(async ([option, source]) => {
    const path = join(folder, kept_name(source));
    const { input } = await read_source(option, source, path);
    return [option, input] as const;
  });
  return Object.fromEntries(await Promise.all(kept));
}
