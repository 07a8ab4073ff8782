import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { percentile } from '../../experiments/lab/stats.ts';
import { aligned } from '../table.ts';
import { say_targets } from '../target.ts';
import type { Dtype } from './onnx.ts';
import {
  type Contender,
  difference,
  dtypes_of,
  OPERATIONS,
  type Operation,
  type Peer,
  type Rate,
  type Runner,
  rate,
  shape_of,
} from './operations.ts';
import { type Ours, open_ours } from './ours.ts';
import { peer_targets } from './targets.ts';
import { compare_torch } from './torch.ts';
import { version_of } from './version.ts';

/**
 * The engine's kernels beside what one would use instead, on one adapter, in one process, in turn.
 *   npm run bench:peers -- [--filter matmul] [--quick] [--variant auto|tiled|lanes]
 * The last line is one JSON object.
 */
const options = read_options();
/** What PyTorch is compared in. */
const REQUEST = 'whole request';
const selected = OPERATIONS.filter((c) => `${c.op} ${shape_of(c)}`.includes(options.filter));
if (selected.length === 0 && !REQUEST.includes(options.filter))
  refuse(`--filter ${options.filter}: expected a part of an operation or shape, such as matmul or 2048`);
const ROUNDS = options.quick ? 3 : 7;
/** A case that is slow somewhere gets fewer rounds than that, but no fewer than three. */
const CASE_MS = options.quick ? 1500 : 4000;
/** A run holds as many operations as fill this, so that the cost of a call weighs little. */
const RUN_MS = 60;
const MOST_REPEATS = 64;
/** Root of the mean squared difference over that of the result. */
const TOLERANCE = { f32: 1e-5, f16: 1e-2 } as const;

interface Samples {
  readonly best_ms: number;
  readonly median_ms: number;
  /** Operations a run; a sample is a run's time divided by it. */
  readonly repeats: number;
  readonly samples_ms: readonly number[];
  readonly rate: Rate;
}

interface PeerRow {
  readonly op: string;
  readonly shape: string;
  readonly dtype: Dtype;
  readonly peer: string;
  readonly ours?: Samples;
  readonly theirs?: Samples;
  /** Peer's median over ours: above 1 the engine is faster. */
  readonly ratio?: number;
  readonly difference?: number;
  /** Why there are no times. */
  readonly reason?: string;
}

interface Racer {
  readonly contender: Contender;
  readonly runner: Runner;
  readonly difference: number;
  readonly repeats: number;
  readonly samples_ms: number[];
}

function one_line(error: unknown): string {
  return String((error as Error).message ?? error)
    .replace(/\s+/g, ' ')
    .slice(0, 200);
}

function refuse(line: string): never {
  process.stderr.write(`error: ${line}\n`);
  process.exit(2);
}

function read_options() {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  try {
    const { values } = parseArgs({
      options: { filter: text(''), variant: text('auto'), quick: { type: 'boolean', default: false } },
    });
    const variant = (['auto', 'tiled', 'lanes'] as const).find((name) => name === values.variant);
    if (variant === undefined) refuse(`--variant ${values.variant}: expected auto, tiled or lanes`);
    return { ...values, variant };
  } catch (error) {
    return refuse(one_line(error));
  }
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

const clock = async (work: () => Promise<void>): Promise<number> => {
  const started = performance.now();
  await work();
  return performance.now() - started;
};

/** Warm-up, and operations a run by the time of one. */
async function prepared(contender: Contender, runner: Runner, off = 0): Promise<Racer> {
  await runner.repeat(1);
  await runner.run(); // compiles
  const one_ms = await clock(runner.run);
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.round(RUN_MS / one_ms)));
  if (repeats > 1) {
    await runner.repeat(repeats);
    await runner.run();
  }
  return { contender, runner, difference: off, repeats, samples_ms: [] };
}

