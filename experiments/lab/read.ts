import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';
import { shown } from '../../engine/weights/text.ts';
import { checked_bundle, is_bundle } from './bundle.ts';
import { checked, newer, parsed_json, schema_of } from './checked.ts';
import type { Experiment } from './define.ts';
import {
  CONFIGURATIONS,
  FAILED_FILE,
  is_own_name,
  LIST_FILE,
  OTHERS_FILE,
  PLAN_FILE,
  RUN_FILE,
  read_own_text,
} from './own_files.ts';
import { key_of } from './plan.ts';
import {
  type Configuration,
  configuration_schema,
  type FailedRecord,
  failed_schema,
  others_schema,
  type PlanRecord,
  plan_schema,
  type Run,
  run_schema,
} from './schema.ts';
import { upgraded } from './upgrade.ts';

/** What to do about one broken cell: the others are not lost with it. */
export const DELETE_ONE = 'delete that file, and only it is measured again';

export interface SavedResults {
  /** undefined for a single cell that lies apart from its folder. */
  readonly run?: Run;
  /** In the order they were measured. */
  readonly configurations: readonly Configuration[];
}

/** A results folder, a file that holds a whole run (as the live page saves one), or a single cell. */
export async function read_results(path: string): Promise<SavedResults> {
  let is_folder: boolean;
  try {
    is_folder = (await stat(path)).isDirectory();
  } catch (error) {
    throw file_error(error, path, 'a results folder or file');
  }
  return is_folder ? read_folder(path) : read_single(path);
}

async function read_folder(folder: string): Promise<SavedResults> {
  const run = await read_run(folder, 'restore it or measure anew');
  if (run === undefined) {
    throw new InputError(
      `${folder}: expected a results folder, found no ${RUN_FILE} in it; name the folder an experiment wrote to`,
    );
  }
  const configurations: Configuration[] = [];
  // One after the other: thousands at once are more open files than a process may have.
  for (const name of await configuration_files(folder)) {
    configurations.push(await read_configuration(folder, name, { ...run, remedy: DELETE_ONE }));
  }
  if (configurations.length === 0) {
    throw new InputError(
      `${folder}: expected results, found no finished configuration; let the experiment run to its first`,
    );
  }
  return { run, configurations: in_order(configurations) };
}

async function read_single(path: string): Promise<SavedResults> {
  const value = upgraded(await read_json(path, `results (${CONFIGURATION_NAME})`, 'choose another'));
  if (is_bundle(value)) {
    const { run, configurations } = checked_bundle(value, path);
    return { run, configurations: in_order(configurations) };
  }
  const found = schema_of(value);
  if (found === CONFIGURATION_NAME) {
    const configuration = checked(configuration_schema, value, path, CONFIGURATION_NAME, 'choose another');
    return { run: await run_beside(path, configuration), configurations: [configuration] };
  }
  const remedy =
    newer(found, [CONFIGURATION_NAME]) ??
    (typeof found === 'string' && found.startsWith('molmoe.')
      ? 'name the folder it lies in'
      : 'choose another, or name its folder');
  throw new InputError(`${path}: expected schema ${CONFIGURATION_NAME}, found ${shown(found)}; ${remedy}`);
}

/** The run of a cell that lies where it was written. */
async function run_beside(path: string, { run }: Configuration): Promise<Run | undefined> {
  const inner = dirname(await realpath(path));
  if (basename(inner) !== CONFIGURATIONS) return undefined;
  const beside = await read_run(dirname(inner), 'restore it, or move the configuration elsewhere');
  return beside?.run === run ? beside : undefined;
}

export async function read_run(folder: string, remedy: string): Promise<Run | undefined> {
  return read_optional(join(folder, RUN_FILE), run_schema, RUN_NAME, remedy);
}

/** What the last command wanted of the folder; older results lack it. */
export const read_plan = (folder: string, remedy: string): Promise<PlanRecord | undefined> =>
  read_optional(join(folder, PLAN_FILE), plan_schema, PLAN_NAME, remedy);

