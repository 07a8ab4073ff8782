import { join, resolve } from 'node:path';
import { open_model } from '../../engine/node/load.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import { configuration_files } from '../../experiments/lab/read.ts';
import { make_folder } from '../../experiments/lab/record.ts';
import { build } from '../build.ts';
import { be_quiet, bold, note, out, progress, warn } from '../print.ts';
import { EXPERIMENTS } from '../registry.ts';
import { type Children, children } from './children.ts';
import { duration } from './dry_run.ts';
import { type AdapterFlags, answering, load_options, type ModelFlags, wants_answers } from './flags.ts';
import { write_index } from './report.ts';
import { chosen } from './run_choice.ts';
import { hold_adapter, hold_folder } from './runner_lock.ts';
import { table_text } from './show.ts';

export interface RunFlags extends AdapterFlags, ModelFlags {
  readonly without?: readonly string[];
  readonly quick?: boolean;
  readonly dryRun?: boolean;
  readonly fresh?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly out: string;
}

/** What the dry run of an experiment says; null where it says nothing. */
interface Outlook {
  readonly cells: number;
  readonly open: number;
  readonly runs: number;
  readonly skipped: number;
  /** null: not known before the ceilings of the adapter are. */
  readonly about_ms: number | null;
  readonly peak_bytes: number;
}

/** Of a dry run's JSON, what is read of it. */
type Counted = { readonly measured: boolean; readonly runs: number };
type Estimate = { readonly total_ms: number } | null;

interface Planned {
  readonly experiment: Experiment;
  readonly folder: string;
  readonly outlook: Outlook | null;
  readonly error?: string | undefined;
  /** The whole dry run, for --json. */
  readonly report?: unknown;
}

interface Done {
  readonly name: string;
  readonly state: 'done' | 'resumed' | 'failed' | 'interrupted' | 'not run';
  /** Cells that the folder holds, and how many of them this run measured. */
  readonly cells: number;
  readonly measured: number;
  readonly minutes: number;
  readonly error: string | null;
  readonly result: unknown;
}

interface Runner {
  readonly flags: RunFlags;
  /** What of the command line an experiment is given. */
  readonly passed: (name: string) => readonly string[];
  readonly pool: Children;
}

/**
 * Experiments one after the other, each in a process of its own: what fails or is killed takes none of the others with it.
 * Each resumes by itself, so does the whole.
 */
export async function run_experiments(
  words: readonly string[],
  flags: RunFlags,
  passed: Runner['passed'],
  debug: boolean,
): Promise<number> {
  if (flags.quiet) be_quiet();
  const experiments = chosen(words, flags.without ?? [], EXPERIMENTS);
  // What no experiment could use (a model, an adapter) is refused once, here.
  const only_answers = experiments.every(wants_answers);
  const model = await open_model(load_options(only_answers ? answering(flags) : flags, debug));
  await model.close();
  const locks = flags.dryRun ? [] : [await lock_folder(flags.out)];
  const pool = children();
  try {
    if (!flags.dryRun) locks.push(await hold_adapter(model));
    const runner = { flags, passed, pool };
    const { facts } = model.executor.device;
    const head = {
      ...build,
      adapter: facts.description || facts.device,
      model: model.facts.name,
      out: resolve(flags.out),
    };
    const planned = await foresee(experiments, runner);
    pool.signal.throwIfAborted();
    if (flags.dryRun) return tell_plan(planned, head, flags);
    const done = await run_all(planned, runner);
    const index = await write_index(flags.out).catch((error: Error) => warn(`no index: ${error.message}`));
    tell_done(done, head, flags, index ?? null);
    pool.signal.throwIfAborted();
    return done.some(({ state }) => state === 'failed') ? 1 : 0;
  } finally {
    pool.end();
    for (const lock of locks) await lock.release();
  }
}

async function lock_folder(folder: string): Promise<{ release: () => Promise<void> }> {
  await make_folder(folder);
  return hold_folder(folder);
}

