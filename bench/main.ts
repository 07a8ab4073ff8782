import { appendFileSync, mkdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { open_executor } from '../engine/node/load.ts';
import { bench_attention } from './attention.bench.ts';
import { bench_kernels } from './kernels.bench.ts';
import { bench_ladder } from './ladder/ladder.bench.ts';
import { bench_load } from './load.bench.ts';
import { bench_matmul } from './matmul.bench.ts';
import { bench_overhead } from './overhead.bench.ts';
import { bench_request } from './request.bench.ts';

/**
 * What each part costs on this machine. Times on shared machines are noisy: every ratio printed here comes from one run.
 *   node dist/bench.js [kernels] [matmul] [attention] [request] [load] [overhead] [ladder] [molmoe-1b] [--quick] [--filter name]
 * The last line is one JSON object; it is also appended to bench/history/<adapter>.jsonl.
 */
export interface Bench {
  readonly say: (line: string) => void;
  /** Fewer shapes. */
  readonly quick: boolean;
  /** Only kernels whose name holds this. */
  readonly filter: string | undefined;
}

const BENCHES = {
  matmul: bench_matmul,
  attention: bench_attention,
  kernels: bench_kernels,
  request: (bench: Bench) => bench_request(bench, 'molmoe-mini'),
  load: bench_load,
  overhead: bench_overhead,
  ladder: bench_ladder,
  'molmoe-1b': (bench: Bench) => bench_request(bench, 'molmoe-1b'),
};
type Name = keyof typeof BENCHES;
/** molmoe-1b needs 16 GB of memory and minutes: only when asked for. */
const BY_DEFAULT: readonly Name[] = ['matmul', 'request', 'load'];

let parsed: { values: { quick?: boolean; filter?: string }; positionals: string[] };
try {
  const options = { quick: { type: 'boolean' }, filter: { type: 'string' } } as const;
  parsed = parseArgs({ options, allowPositionals: true });
} catch (error) {
  process.stderr.write(`error: ${(error as Error).message}\n`);
  process.exit(2);
}
const wanted = parsed.positionals;
const unknown = wanted.find((name) => !Object.hasOwn(BENCHES, name));
if (unknown !== undefined) {
  process.stderr.write(`error: bench ${unknown}: expected some of ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(2);
}

const { executor } = await open_executor({ hush: true });
const { facts } = executor.device;
executor.destroy();
const results: Record<string, unknown> = {};
for (const name of wanted.length > 0 ? (wanted as Name[]) : BY_DEFAULT) {
  process.stdout.write(`== ${name}\n`);
  results[name] = await BENCHES[name]({
    say: (line) => void process.stdout.write(`${line}\n`),
    quick: parsed.values.quick === true,
    filter: parsed.values.filter,
  });
}
const record = {
  schema: 'molmoe.bench/1',
  date: new Date().toISOString(),
  version: typeof __VERSION__ === 'string' ? __VERSION__ : 'source',
  commit: typeof __COMMIT__ === 'string' ? __COMMIT__ : 'unknown',
  dirty: typeof __DIRTY__ === 'boolean' ? __DIRTY__ : true,
  adapter: facts.description || facts.device,
  host: { cpu: cpus()[0]?.model, cores: cpus().length, memory_bytes: totalmem(), node: process.version },
  results,
};
const history = join('bench', 'history');
mkdirSync(history, { recursive: true });
const file = `${record.adapter
  .replace(/[^A-Za-z0-9]+/g, '_')
  .replace(/_+$/, '')
  .toLowerCase()}.jsonl`;
appendFileSync(join(history, file), `${JSON.stringify(record)}\n`);
process.stdout.write(`${JSON.stringify(record)}\n`);
