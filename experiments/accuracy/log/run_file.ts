import { randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../../engine/errors.ts';
import { file_error } from '../../../engine/node/files.ts';
import { counted, shown } from '../../../engine/weights/text.ts';
import { checked, first_issue } from '../../lab/checked.ts';
import { differences, digest_of, some_of } from '../../lab/fingerprint.ts';
import { RUN_FILE, read_own_text } from '../../lab/own_files.ts';
import { read_json } from '../../lab/read.ts';
import { type Grid, grid_of } from './grid.ts';
import { type AnswersRun, type AskedLine, answers_run_schema, asked_line_schema, type Fingerprint } from './schema.ts';

export const SAMPLES_FILE = 'samples.jsonl';
const NAME = answers_run_schema.shape.schema.value;

export type Asked = Omit<Fingerprint, 'configurations' | 'samples'> & {
  /** A configuration each, in the order of the summary. */
  readonly cells: readonly Pick<Fingerprint['configurations'][number], 'knobs' | 'cell'>[];
  /** Ids, in the order of the summary. */
  readonly samples: readonly string[];
};

/** What all workers of a run agree on, made by each of them from the same command. */
export function run_of({ cells, samples, ...shared }: Asked): AnswersRun {
  check_each_once(samples.map(shown), `${shared.dataset.name}: expected each sample id once`);
  const configurations = cells.map(({ knobs, cell }) => ({
    hash: configuration_hash(knobs, shared.settings),
    knobs,
    cell,
  }));
  check_each_once(
    configurations.map((one) => shown(one.knobs)),
    `${shared.experiment}: expected each configuration once`,
  );
  const fingerprint = {
    ...shared,
    configurations,
    samples: { count: samples.length, digest: digest_of(samples) },
  };
  return { schema: NAME, run: digest_of(fingerprint), fingerprint, samples: [...samples] };
}

export const configuration_hash = (knobs: object, settings: object): string => digest_of({ knobs, settings });

function check_each_once(names: readonly string[], expected: string): void {
  const seen = new Set<string>();
  const twice = new Set(names.filter((name) => seen.size === seen.add(name).size));
  if (twice.size > 0) throw new InputError(`${expected}, found ${counted([...twice], 'more than once')}`);
}

export const grid_of_run = ({ samples, fingerprint }: AnswersRun): Grid =>
  grid_of(
    samples,
    fingerprint.configurations.map(({ hash }) => hash),
  );

/** The first worker writes run.json, the others find it; each goes on only if it would have written the same. */
export async function join_run(folder: string, run: AnswersRun, asked?: readonly AskedLine[]): Promise<void> {
  const path = join(folder, RUN_FILE);
  let saved = await read_answers_run(folder);
  if (saved === undefined) {
    await create_once(path, `${JSON.stringify(run, null, 2)}\n`);
    saved = await read_answers_run(folder);
  }
  if (saved === undefined) throw new InputError(`${path}: expected what was just written, found no file; try again`);
  check_same_run(folder, saved, run, 'choose another folder, or run what this one holds');
  if (asked === undefined) return;
  await create_once(join(folder, SAMPLES_FILE), asked.map((one) => `${JSON.stringify(one)}\n`).join(''));
}

/** What was asked, in the order of the run's samples. */
export async function read_asked(folder: string, { samples }: AnswersRun): Promise<AskedLine[]> {
  const path = join(folder, SAMPLES_FILE);
  const remedy = 'restore it, or run the experiment again: it writes the file where it is missing';
  const text = await read_own_text(path).catch((error) =>
    Promise.reject(file_error(error, path, 'samples of the run')),
  );
  const lines = text.split('\n').filter((line) => line !== '');
  const asked = lines.map((line, i) => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new InputError(`${path}: line ${i + 1}: expected JSON, found a broken line; ${remedy}`);
    }
    const read = asked_line_schema.safeParse(value);
    if (!read.success) throw new InputError(`${path}: line ${i + 1}: ${first_issue(read.error)}; ${remedy}`);
    return read.data;
  });
  const other = samples.findIndex((id, i) => asked[i]?.id !== id);
  if (other >= 0 || asked.length !== samples.length) {
    throw new InputError(`${path}: expected the ${samples.length} samples of run.json, found others; ${remedy}`);
  }
  return asked;
}

/** undefined where there is none. */
export async function read_answers_run(folder: string): Promise<AnswersRun | undefined> {
  const path = join(folder, RUN_FILE);
  const remedy = 'restore it, or choose another folder';
  const value = await read_json(path, `schema ${NAME}`, remedy, true);
  if (value === undefined) return undefined;
  const run = checked(answers_run_schema, value, path, NAME, remedy);
  const { fingerprint, samples } = run;
  if (digest_of(fingerprint) !== run.run || digest_of(samples) !== fingerprint.samples.digest) {
    throw new InputError(`${path}: expected what run ${run.run} asked, found it changed; ${remedy}`);
  }
  return run;
}

/** Answers to other questions are never mixed with these. */
export function check_same_run(
  where: string,
  found: Pick<AnswersRun, 'run' | 'fingerprint'>,
  expected: Pick<AnswersRun, 'run' | 'fingerprint'>,
  remedy: string,
): void {
  if (found.run === expected.run) return;
  const others = differences(by_hash(found.fingerprint), by_hash(expected.fingerprint));
  const which = some_of(others.length > 0 ? others : [`run: ${found.run} -> ${expected.run}`]);
  throw new InputError(`${where}: expected answers of one run, found those of another: ${which}; ${remedy}`);
}

/** Configurations by their hash: so that a difference names the one that only one of the two asks. */
const by_hash = ({ configurations, ...shared }: Fingerprint): object => ({
  ...shared,
  configurations: Object.fromEntries(configurations.map(({ hash, knobs }, place) => [hash, { place, knobs }])),
});

/** The file appears with all its content, and only if it was not there: of many that try, one has written it. */
async function create_once(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await write_new(temporary, text);
    // Where the file system has no hard links, it may be seen half-written for a moment.
    await link(temporary, path).catch((error) => {
      if (error.code === 'EEXIST') throw error;
      return write_new(path, text);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw file_error(error, path, 'a file that can be written');
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

async function write_new(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
