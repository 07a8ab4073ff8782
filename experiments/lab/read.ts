import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';
import { shown } from '../../engine/weights/text.ts';
import { digest_of } from './fingerprint.ts';
import {
  type Configuration,
  configuration_schema,
  type E1Stages,
  e1_stages_schema,
  type Run,
  run_schema,
} from './schema.ts';

export const RUN_FILE = 'run.json';
export const CONFIGURATIONS = 'configurations';

export interface SavedResults {
  readonly run?: Run;
  /** In the order they were measured. */
  readonly configurations: readonly Configuration[];
}

/** A results folder, its e1_stage_latency_breakdown.json, or a single configuration. */
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
  const configurations = await Promise.all(
    (await configuration_files(folder)).map((name) =>
      read_configuration(folder, name, { ...run, remedy: 'delete it or measure anew' }),
    ),
  );
  if (configurations.length === 0) {
    throw new InputError(
      `${folder}: expected results, found no finished configuration; let the experiment run to its first`,
    );
  }
  return { run, configurations: in_order(configurations) };
}

async function read_single(path: string): Promise<SavedResults> {
  const expected = `${CONFIGURATION_NAME} or ${STAGES_NAME}`;
  const value = await read_json(path, `results (${expected})`, 'choose another');
  const found = schema_of(value);
  if (found === CONFIGURATION_NAME) {
    return { configurations: [checked(configuration_schema, value, path, CONFIGURATION_NAME, 'choose another')] };
  }
  if (found === STAGES_NAME)
    return from_stages(checked(e1_stages_schema, value, path, STAGES_NAME, 'choose another'), path);
  const remedy = newer(found, [CONFIGURATION_NAME, STAGES_NAME]) ?? 'choose another, or name its folder';
  throw new InputError(`${path}: expected schema ${expected}, found ${shown(found)}; ${remedy}`);
}

/** The published file holds the plain runs of every configuration; its instrumented runs are in another. */
function from_stages(stages: E1Stages, path: string): SavedResults {
  const { experiment, provenance, protocol, knobs, ceilings, started, ended } = stages;
  const fingerprint = { provenance, protocol, knobs };
  const run: Run = { schema: 'molmoe.run/1', experiment, fingerprint, run: digest_of(fingerprint), started, ceilings };
  const configurations = stages.configurations.map((one) => {
    const { key, regime, prompt, decode, clock, statistics, shares, largest_stage, ...rest } = one;
    const { samples, methods, flops, counters, warnings, ...tokens } = rest;
    const configuration = {
      schema: CONFIGURATION_NAME,
      experiment,
      key,
      run: run.run,
      settings: { regime, prompt, decode },
      started,
      ended,
      tokens,
      clean: { clock, samples },
      methods,
      instrumented: null,
      counters,
      flops,
      routing: null,
      warnings,
    };
    return checked(configuration_schema, configuration, `${path}, ${key}`, CONFIGURATION_NAME, 'choose another');
  });
  if (configurations.length === 0) throw new InputError(`${path}: expected results, found no finished configuration`);
  return { run, configurations };
}

export async function read_run(folder: string, remedy: string): Promise<Run | undefined> {
  const path = join(folder, RUN_FILE);
  try {
    await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw file_error(error, path, 'a readable file');
  }
  return checked(run_schema, await read_json(path, `schema ${RUN_NAME}`, remedy), path, RUN_NAME, remedy);
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
  const value = await read_json(path, `schema ${CONFIGURATION_NAME}`, remedy);
  const configuration = checked(configuration_schema, value, path, CONFIGURATION_NAME, remedy);
  for (const [what, wanted] of [
    ['experiment', expected.experiment],
    ['run', expected.run],
    ['key', name.slice(0, -'.json'.length)],
  ] as const) {
    if (configuration[what] === wanted) continue;
    throw new InputError(`${path}: expected ${what} ${shown(wanted)}, found ${shown(configuration[what])}; ${remedy}`);
  }
  return configuration;
}

export const in_order = (configurations: readonly Configuration[]): Configuration[] =>
  configurations.toSorted((a, b) => Date.parse(a.started) - Date.parse(b.started));

const CONFIGURATION_NAME = configuration_schema.shape.schema.value;
const STAGES_NAME = e1_stages_schema.shape.schema.value;
const RUN_NAME = run_schema.shape.schema.value;

async function read_json(path: string, expected: string, remedy: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw file_error(error, path, 'a readable file');
  }
  try {
    return JSON.parse(text);
  } catch {
    const found = text.trim() === '' ? 'an empty file' : 'JSON that is cut off or broken';
    throw new InputError(`${path}: expected ${expected}, found ${found}; ${remedy}`);
  }
}

const schema_of = (value: unknown): unknown => (value as { schema?: unknown } | null)?.schema;

function checked<T>(schema: z.ZodType<T>, value: unknown, path: string, name: string, remedy: string): T {
  const found = schema_of(value);
  if (found !== name) {
    throw new InputError(
      `${path}: expected schema ${name}, found ${found === undefined ? 'none' : shown(found)}; ${newer(found, [name]) ?? remedy}`,
    );
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError(`${path}: expected schema ${name}, found ${first_issue(result.error)}; ${remedy}`);
}

/** Same name, higher number: only a newer program could have written it. */
function newer(found: unknown, known: readonly string[]): string | undefined {
  const [name, number] = String(found).split('/');
  const ours = known.find((one) => one.split('/')[0] === name);
  return ours !== undefined && Number(number) > Number(ours.split('/')[1])
    ? 'a newer version wrote it: update molmoe'
    : undefined;
}

/** Where a value breaks its schema: `clean.samples[3].T_total: Invalid input: expected number, received null`. */
export function first_issue(error: z.ZodError): string {
  const { path, message } = error.issues[0] as z.core.$ZodIssue;
  const at = path.map((part, i) =>
    typeof part === 'number' ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`,
  );
  return `${at.join('')}${at.length > 0 ? ': ' : ''}${message}`.replace(/\s+/g, ' ');
}
