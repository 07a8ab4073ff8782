import { readdir, rm } from 'node:fs/promises';
import { dirname, join, posix, resolve } from 'node:path';
import type { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { append_text, file_error, make_folders, write_atomic } from '../../engine/node/files.ts';
import { first_issue } from './checked.ts';
import { differences, digest_of, some_of } from './fingerprint.ts';
import { take_lock } from './lock.ts';
import {
  CONFIGURATIONS,
  check_inner_folders,
  FAILED_FILE,
  has_own_head,
  is_own_name,
  is_removable,
  LIST_FILE,
  OTHERS_FILE,
  PLAN_FILE,
  RUN_FILE,
  read_own_text,
} from './own_files.ts';
import {
  configuration_files,
  DELETE_ONE,
  in_order,
  others_in,
  read_configuration,
  read_failures,
  read_plan,
  read_run,
} from './read.ts';
import {
  type Ceilings,
  type Configuration,
  configuration_schema,
  failed_schema,
  type PlanRecord,
  plan_schema,
  type Run,
  run_schema,
  type Skipped,
} from './schema.ts';

export { read_results } from './read.ts';

export interface ResultsOptions {
  readonly experiment: string;
  readonly fingerprint: Run['fingerprint'];
  readonly plan: Omit<PlanRecord, 'schema' | 'experiment'>;
  readonly ceilings: Ceilings | null;
  /** Results of other runs that this one is held against; undefined: those it was last held against. */
  readonly others?: unknown;
  readonly started?: string;
  /** Removes what was written here before. */
  readonly fresh?: boolean;
}

/** A folder of results, held by this process alone. */
export interface Results {
  readonly run: Run;
  readonly folder: string;
  /** By key, in the order they were measured. */
  finished(): ReadonlyMap<string, Configuration>;
  /** The cell of this key if it asked the same; one that asked something else is an error. */
  finished_cell(key: string, asked: string): Configuration | undefined;
  /** Whether a file of this name was written here. */
  has(name: string): boolean;
  /** Of the plan that the folder was last opened with, and cells that could not run after all. */
  readonly skipped: readonly Skipped[];
  readonly options: PlanRecord['options'];
  readonly others: unknown;
  readonly command: readonly string[] | null;
  /** Cells that were tried and could not be measured; one that was measured since is none of them. */
  failed(): readonly Skipped[];
  fail(cell: Skipped): void;
  /** Writes which they are, where that has changed. */
  keep_failed(): Promise<void>;
  save(configuration: Configuration): Promise<void>;
  /** Name relative to the folder; gives back the path. */
  write(name: string, data: string | Uint8Array): Promise<string>;
  write_json<T>(name: string, schema: z.ZodType<T>, value: T): Promise<string>;
  close(): Promise<void>;
}

export async function open_results(folder: string, options: ResultsOptions): Promise<Results> {
  await make_folder(folder);
  const lock = await take_lock(folder);
  try {
    await check_inner_folders(folder);
    const listed = await read_list(folder);
    await remove_leftovers(folder, listed);
    if (options.fresh) await remove_written(folder, listed);
    const run = (await saved_run(folder, listed, options)) ?? (await start_run(folder, listed, options));
    const { experiment, plan } = options;
    const kept: PlanRecord = { schema: 'molmoe.plan/1', experiment, ...plan };
    const finished = await finished_in(folder, run, listed);
    const failed = await read_failed(folder);
    await write_plan(folder, listed, kept);
    const others = await kept_others(folder, listed, options.others);
    return results_of({ folder, run, listed, finished, plan: kept, others, failed, close: lock.release });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The results of an earlier run, to draw and report them again; whichever build made them. */
export async function reopen_results(folder: string): Promise<Results> {
  const run = await read_run(folder, 'restore it or measure anew');
  if (run === undefined) {
    throw new InputError(`${folder}: expected results, found no ${RUN_FILE} in it; name the folder that --out named`);
  }
  const lock = await take_lock(folder);
  try {
    await check_inner_folders(folder);
    const listed = await read_list(folder);
    const plan = (await read_plan(folder, 'delete it: it only says what was asked for')) ?? NO_PLAN;
    const finished = await finished_in(folder, run, listed);
    const failed = await read_failed(folder);
    const others = await kept_others(folder, listed, undefined);
    return results_of({ folder, run, listed, finished, plan, others, failed, close: lock.release });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Others that a command names take the place of those that are kept. */
async function kept_others(folder: string, listed: Set<string>, named: unknown): Promise<unknown> {
  if (named === undefined) return others_in(folder, 'delete it, and run the command that names them again');
  await write_listed(folder, listed, OTHERS_FILE, `${JSON.stringify({ schema: 'molmoe.others/1', others: named })}\n`);
  return named;
}

/** Of results older than plans. */
const NO_PLAN = { skipped: [], options: {} };

interface Held {
  readonly folder: string;
  readonly run: Run;
  readonly listed: Set<string>;
  readonly finished: Map<string, Configuration>;
  readonly plan: Pick<PlanRecord, 'skipped' | 'options' | 'command'>;
  readonly others: unknown;
  /** By key, as the folder says it. */
  readonly failed: Map<string, Skipped>;
  readonly close: () => Promise<void>;
}

function results_of({ folder, run, listed, finished, plan, others, failed, close }: Held): Results {
  const write = (name: string, data: string | Uint8Array) => write_listed(folder, listed, name, data);
  const still_failed = () => [...failed.values()].filter(({ key }) => !finished.has(key));
  let kept = failed.size;
  return {
    run,
    folder,
    finished: () => finished,
    finished_cell: (key, asked) => {
      const saved = finished.get(key);
      if (saved === undefined || saved.asked === asked) return saved;
      throw new InputError(
        `${folder}: ${key} was measured with another picture, prompt, length or knobs than this command asks; choose another --out, or --fresh to measure anew`,
      );
    },
    has: (name) => listed.has(name),
    skipped: plan.skipped,
    options: plan.options,
    others,
    command: plan.command ?? null,
    failed: still_failed,
    fail: (cell) => {
      failed.set(cell.key, cell);
      kept = -1;
    },
    keep_failed: async () => {
      const cells = still_failed();
      if (cells.length === kept) return;
      const value = { schema: 'molmoe.failed/1' as const, experiment: run.experiment, cells };
      await write(FAILED_FILE, `${JSON.stringify(valid_or_fault(failed_schema, value, FAILED_FILE), null, 2)}\n`);
      kept = cells.length;
    },
    save: async (configuration) => {
      const valid = valid_or_fault(configuration_schema, configuration, configuration.key);
      if (valid.run !== run.run || valid.experiment !== run.experiment) {
        throw new Error(`${valid.key}: of run ${valid.run}, saved into run ${run.run}`);
      }
      await write(`${CONFIGURATIONS}/${valid.key}.json`, `${JSON.stringify(valid)}\n`);
      finished.set(valid.key, valid);
    },
    write,
    write_json: async (name, schema, value) => write(name, `${published_text(valid_or_fault(schema, value, name))}\n`),
    close,
  };
}

/** Its schema first, by which a file is known as ours: left alone, JavaScript puts keys such as "8" before all others. */
function published_text(value: unknown): string {
  const { schema, ...rest } = value as { readonly schema: string };
  return `{\n  "schema": ${JSON.stringify(schema)},${JSON.stringify(rest, null, 2).slice(1)}`;
}

async function read_failed(folder: string): Promise<Map<string, Skipped>> {
  const { cells = [] } = (await read_failures(folder, 'delete it: what failed is tried again')) ?? {};
  return new Map(cells.map((cell) => [cell.key, cell]));
}

/** Our own results break our own schema: no input can mend that. */
function valid_or_fault<T>(schema: z.ZodType<T>, value: T, name: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Error(`${name}: a result that breaks its schema: ${first_issue(result.error)}`);
}

const write_plan = (folder: string, listed: Set<string>, plan: PlanRecord): Promise<string> =>
  write_listed(folder, listed, PLAN_FILE, `${JSON.stringify(valid_or_fault(plan_schema, plan, PLAN_FILE))}\n`);

/** What --out names. */
export async function make_folder(folder: string): Promise<void> {
  try {
    await make_folders(resolve(folder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new InputError(`${folder}: expected a folder for results, found a file; choose another --out`);
    }
    throw file_error(error, folder, 'a folder for results');
  }
}

/** The run that the folder holds, if it is this one; undefined in a new folder. */
async function saved_run(
  folder: string,
  listed: ReadonlySet<string>,
  { experiment, fingerprint }: ResultsOptions,
): Promise<Run | undefined> {
  const ours = await is_ours(folder, listed, RUN_FILE, 'molmoe.run/');
  const saved = await read_run(folder, ours ? 'restore it or use --fresh' : 'choose another --out');
  if (saved === undefined) return undefined;
  const run = digest_of(fingerprint);
  if (saved.experiment === experiment && saved.run === run) return saved;
  const others = differences({ experiment: saved.experiment, ...saved.fingerprint }, { experiment, ...fingerprint });
  const shown = some_of(others.length > 0 ? others : differences({ run: saved.run }, { run }));
  throw new InputError(
    `${folder}: expected results of a run like this one, found others: ${shown}; --fresh starts anew, or choose another --out`,
  );
}

async function start_run(folder: string, listed: Set<string>, options: ResultsOptions): Promise<Run> {
  const { experiment, fingerprint, ceilings, started = new Date().toISOString() } = options;
  const run: Run = { schema: 'molmoe.run/1', experiment, fingerprint, run: digest_of(fingerprint), started, ceilings };
  const valid = valid_or_fault(run_schema, run, RUN_FILE);
  await write_listed(folder, listed, RUN_FILE, `${JSON.stringify(valid, null, 2)}\n`);
  return valid;
}

async function finished_in(folder: string, run: Run, listed: ReadonlySet<string>): Promise<Map<string, Configuration>> {
  const configurations: Configuration[] = [];
  for (const name of await configuration_files(folder)) {
    const ours = await is_ours(folder, listed, `${CONFIGURATIONS}/${name}`, 'molmoe.configuration/');
    const remedy = ours ? DELETE_ONE : 'move it elsewhere';
    configurations.push(await read_configuration(folder, name, { ...run, remedy }));
  }
  return new Map(in_order(configurations).map((one) => [one.key, one]));
}

/** Written here, or a file of the lab that came from another folder; not somebody's own. */
const is_ours = async (folder: string, listed: ReadonlySet<string>, name: string, schema: string): Promise<boolean> =>
  listed.has(name) || (await has_own_head(folder, name, schema));

/** Listed before it is written: a run that is killed leaves nothing that the list lacks. */
async function write_listed(
  folder: string,
  listed: Set<string>,
  name: string,
  data: string | Uint8Array,
): Promise<string> {
  if (!is_own_name(name)) throw new Error(`${name}: not a name of a file in a results folder`);
  const path = join(folder, name);
  await check_inner_folders(folder);
  try {
    await make_folders(resolve(dirname(path)));
    // The line end comes first: a line that a full disk cut short does not run into the next.
    if (!listed.has(name)) await append_text(join(folder, LIST_FILE), `\n${name}`);
  } catch (error) {
    throw file_error(error, path, 'a file that can be written');
  }
  listed.add(name);
  await write_atomic(path, data);
  return path;
}

/** Names that no lab writes are passed over: the list may have been edited. */
async function read_list(folder: string): Promise<Set<string>> {
  const path = join(folder, LIST_FILE);
  try {
    return new Set((await read_own_text(path, 'delete it')).split('\n').filter(is_own_name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
    throw file_error(error, path, 'a readable list of files');
  }
}

/** run.json goes last: a removal that was interrupted leaves a folder that still says whose it is. */
async function remove_written(folder: string, listed: Set<string>): Promise<void> {
  const removed: string[] = [];
  for (const name of listed) if (name !== RUN_FILE && (await is_removable(folder, name))) removed.push(name);
  for (const file of await configuration_files(folder)) {
    const name = `${CONFIGURATIONS}/${file}`;
    const copied = !listed.has(name) && is_own_name(name);
    if (copied && (await has_own_head(folder, name, 'molmoe.configuration/'))) removed.push(name);
  }
  if (await is_ours(folder, listed, RUN_FILE, 'molmoe.run/')) removed.push(RUN_FILE);
  for (const name of [...removed, LIST_FILE]) await remove(join(folder, name));
  listed.clear();
}

/** What killed runs left: files half written, claims on locks. Only the holder of the lock may do this. */
async function remove_leftovers(folder: string, listed: ReadonlySet<string>): Promise<void> {
  for (const inner of new Set(['.', ...[...listed].map((name) => posix.dirname(name))])) {
    for (const name of await names_in(join(folder, inner))) {
      const whole = name.replace(/\.\d+-[0-9a-f]{8}\.tmp$/, '');
      const half_written = whole !== name && listed.has(posix.join(inner, whole));
      if (half_written || (inner === '.' && /^lock(\.[0-9a-f-]+\.json|.*\.\d+-[0-9a-f]{8}\.tmp)$/.test(name))) {
        await remove(join(folder, inner, name));
      }
    }
  }
}

async function names_in(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw file_error(error, folder, 'a readable folder');
  }
}

export async function remove(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw file_error(error, path, 'a file that can be removed');
  }
}

/** A file that is no part of one run: an index over several, or figures drawn from published files. */
export async function write_beside(folder: string, name: string, data: string | Uint8Array): Promise<string> {
  await make_folder(folder);
  await check_inner_folders(folder);
  const path = join(folder, name);
  await make_folder(dirname(path));
  await write_atomic(path, data);
  return path;
}
