import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InputError, UsageError } from '../engine/errors.ts';
import { open_executor } from '../engine/node/load.ts';
import { bench_accuracy } from '../tools/nano_accuracy.ts';
import { bench_sweep } from '../tools/sweep_check.ts';
import { aim_rows, say_aims } from './aims.ts';
import { bench_answers } from './answers.bench.ts';
import type { Bench } from './bench.ts';
import { bench_budget } from './budget.bench.ts';
import { bench_builds } from './builds.bench.ts';
import { bench_gpu } from './gpu.bench.ts';
import { append_history, read_all_history, record_of } from './history.ts';
import { bench_kernels } from './kernels.bench.ts';
import { bench_ladder } from './ladder/ladder.bench.ts';
import { bench_load } from './load.bench.ts';
import { bench_overhead } from './overhead.bench.ts';
import { bench_request, type RequestResult } from './request.bench.ts';
import { real_targets } from './request_targets.ts';
import { bench_slice } from './slice.bench.ts';
import { say_targets, type Target } from './target.ts';
import { bench_targets } from './targets.bench.ts';

const BENCHES = {
  kernels: bench_kernels,
  targets: bench_targets,
  request: (bench: Bench) => bench_request({ ...bench, dtype: 'f16' }, 'molmoe-mini'),
  load: bench_load,
  overhead: bench_overhead,
  ladder: bench_ladder,
  'molmoe-1b': (bench: Bench) => bench_request(bench, 'molmoe-1b'),
  gpu: bench_gpu,
  builds: bench_builds,
  slice: bench_slice,
  sweep: bench_sweep,
  answers: bench_answers,
  accuracy: bench_accuracy,
  budget: bench_budget,
};
type Name = keyof typeof BENCHES;
/** molmoe-1b and slice need 17 GB of memory and minutes, sweep, accuracy and budget minutes, gpu a GPU, builds another build: only when asked for. */
const BY_DEFAULT: readonly Name[] = ['request', 'load', 'targets', 'answers'];
/** Options that only some benches know. */
const USED_BY = {
  filter: ['kernels', 'ladder', 'slice'],
  family: ['kernels'],
  out: ['kernels', 'accuracy'],
  dtype: ['molmoe-1b', 'slice', 'accuracy'],
  rated: ['gpu'],
  before: ['builds'],
  runs: ['builds', 'slice'],
} as const satisfies Record<string, readonly Name[]>;

const HELP = `npm run bench -- [bench ...] [options]

What each part costs on this machine. Times on shared machines are noisy: compare numbers of one run.
The last line is one JSON object; but for --quick it is also appended to bench/history/<adapter>.jsonl.

benches: ${Object.keys(BENCHES).join(', ')}
         (without a name: ${BY_DEFAULT.join(', ')}; docs/speed.md tells what each measures)

  --quick           fewer and smaller sizes; nothing is kept
  --filter TEXT     only what has this in its name: kernels, ladder, slice
  --family NAME     only variants of tiled, lanes or matrix: kernels
  --out FOLDER      for tables and pictures (results/bench): kernels, accuracy
  --dtype FORMAT    how weights are stored (f16): molmoe-1b, slice, accuracy
  --rated GB/s      memory bandwidth by the data sheet: gpu
  --before FOLDER   the dist folder of another build: builds
  --runs N          turns of each (3): builds, slice
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** A number of an option, if it was given. */
function positive(name: string, text: string | undefined, example: string, whole = false): number | undefined {
  const value = text === undefined ? undefined : Number(text);
  if (value === undefined || (value > 0 && (!whole || Number.isInteger(value)))) return value;
  throw new UsageError(`--${name} ${text}: expected ${example}`);
}

function read_options() {
  const text = { type: 'string' } as const;
  const some = { filter: text, family: text, out: text, dtype: text, rated: text, before: text, runs: text };
  const flag = { type: 'boolean' } as const;
  const options = { quick: flag, help: { ...flag, short: 'h' }, ...some } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { values, positionals } = parsed;
  if (values.help === true) return undefined;
  const unknown = positionals.find((name) => !Object.hasOwn(BENCHES, name));
  if (unknown !== undefined) {
    throw new UsageError(`bench ${unknown}: expected some of ${Object.keys(BENCHES).join(', ')}`);
  }
  const names = positionals.length > 0 ? (positionals as Name[]) : BY_DEFAULT;
  for (const [option, users] of Object.entries(USED_BY)) {
    if (values[option as keyof typeof USED_BY] !== undefined && !users.some((name) => names.includes(name))) {
      throw new UsageError(`--${option}: only bench ${users.join(' and ')} knows it; name that bench too`);
    }
  }
  const families = ['tiled', 'lanes', 'matrix'];
  if (values.family !== undefined && !families.includes(values.family)) {
    throw new UsageError(`--family ${values.family}: expected one of ${families.join(', ')}`);
  }
  const bench: Bench = {
    ...{ say, quick: values.quick === true, filter: values.filter, family: values.family, before: values.before },
    rated: positive('rated', values.rated, 'GB/s by the data sheet, such as 4800'),
    runs: positive('runs', values.runs, 'how often each build has its turn, such as 3', true) ?? 3,
    out: values.out ?? join('results', 'bench'),
    dtype: values.dtype ?? 'f16',
  };
  return { names, bench };
}

async function main(): Promise<void> {
  const asked = read_options();
  if (asked === undefined) return void process.stdout.write(HELP);
  const { names, bench } = asked;
  const { executor } = await open_executor({ hush: true });
  const { facts } = executor.device;
  executor.destroy();
  const results: Partial<Record<Name, unknown>> = {};
  const targets: Target[] = [];
  for (const name of names) {
    say(`== ${name}`);
    const result = await BENCHES[name](bench);
    results[name] = result;
    if (name === 'molmoe-1b') targets.push(...real_targets(result as RequestResult));
    if ('targets' in result) targets.push(...result.targets);
  }
  if (targets.length > 0) say_targets(say, targets);
  const record = record_of(facts, results);
  // What small sizes measure is no measure of an aim.
  say_aims(say, aim_rows(bench.quick ? record_of(facts, {}) : record, read_all_history()));
  if (!bench.quick) append_history(facts, record);
  say(JSON.stringify(record));
}

// A reader that went away (| head) ends the run as its signal would; any other fault of stdout is one line.
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code !== 'EPIPE') process.stderr.write(`error: cannot write the output: ${message}\n`);
  process.exit(code === 'EPIPE' ? 141 : 1);
});

try {
  await main();
} catch (error) {
  if (!(error instanceof InputError || error instanceof UsageError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
