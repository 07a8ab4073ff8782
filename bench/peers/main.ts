import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { percentile } from '../../experiments/lab/stats.ts';
import { aim_rows, say_aims } from '../aims.ts';
import { append_history, read_all_history, read_history, record_of } from '../history.ts';
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
  version_of,
} from './operations.ts';
import { open_ours } from './ours.ts';
import { pooled, type RequestRows, request_lines, request_targets } from './request_rows.ts';
import { compare_requests, REQUEST_PEERS } from './requests.ts';
import { type Compared, peer_targets, REQUEST } from './targets.ts';

/**
 * The engine's kernels beside what one would use instead, on one adapter, in one process, in turn.
 *   npm run bench:peers -- [--filter matmul] [--quick] [--variant auto|tiled|lanes] [--runs 10]
 * The last line is one JSON object. Whole requests go into bench/history/<adapter>.jsonl too, but for --quick, and are
 * told with those of earlier runs of the same commit: a long comparison may be cut into several of few --runs.
 */
const options = read_options();
const selected = OPERATIONS.filter((c) => `${c.op} ${shape_of(c)}`.includes(options.filter));
const request_peers = REQUEST_PEERS.filter((peer) => `${REQUEST}: ${peer}`.includes(options.filter));
if (selected.length === 0 && request_peers.length === 0)
  refuse(`--filter ${options.filter}: expected a part of an operation, shape or request, such as matmul or PyTorch`);
const ROUNDS = options.quick ? 3 : 7;
/** A case that is slow somewhere gets fewer rounds than that, but no fewer than three. */
const CASE_MS = options.quick ? 1500 : 4000;
/** A run holds as many operations as fill this, so that the cost of a call weighs little. */
const RUN_MS = 60;
const MOST_REPEATS = 64;
/** Root of the mean squared difference over that of the result. */
const TOLERANCE = { f32: 1e-5, f16: 1e-2 } as const;

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
      options: {
        ...{ filter: text(''), variant: text('auto'), quick: { type: 'boolean', default: false } },
        runs: { type: 'string' },
      },
    });
    const runs = Number(values.runs ?? (values.quick ? 1 : 10));
    if (!Number.isInteger(runs) || runs < 1) refuse(`--runs ${values.runs}: expected a whole number from 1 on`);
    const variant = (['auto', 'tiled', 'lanes'] as const).find((name) => name === values.variant);
    if (variant === undefined) refuse(`--variant ${values.variant}: expected auto, tiled or lanes`);
    return { ...values, runs, variant };
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
async function prepared(contender: Contender, runner: Runner, off = 0) {
  await runner.repeat(1);
  await runner.run(); // compiles
  const one_ms = await clock(runner.run);
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.round(RUN_MS / one_ms)));
  if (repeats > 1) {
    await runner.repeat(repeats);
    await runner.run();
  }
  return { contender, runner, difference: off, repeats, samples_ms: [] as number[] };
}

/** A sample is a run's time divided by the operations in it. */
function summary(o: Operation, dtype: Dtype, { contender, repeats, samples_ms }: Awaited<ReturnType<typeof prepared>>) {
  const median_ms = percentile(samples_ms, 50);
  const speed = rate(o, median_ms, contender.only_f32 ? 'f32' : dtype, contender === ours);
  return { best_ms: Math.min(...samples_ms), median_ms, repeats, samples_ms, rate: speed };
}

interface PeerRow extends Compared {
  readonly ours?: ReturnType<typeof summary>;
  readonly theirs?: ReturnType<typeof summary>;
  readonly difference?: number;
}

