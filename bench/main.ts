import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InputError, UsageError } from '../engine/errors.ts';
import { open_executor } from '../engine/node/load.ts';
import { bench_attention } from './attention.bench.ts';
import { bench_e1 } from './e1.bench.ts';
import { bench_gpu } from './gpu.bench.ts';
import { append_history, read_history, record_of } from './history.ts';
import { bench_kernels } from './kernels.bench.ts';
import { bench_ladder } from './ladder/ladder.bench.ts';
import { bench_load } from './load.bench.ts';
import { bench_matmul } from './matmul.bench.ts';
import { bench_overhead } from './overhead.bench.ts';
import { bench_request, type RequestResult } from './request.bench.ts';
import { mini_targets, real_targets } from './request_targets.ts';
import { bench_slice } from './slice.bench.ts';
import { say_targets, type Target } from './target.ts';
import { bench_targets } from './targets.bench.ts';

/**
 * What each part costs on this machine. Times on shared machines are noisy: every ratio printed here comes from one run.
 *   node dist/bench.js [kernels] [targets] [matmul] [attention] [request] [e1] [load] [overhead] [ladder] [molmoe-1b] [gpu] [slice]
 *     [--quick] [--filter kernel] [--out folder] [--dtype f16] [--rated GB/s]
 * The last line is one JSON object; but for --quick it is also appended to bench/history/<adapter>.jsonl.
 */
export interface Bench {
  readonly say: (line: string) => void;
  /** Fewer and smaller shapes; nothing of it goes into the history. */
  readonly quick: boolean;
  /** Only kernels, or ladders, whose name holds this. */
  readonly filter: string | undefined;
  /** Folder for pictures and tables. */
  readonly out: string;
  /** Storage format of a request's weights. */
  readonly dtype: string;
  /** Memory bandwidth by the maker's data sheet, GB/s. */
  readonly rated: number | undefined;
}

const BENCHES = {
  matmul: bench_matmul,
  attention: bench_attention,
  kernels: bench_kernels,
  targets: bench_targets,
  request: (bench: Bench) => bench_request({ ...bench, dtype: 'f16' }, 'molmoe-mini'),
  e1: bench_e1,
  load: bench_load,
  overhead: bench_overhead,
  ladder: bench_ladder,
  'molmoe-1b': (bench: Bench) => bench_request(bench, 'molmoe-1b'),
  gpu: bench_gpu,
  slice: bench_slice,
};
type Name = keyof typeof BENCHES;
/** molmoe-1b and slice need 17 GB of memory and minutes, gpu a GPU: only when asked for. */
const BY_DEFAULT: readonly Name[] = ['matmul', 'request', 'load', 'targets'];

const say = (line: string) => void process.stdout.write(`${line}\n`);

function read_options() {
  const text = { type: 'string' } as const;
  const options = { quick: { type: 'boolean' }, filter: text, out: text, dtype: text, rated: text } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { values, positionals } = parsed;
  const unknown = positionals.find((name) => !Object.hasOwn(BENCHES, name));
  if (unknown !== undefined) {
    throw new UsageError(`bench ${unknown}: expected some of ${Object.keys(BENCHES).join(', ')}`);
  }
  const names = positionals.length > 0 ? (positionals as Name[]) : BY_DEFAULT;
  const used_by: Record<'filter' | 'out' | 'dtype' | 'rated', readonly Name[]> = {
    filter: ['kernels', 'ladder'],
    out: ['kernels'],
    dtype: ['molmoe-1b', 'slice'],
    rated: ['gpu'],
  };
  for (const [option, users] of Object.entries(used_by)) {
    if (values[option as keyof typeof used_by] !== undefined && !users.some((name) => names.includes(name))) {
      throw new UsageError(`--${option}: only bench ${users.join(' and ')} knows it; name that bench too`);
    }
  }
  const rated = values.rated === undefined ? undefined : Number(values.rated);
  if (rated !== undefined && !(rated > 0)) {
    throw new UsageError(`--rated ${values.rated}: expected GB/s by the data sheet, such as 4800`);
  }
  const bench: Bench = {
    say,
    rated,
    quick: values.quick === true,
    filter: values.filter,
    out: values.out ?? join('results', 'bench'),
    dtype: values.dtype ?? 'f16',
  };
  return { names, bench };
}

async function main(): Promise<void> {
  const { names, bench } = read_options();
  const { executor } = await open_executor({ hush: true });
  const { facts } = executor.device;
  executor.destroy();
  const history = read_history(facts);
  const results: Partial<Record<Name, unknown>> = {};
  const targets: Target[] = [];
  for (const name of names) {
    say(`== ${name}`);
    const result = await BENCHES[name](bench);
    results[name] = result;
    if (name === 'request') targets.push(...mini_targets(result as RequestResult, history));
    if (name === 'molmoe-1b') targets.push(...real_targets(result as RequestResult));
    if ('targets' in result) targets.push(...result.targets);
  }
  if (targets.length > 0) say_targets(say, targets);
  const record = record_of(facts, results);
  if (!bench.quick) append_history(facts, record);
  say(JSON.stringify(record));
}

try {
  await main();
} catch (error) {
  if (!(error instanceof InputError || error instanceof UsageError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