/** Results of other runs that these are held against; undefined where there are none. */
export const others_in = async (folder: string, remedy: string): Promise<unknown> =>
  (await read_optional(join(folder, OTHERS_FILE), others_schema, OTHERS_NAME, remedy))?.others;

/** Which cells could not be measured; most results have no such file. */
export const read_failures = (folder: string, remedy: string): Promise<FailedRecord | undefined> =>
  read_optional(join(folder, FAILED_FILE), failed_schema, FAILED_NAME, remedy);

async function read_optional<T>(
  path: string,
  schema: z.ZodType<T>,
  name: string,
  remedy: string,
): Promise<T | undefined> {
  const value = await read_json(path, `schema ${name}`, remedy, true);
  return value === undefined ? undefined : checked(schema, value, path, name, remedy);
}

/** Names of what lies in configurations/, sorted. */
export async function configuration_files(folder: string): Promise<string[]> {
  const path = join(folder, CONFIGURATIONS);
  try {
    return (await readdir(path)).filter((name) => name.endsWith('.json')).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw file_error(error, path, 'a readable folder');
  }
}

export async function read_configuration(
  folder: string,
  name: string,
  expected: { readonly experiment: string; readonly run: string; readonly remedy: string },
): Promise<Configuration> {
  const path = join(folder, CONFIGURATIONS, name);
  const { remedy } = expected;
  if (!is_own_name(`${CONFIGURATIONS}/${name}`)) {
    throw new InputError(
      `${join(folder, CONFIGURATIONS)}: expected files named after configurations, found ${shown(name)}; move it elsewhere`,
    );
  }
  const value = upgraded(await read_json(path, `schema ${CONFIGURATION_NAME}`, remedy));
  const configuration = checked(configuration_schema, value, path, CONFIGURATION_NAME, remedy);
  for (const [what, wanted] of [
    ['experiment', expected.experiment],
    ['run', expected.run],
    ['key', name.slice(0, -'.json'.length)],
  ] as const) {
    if (configuration[what] === wanted) continue;
    throw new InputError(`${path}: expected ${what} ${shown(wanted)}, found ${shown(configuration[what])}; ${remedy}`);
  }
  // An experiment relies on the settings it planned; the key says which these were.
  const { key, settings } = configuration;
  if (key_of(settings) !== key) {
    throw new InputError(`${path}: expected settings that make the key ${key}, found ${shown(settings)}; ${remedy}`);
  }
  return configuration;
}

export const in_order = (configurations: readonly Configuration[]): Configuration[] =>
  configurations.toSorted((a, b) => Date.parse(a.started) - Date.parse(b.started));

const CONFIGURATION_NAME = configuration_schema.shape.schema.value;
const RUN_NAME = run_schema.shape.schema.value;
const FAILED_NAME = failed_schema.shape.schema.value;
const OTHERS_NAME = others_schema.shape.schema.value;
const PLAN_NAME = plan_schema.shape.schema.value;