async function compare(c: Operation, dtype: Dtype, ours: Ours, peers: readonly Peer[]): Promise<PeerRow[]> {
  const head = { op: c.op, shape: shape_of(c), dtype };
  const rows: PeerRow[] = [];
  const { runner: own, inputs } = ours.open(c, dtype);
  const wanted = await own.result();
  const racers = [await prepared(ours, own)];
  for (const contender of peers) {
    if (!contender.offers(c, dtype)) continue;
    let runner: Runner | undefined;
    try {
      runner = await contender.open(c, inputs, dtype);
      const off = difference(await runner.result(), wanted);
      if (!(off <= TOLERANCE[dtype])) throw new Error(`its result is off by ${off.toExponential(1)}: not timed`);
      racers.push(await prepared(contender, runner, off));
    } catch (error) {
      rows.push({ ...head, peer: contender.name, reason: one_line(error) });
      await runner?.close();
    }
  }
  const started = performance.now();
  for (let round = 0; round < ROUNDS && (round < 3 || performance.now() - started < CASE_MS); round++) {
    for (const { runner, repeats, samples_ms } of racers) samples_ms.push((await clock(runner.run)) / repeats);
  }
  const [first, ...others] = racers.map(({ repeats, samples_ms, contender }): Samples => {
    const median_ms = percentile(samples_ms, 50);
    const speed = rate(c, median_ms, contender.only_f32 ? 'f32' : dtype, contender === ours);
    return { best_ms: Math.min(...samples_ms), median_ms, repeats, samples_ms, rate: speed };
  });
  for (const [i, theirs] of others.entries()) {
    const { contender, difference: off } = racers[i + 1] as Racer;
    const ratio = theirs.median_ms / (first as Samples).median_ms;
    const peer = contender.only_f32 && dtype === 'f16' ? `${contender.name}, f32` : contender.name;
    rows.push({ ...head, peer, ours: first, theirs, ratio, difference: off });
  }
  for (const { runner } of racers) await runner.close();
  return rows;
}

const HEAD = [
  'op',
  'shape',
  'values',
  'peer',
  'ours: best, median ms',
  'peer: best, median ms',
  'peer/ours',
  'ours',
  'peer',
];
const time = (ms: number) => ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0);
const speed = ({ value, unit }: Rate) => `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`;

function columns({ op, shape, dtype, peer, ours, theirs, ratio, reason }: PeerRow): string[] {
  if (ours === undefined || theirs === undefined || ratio === undefined) return [op, shape, dtype, peer, `- ${reason}`];
  const both = (s: Samples) => `${time(s.best_ms)}, ${time(s.median_ms)}`;
  const times = [both(ours), both(theirs), `${ratio.toFixed(2)}x`];
  return [op, shape, dtype, peer, ...times, speed(ours.rate), speed(theirs.rate)];
}

const WIDTHS = [17, 19, 7, 23, 23, 23, 10, 15, 15];
const print_row = (row: readonly string[]) => say(aligned([row], WIDTHS)[0] as string);

const load_before = loadavg()[0] as number;
const ours = await open_ours(options.variant);
const only = ours.adapters === 1 ? `${ours.adapter} (the only one here; it names none)` : 'not named by its API';
const peers: Peer[] = [];
const missing: { peer: string; reason: string }[] = [];
const openers: Record<string, () => Promise<Peer[]>> = {
  onnxruntime: async () => (await import('./onnxruntime.ts')).open_onnxruntime(only),
  tfjs: async () => (await import('./tfjs.ts')).open_tfjs(ours.software),
};
for (const [peer, open] of Object.entries(openers)) {
  try {
    peers.push(...(await open()));
  } catch (error) {
    missing.push({ peer, reason: one_line(error) });
  }
}
for (const { name, version, adapter, note } of [ours, ...peers]) say(`${name} ${version} on ${adapter}: ${note}`);
for (const { peer, reason } of missing) say(`${peer}: not compared: ${reason}`);
for (const line of [
  'values: how inputs and weights are stored. At f16 the engine keeps activations and sums in f32, onnxruntime computes in',
  'halves, and a peer marked f32 has no halves and keeps the same values as f32; attention, norms and routing are f32 in the engine, and so here. (composed) and tfjs: several operations where',
  'there is no fused one. A result that differs from ours is told and not timed. Times: one operation, from handing over a',
  'run of several to knowing it is finished. Rates: what the mathematics needs, each operand once. peer/ours: medians;',
  'above 1 the engine is faster.',
]) {
  say(line);
}
if (ours.software) {
  say(
    'A software adapter: the engine has kernel variants for these (--variant tiled: those for GPUs), the peers have none.',
  );
}
print_row(HEAD);
const rows: PeerRow[] = [];
for (const c of selected) {
  for (const dtype of dtypes_of(c)) {
    for (const row of await compare(c, dtype, ours, peers)) {
      rows.push(row);
      print_row(columns(row));
    }
  }
}
const with_request = REQUEST.includes(options.filter);
const torch = with_request ? await compare_torch(say, options.quick) : undefined;
say_targets(say, peer_targets(rows));
const versions = Object.fromEntries([ours, ...peers].map(({ name, version }) => [name, version]));
say(
  JSON.stringify({
    schema: 'molmoe.peers/1',
    date: new Date().toISOString(),
    adapter: ours.adapter,
    variant: options.variant,
    host: { cpu: cpus()[0]?.model, cores: cpus().length, load_before, load_after: loadavg()[0], node: process.version },
    versions: { ...versions, dawn: `webgpu ${version_of('webgpu')}` },
    missing,
    rows,
    torch,
  }),
);
process.exit(0);