async function compare(o: Operation, dtype: Dtype): Promise<PeerRow[]> {
  const head = { op: o.op, shape: shape_of(o), dtype };
  const rows: PeerRow[] = [];
  const { runner: own, inputs } = ours.open(o, dtype);
  const wanted = await own.result();
  const first = await prepared(ours, own);
  const others: (typeof first)[] = [];
  for (const contender of peers.filter((peer) => peer.offers(o, dtype))) {
    let runner: Runner | undefined;
    try {
      runner = await contender.open(o, inputs, dtype);
      const off = difference(await runner.result(), wanted);
      if (!(off <= TOLERANCE[dtype])) throw new Error(`its result is off by ${off.toExponential(1)}: not timed`);
      others.push(await prepared(contender, runner, off));
    } catch (error) {
      rows.push({ ...head, peer: contender.name, reason: one_line(error) });
      await runner?.close();
    }
  }
  const started = performance.now();
  for (let round = 0; round < ROUNDS && (round < 3 || performance.now() - started < CASE_MS); round++) {
    for (const { runner, repeats, samples_ms } of [first, ...others]) {
      samples_ms.push((await clock(runner.run)) / repeats);
    }
  }
  const own_times = summary(o, dtype, first);
  for (const racer of others) {
    const { name, only_f32 } = racer.contender;
    const theirs = summary(o, dtype, racer);
    const peer = only_f32 && dtype === 'f16' ? `${name}, f32` : name;
    const ratio = theirs.median_ms / own_times.median_ms;
    rows.push({ ...head, peer, ours: own_times, theirs, ratio, difference: racer.difference });
  }
  for (const { runner } of [first, ...others]) await runner.close();
  return rows;
}

const HEAD = ['op', 'shape', 'values', 'peer', 'ours: best, median ms', 'peer: best, median ms', 'peer/ours'];
const time = (ms: number) => ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0);
const speed = ({ value, unit }: Rate) => `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`;

function columns({ op, shape, dtype, peer, ours, theirs, ratio, reason }: PeerRow): string[] {
  if (ours === undefined || theirs === undefined || ratio === undefined) return [op, shape, dtype, peer, `- ${reason}`];
  const both = (s: NonNullable<typeof ours>) => `${time(s.best_ms)}, ${time(s.median_ms)}`;
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
say(`values: how inputs and weights are stored. At f16 the engine keeps activations and sums in f32, onnxruntime computes in
halves, and a peer marked f32 has no halves and keeps the same values as f32; attention, norms and routing are f32 in both.
(composed) and tfjs: several operations where there is no fused one. A result that differs from ours is told and not timed.
Times: one operation, from handing over a run of several to knowing it is finished. Rates: what the mathematics needs, each
operand once. peer/ours: medians; above 1 the engine is faster.`);
const SOFTWARE =
  'A software adapter: the engine has kernel variants for these (--variant tiled: those for GPUs), the peers none.';
if (ours.software) say(SOFTWARE);
print_row([...HEAD, 'ours', 'peer']);
const rows: PeerRow[] = [];
for (const [o, dtype] of selected.flatMap((o) => dtypes_of(o).map((dtype) => [o, dtype] as const))) {
  const found = await compare(o, dtype);
  rows.push(...found);
  for (const row of found) print_row(columns(row));
}
let requests: RequestRows | undefined;
const started = record_of(ours.facts, {});
if (request_peers.length > 0) {
  const is_same = (r: typeof started) => r.commit === started.commit && !r.dirty && r.host.cpu === started.host.cpu;
  const same = read_history(ours.facts).filter(is_same);
  const earlier = options.quick ? [] : same.flatMap(({ results }) => (results.peers as RequestRows) ?? []);
  const on_round = (peers: RequestRows) => {
    if (!options.quick) append_history(ours.facts, record_of(ours.facts, { peers }));
  };
  const { quick, runs } = options;
  const found = await compare_requests(say, { quick, runs, peers: request_peers, adapter: only, on_round });
  requests = pooled(found, earlier);
  for (const line of request_lines(requests)) say(line);
}
say_targets(say, peer_targets([...rows, ...(requests && !options.quick ? request_targets(requests) : [])]));
// Requests are already in the history, round by round, all later than this.
say_aims(say, aim_rows(started, read_all_history()));
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
    requests,
  }),
);
process.exit(0);