/** Exact counts of every experiment, by its own dry run. */
async function foresee(experiments: readonly Experiment[], runner: Runner): Promise<Planned[]> {
  const bar = progress('counting what is to run');
  const planned: Planned[] = [];
  for (const experiment of experiments) {
    if (runner.pool.signal.aborted) break;
    planned.push(await foresee_one(experiment, runner));
    bar.update(planned.length, experiments.length);
  }
  bar.end();
  return planned;
}

/** What reads others' results runs nothing, and these may only come with this run. */
const READS: Outlook = { cells: 0, open: 0, runs: 0, skipped: 0, about_ms: 0, peak_bytes: 0 };
const reads_of = ({ reads }: Experiment): string[] => Object.values(reads).map((source) => source.experiment);

async function foresee_one(experiment: Experiment, { flags, passed, pool }: Runner): Promise<Planned> {
  const folder = join(flags.out, experiment.group, experiment.name);
  if (reads_of(experiment).length > 0) return { experiment, folder, outlook: READS };
  const fresh = flags.fresh ? ['--fresh'] : [];
  const args = [
    experiment.name,
    ...passed(experiment.name),
    ...fresh,
    '--dry-run',
    '--json',
    '--quiet',
    '--out',
    folder,
  ];
  const { stdout, error } = await pool.run(args, { stdout: 'keep', stderr: 'drop' });
  const report = parsed(stdout) as {
    cells: Counted[];
    skipped: [];
    estimate: Estimate;
    peak_memory_bytes: number;
  } | null;
  if (error !== undefined || report === null) return { experiment, folder, outlook: null, error };
  const open = report.cells.filter(({ measured }) => !measured);
  const outlook: Outlook = {
    cells: report.cells.length,
    open: open.length,
    runs: open.reduce((sum, { runs }) => sum + runs, 0),
    skipped: report.skipped.length,
    about_ms: experiment.instrument.runs ? (report.estimate?.total_ms ?? null) : 0,
    peak_bytes: report.peak_memory_bytes,
  };
  return { experiment, folder, outlook, report };
}

async function run_all(planned: readonly Planned[], runner: Runner): Promise<Done[]> {
  const done: Done[] = [];
  const spent = { estimated_ms: 0, ms: 0 };
  let plans = [...planned];
  for (const i of planned.keys()) {
    const { experiment, outlook } = plans[i] as Planned;
    if (runner.pool.signal.aborted) {
      done.push({ name: experiment.name, state: 'not run', ...NOTHING });
      continue;
    }
    note(`\n${bold(`${i + 1} of ${plans.length}  ${experiment.name}`)}  ${left_text(plans.slice(i), spent)}`);
    const one = await run_one(plans[i] as Planned, runner);
    done.push(one);
    if (outlook?.about_ms && one.state !== 'failed') {
      spent.estimated_ms += outlook.about_ms + BESIDE_MS;
      spent.ms += 60_000 * one.minutes;
    }
    // The first run of an adapter measures its ceilings: from then on times can be told.
    const unknown = plans.slice(i + 1).some((plan) => plan.outlook?.about_ms === null);
    if (unknown && experiment.instrument.runs && one.state !== 'failed') {
      const rest = await foresee(
        plans.slice(i + 1).map((plan) => plan.experiment),
        runner,
      );
      plans = [...plans.slice(0, i + 1), ...rest, ...plans.slice(i + 1 + rest.length)];
    }
  }
  return done;
}

const NOTHING = { cells: 0, measured: 0, minutes: 0, error: null, result: null };