/** undefined only where there is no such file and it may be missing. */
export async function read_json(path: string, expected: string, remedy: string, may_miss = false): Promise<unknown> {
  let text: string;
  try {
    text = await read_own_text(path, remedy);
  } catch (error) {
    if (may_miss && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw file_error(error, path, 'a readable file');
  }
  return parsed_json(text, path, expected, remedy);
}

/** Cells that a folder holds already, by key; none where it is no results folder. */
export async function finished_cells(folder: string): Promise<Map<string, Configuration>> {
  const run = await read_run(folder, 'choose another --out');
  if (run === undefined) return new Map();
  const { configurations } = await read_folder(folder).catch((error) => {
    if (error instanceof InputError && error.message.includes('no finished configuration'))
      return { configurations: [] };
    throw error;
  });
  return new Map(configurations.map((one) => [one.key, one]));
}

/** "8 of 15 cells, 2026-01-02", or that there is nothing. */
export async function folder_state(folder: string, keys: readonly string[]): Promise<string> {
  try {
    const run = await read_run(folder, 'choose another');
    if (run === undefined) return 'none';
    const there = new Set((await configuration_files(folder)).map((name) => name.slice(0, -'.json'.length)));
    // What reads results of others has no cells.
    if (keys.length === 0 && there.size === 0) return `there, ${run.started.slice(0, 10)}`;
    const known = keys.filter((key) => there.has(key)).length;
    const others = there.size - known;
    return `${known} of ${keys.length} cells${others > 0 ? ` and ${others} others` : ''}, ${run.started.slice(0, 10)}`;
  } catch (error) {
    if (error instanceof InputError) return 'unreadable';
    throw error;
  }
}

/** How deep results may lie below a folder: results/core/e1. */
const DEPTH = 4;

/** Results folders in a folder, itself included; links are not followed. */
export async function results_folders(folder: string, depth = DEPTH): Promise<string[]> {
  let inside: Dirent[];
  try {
    inside = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw file_error(error, folder, 'a readable folder');
  }
  // A folder of schemas has a run.json too, but no list of files written there.
  const holds = (name: string) => inside.some((one) => one.name === name);
  if (holds(RUN_FILE) && (holds(LIST_FILE) || holds(CONFIGURATIONS))) return [folder];
  if (depth === 0) return [];
  const found: string[] = [];
  for (const one of inside.filter((each) => each.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    found.push(...(await results_folders(join(folder, one.name), depth - 1)));
  }
  return found;
}

type Publisher = Pick<Experiment, 'name' | 'schemas' | 'draw'>;

/** What lies in a folder of an experiment's published files; those of which one is missing are left out, as are others' of the same names. */
export async function find_published(
  folder: string,
  experiments: readonly Publisher[],
  others: readonly string[] = [],
): Promise<{ experiment: Publisher; files: Record<string, unknown> }[]> {
  const names = new Set(
    await readdir(folder).catch((error) => Promise.reject(file_error(error, folder, 'a readable folder'))),
  );
  const found = [];
  for (const experiment of experiments) {
    const files: Record<string, unknown> = {};
    for (const [file, schema] of Object.entries(experiment.schemas)) {
      if (!names.has(`${file}.json`) || others.includes(file)) continue;
      const path = join(folder, `${file}.json`);
      const value = await read_json(path, `results of ${experiment.name}`, 'restore it');
      if (experiments.some((other) => other !== experiment && publishes(other, file, value))) continue;
      files[file] = checked_file(schema, value, path);
    }
    const missing = Object.keys(experiment.schemas).filter((file) => !(file in files));
    if (missing.length === Object.keys(experiment.schemas).length) continue;
    if (missing.length > 0) {
      throw new InputError(
        `${folder}: expected all files of ${experiment.name}, found no ${missing.join('.json, ')}.json; restore it`,
      );
    }
    found.push({ experiment, files });
  }
  return found;
}

const id_of = (schema: z.ZodType): string =>
  String((schema as unknown as { shape: { schema: { value: string } } }).shape.schema.value);

/** Two experiments may publish a file of one name: its schema says whose it is. */
function publishes({ schemas }: Publisher, file: string, value: unknown): boolean {
  const found = schema_of(value);
  const schema = schemas[file];
  return schema !== undefined && typeof found === 'string' && found.split('/')[0] === id_of(schema).split('/')[0];
}

/** A published file, also one of an earlier number that today's shape still fits. */
function checked_file(schema: z.ZodType, value: unknown, path: string): unknown {
  const found = schema_of(value);
  const ours = id_of(schema);
  const [name, number] = ours.split('/') as [string, string];
  const older =
    typeof found === 'string' && found.startsWith(`${name}/`) && Number(found.slice(name.length + 1)) < Number(number);
  return checked(schema, older ? { ...(value as object), schema: ours } : value, path, ours, 'choose another');
}