async function run_one({ experiment, folder }: Planned, { flags, passed, pool }: Runner): Promise<Done> {
  const { name } = experiment;
  const own = [flags.fresh && '--fresh', flags.quiet && '--quiet', flags.json && '--json'].filter(
    (one) => one,
  ) as string[];
  const cells = async () => (await configuration_files(folder).catch(() => [])).length;
  const before = flags.fresh ? 0 : await cells();
  const began = performance.now();
  const ended = await pool.run([name, ...passed(name), ...own, '--out', folder], {
    stdout: flags.json ? 'keep' : 'show',
    stderr: 'show',
  });
  const after = await cells();
  const failed = pool.signal.aborted ? 'interrupted' : 'failed';
  return {
    name,
    state: ended.error !== undefined ? failed : before > 0 ? 'resumed' : 'done',
    cells: after,
    measured: Math.max(0, after - before),
    minutes: (performance.now() - began) / 60_000,
    error: ended.error ?? null,
    result: flags.json ? parsed(ended.stdout) : null,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Loading a model and drawing figures, about, which no dry run counts. */
const BESIDE_MS = 10_000;

/** Estimates, corrected by how those of the experiments before came out. */
function left_text(plans: readonly Planned[], spent: { readonly estimated_ms: number; readonly ms: number }): string {
  const known = plans.flatMap(({ outlook }) => outlook?.about_ms ?? []);
  if (known.length === 0)
    return 'time not known before the ceilings of this adapter are measured, which the first run does';
  const factor = spent.estimated_ms > 0 ? spent.ms / spent.estimated_ms : 1;
  const unknown = plans.length - known.length;
  const ms = factor * known.reduce((sum, one) => sum + one + BESIDE_MS, 0);
  return `about ${duration(ms)} left${unknown > 0 ? `, and ${unknown} of unknown length` : ''}`;
}

type Head = Readonly<Record<string, string | boolean>>;
const text = (name: string) => ({ name, unit: 'text' as const });
const counted = (name: string) => ({ name, unit: 'count' as const });

function tell_plan(planned: readonly Planned[], head: Head, { json }: RunFlags): number {
  const failed = planned.some(({ error }) => error !== undefined);
  if (json) {
    const experiments = planned.map(({ experiment: { name, group }, folder, outlook, error, report }) => ({
      ...{ name, group, folder: resolve(folder), ...outlook },
      error: error ?? null,
      report: report ?? null,
    }));
    out(`${JSON.stringify({ schema: 'molmoe.run_plan/1', ...head, experiments })}\n`);
    return failed ? 1 : 0;
  }
  const rows = planned.map(({ experiment, outlook, error }) => [
    experiment.name,
    experiment.group,
    outlook?.cells ?? null,
    outlook?.open ?? null,
    outlook?.runs ?? null,
    outlook === null || outlook.about_ms === null ? null : duration(outlook.about_ms),
    outlook?.peak_bytes ?? null,
    error ?? note_of(experiment, outlook),
  ]);
  const columns = [
    ...[text('experiment'), text('group'), counted('cells'), counted('to run'), counted('runs'), text('about')],
    ...[{ name: 'GPU memory', unit: 'bytes' as const }, text('notes')],
  ];
  out(`${table_text({ title: `what would run, in this order, on ${head.model}`, columns, rows })}\n`);
  out(`\n${left_text(planned, { estimated_ms: 0, ms: 0 })}; molmoe NAME --dry-run tells of each cell\n`);
  return failed ? 1 : 0;
}

function note_of(experiment: Experiment, outlook: Outlook | null): string | null {
  const sources = reads_of(experiment);
  if (sources.length > 0) return `reads results of ${sources.join(' and ')}`;
  return outlook?.skipped ? `${outlook.skipped} cells skipped` : null;
}

function tell_done(done: readonly Done[], head: Head, { json, quick }: RunFlags, index: string | null): void {
  const minutes = done.reduce((sum, one) => sum + one.minutes, 0);
  if (json) {
    out(
      `${JSON.stringify({ schema: 'molmoe.run_summary/1', ...head, quick: quick === true, minutes, experiments: done, index })}\n`,
    );
    return;
  }
  const rows = done.map((one) => [
    one.name,
    one.state,
    one.cells,
    one.measured,
    Number(one.minutes.toFixed(1)),
    one.error === null || one.state === 'interrupted' ? null : one.error.replace(/^error: /, ''),
  ]);
  const columns = [
    ...[text('experiment'), text('state'), counted('cells'), counted('measured now')],
    ...[{ name: 'minutes', unit: 'number' as const }, text('why')],
  ];
  out(`\n${table_text({ title: `${done.length} experiments, ${duration(60_000 * minutes)}`, columns, rows })}\n`);
  if (done.some(({ state }) => state !== 'done' && state !== 'resumed')) {
    note('the same command goes on from here: what is measured stays');
  }
  if (index !== null) note(`${bold('index')}    ${resolve(index)}`);
}
