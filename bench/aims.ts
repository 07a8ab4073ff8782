import { percentile } from '../experiments/lab/stats.ts';
import type { bench_builds } from './builds.bench.ts';
import type { HistoryRecord } from './history.ts';
import type { bench_load } from './load.bench.ts';
import { pooled, type RequestRows, request_ratio } from './peers/request_rows.ts';
import type { RequestResult } from './request.bench.ts';
import { decode_rate, real_rates, request_ms } from './request_targets.ts';
import { aligned } from './table.ts';
import { H100_CLASS, type Target, verdict_of } from './target.ts';
import type { bench_targets } from './targets.bench.ts';

type Ended<T extends (...args: never[]) => unknown> = Awaited<ReturnType<T>>;

/** Whatever a record may hold of the benches that aims are about. */
interface Results {
  readonly builds?: Ended<typeof bench_builds>;
  readonly request?: RequestResult;
  readonly 'molmoe-1b'?: RequestResult;
  readonly load?: Ended<typeof bench_load>;
  readonly targets?: Ended<typeof bench_targets>;
  readonly gpu?: { readonly targets: readonly Target[] };
  readonly peers?: RequestRows;
}

const results_of = ({ results }: HistoryRecord): Results => results as Results;

/** What the engine was asked for as a whole, and the command that measures it. */
interface Aim extends Pick<Target, 'what' | 'unit' | 'least' | 'goal' | 'fewer'> {
  readonly command: string;
  /** The value that a record holds, if it does; `all` for what is told of several. */
  readonly of: (record: HistoryRecord, all: readonly HistoryRecord[]) => number | undefined;
  /** Adapters that it is about, the one at hand before others; by default that one alone. */
  readonly on?: RegExp;
  /** Whether a recorded value must be of a committed build. */
  readonly clean?: boolean;
}

/** Before the work on other adapters: the build that `--before` is to name. */
const BEFORE = '1fd56f2';

/** The driver that the kernels were first made on; others of its kind are to be as fast on the same cores. */
const FIRST_DRIVER = /llvmpipe.*Mesa 25\.0/;
const OTHER_DRIVER = /llvmpipe.*Mesa (?!25\.0)/;

const AIMS: readonly Aim[] = [
  {
    ...{ what: `molmoe-mini, high regime: time before (${BEFORE}) over now`, unit: 'times', least: 1.3, goal: 2 },
    command: `npm run bench -- builds --before DIST, the dist folder of ${BEFORE}`,
    of: (record) => {
      const { builds } = results_of(record);
      if (!builds?.before_commit?.startsWith(BEFORE)) return undefined;
      return percentile(
        builds.rows.map(({ ratio }) => ratio),
        50,
      );
    },
  },
  {
    ...{ what: `molmoe-mini, one request: time before (${BEFORE}) over now`, unit: 'times', least: 1.3, goal: 2 },
    command: `npm run bench -- request, in a checkout of ${BEFORE} and here`,
    of: (record, all) => {
      const is_before = ({ adapter, host, commit, date }: HistoryRecord) =>
        commit.startsWith(BEFORE) && date < record.date && adapter === record.adapter && host.cpu === record.host.cpu;
      if (record.commit.startsWith(BEFORE)) return undefined;
      const [before] = all.filter(is_before).flatMap((other) => results_of(other).request ?? []);
      const [then_ms, now_ms] = [before, results_of(record).request].map((one) => one && request_ms(one));
      return then_ms && now_ms && then_ms / now_ms;
    },
  },
  peer('PyTorch with OpenBLAS on OpenMP takes', /openblas-openmp/, 1.2, 1.6),
  peer('PyTorch with OpenBLAS on threads takes', /openblas-pthread/),
  peer('onnxruntime on WebGPU takes', /^onnxruntime/, 3, 6),
  ...['matmul 577x1024x1024 f16', 'matmul 512x2048x2048 f16', 'matvec 1x2048x2048 f16', 'matvec 1x2048x50304 f16'].map(
    (what) =>
      driver(what, 'npm run bench -- targets', ({ targets }) => {
        const { value, unit } = targets?.targets.find((target) => target.what === what) ?? {};
        const ceiling = unit?.includes('stream')
          ? targets?.ceilings.stream_read_bytes
          : targets?.ceilings.fma_f32_flops;
        return value === undefined || ceiling === undefined ? undefined : value * ceiling;
      }),
  ),
  driver('decode of molmoe-mini', 'npm run bench -- request', ({ request }) => request && decode_rate(request)),
  real('molmoe-1b q4, decode', 'tokens/s', 'tokens_per_s', { least: 6, goal: 9 }),
  real('molmoe-1b q4, prefill', 'tokens/s', 'prefill_rate', { least: 25, goal: 35 }),
  real('molmoe-1b q4, a view through the ViT', 's', 'view_s', { least: 6, goal: 5, fewer: true }),
  {
    ...{ what: 'load of 2 GB f32, share of cat', unit: '', least: 0.2, goal: 0.35 },
    command: 'npm run bench -- load',
    of: (record) => results_of(record).load?.share_of_cat,
  },
  gpu('H100 class: decode, f16, 8 tokens a sync', 'tokens/s', /decode, --flush 8/, { least: 400, goal: 800 }),
  gpu('H100 class: decode, f16, 1 token a sync', 'tokens/s', /decode, --flush 1/, { least: 250, goal: 550 }),
  gpu('H100 class: first token, 5 crops + 900 tokens', 'ms', /first token/, { least: 100, goal: 40, fewer: true }),
  gpu('H100 class: product of 4096^3 on matrix units', 'TFLOP/s', /^matmul 4096\^3 f16, matrix/, {
    least: 100,
    goal: 300,
  }),
];

/** Of all requests of one commit on one host, as the peers' bench tells them. */
function peer(what: string, name: RegExp, least?: number, goal?: number): Aim {
  return {
    ...{ what: `${what}, whole request`, unit: 'times our time', least, goal },
    command: `npm run bench:peers -- --filter ${name.source.includes('onnx') ? 'onnxruntime' : 'PyTorch'} --runs 10`,
    of: (record, all) => {
      const now = results_of(record).peers;
      if (now === undefined) return undefined;
      const alike = (other: HistoryRecord) =>
        other !== record && other.commit === record.commit && !other.dirty && other.host.cpu === record.host.cpu;
      const { rows } = pooled(
        now,
        all.filter(alike).flatMap((other) => results_of(other).peers ?? []),
      );
      const row = rows.find((each) => name.test(each.peer));
      return row && request_ratio(row);
    },
  };
}

const DAY_MS = 24 * 3600 * 1000;

/**
 * The fastest of a day on another driver over the fastest of that day on the first one, of committed builds and the one at
 * hand: a host that others use too is half as fast in one minute as in the next, whichever driver has its turn then.
 */
function driver(what: string, command: string, rate_of: (results: Results) => number | undefined): Aim {
  return {
    ...{
      what: `llvmpipe of another Mesa over 25.0's: ${what}`,
      unit: 'times the speed',
      least: 0.85,
      goal: 1,
      on: OTHER_DRIVER,
      clean: true,
    },
    command: `${command}, and tools/drivers/run.sh node dist/bench.js ${command.split(' ').at(-1)}`,
    of: (record, all) => {
      const own = rate_of(results_of(record));
      const fastest = (on: (adapter: string) => boolean, least = 0) => {
        const alike = all.filter(
          ({ adapter, host, dirty, date }) =>
            on(adapter) && host.cpu === record.host.cpu && !dirty && within_a_day(date, record.date),
        );
        return alike.flatMap((other) => rate_of(results_of(other)) ?? []).reduce((a, b) => Math.max(a, b), least);
      };
      const first = fastest((adapter) => FIRST_DRIVER.test(adapter));
      if (own === undefined || first === 0) return undefined;
      return fastest((adapter) => adapter === record.adapter, own) / first;
    },
  };
}

const within_a_day = (a: string, b: string): boolean => Math.abs(Date.parse(a) - Date.parse(b)) <= DAY_MS;

type Limits = Pick<Target, 'least' | 'goal' | 'fewer'>;

function real(what: string, unit: string, key: keyof NonNullable<ReturnType<typeof real_rates>>, limits: Limits): Aim {
  return {
    ...{ what, unit, ...limits, command: 'npm run bench -- molmoe-1b --dtype q4' },
    of: (record) => {
      const result = results_of(record)['molmoe-1b'];
      return result?.dtype === 'q4' ? real_rates(result)?.[key] : undefined;
    },
  };
}

/** The best variant family. */
function gpu(what: string, unit: string, target: RegExp, limits: Limits): Aim {
  return {
    ...{ what, unit, ...limits, command: 'npm run bench -- gpu, on an H100 or H200', on: H100_CLASS },
    of: (record) => {
      const values = (results_of(record).gpu?.targets ?? [])
        .filter((one) => target.test(one.what))
        .flatMap(({ value }) => value ?? []);
      if (values.length === 0) return undefined;
      return limits.fewer ? Math.min(...values) : Math.max(...values);
    },
  };
}

export interface AimRow extends Target {
  /** Where the value is from, or how to get one. */
  readonly from: string;
}

/**
 * Every aim with the value that was measured now, else with the newest that was recorded, said as such. `history`: of all
 * adapters, the oldest first; what it holds of this adapter from `now` on was measured now too.
 */
export function aim_rows(now: HistoryRecord, history: readonly HistoryRecord[]): AimRow[] {
  const all = [...history, now];
  const newest = all.toReversed();
  const here = newest.filter(({ adapter }) => adapter === now.adapter);
  const elsewhere = newest.filter(({ adapter }) => adapter !== now.adapter);
  const is_fresh = ({ date, adapter }: HistoryRecord) => adapter === now.adapter && date >= now.date;
  return AIMS.map(({ of, on, clean, command, ...aim }) => {
    const about = on === undefined ? here : [...here, ...elsewhere].filter(({ adapter }) => on.test(adapter));
    for (const record of about.filter((one) => !(clean && one.dirty) || is_fresh(one))) {
      const value = of(record, record.adapter === now.adapter ? all : history); // what is recorded is not mixed with new
      if (value === undefined) continue;
      const { date, commit, dirty, adapter } = record;
      const when = `recorded ${date.slice(0, 10)}, ${commit.slice(0, 7)}${dirty ? ' and changes' : ''}`;
      const where = adapter === now.adapter ? '' : `, on ${adapter}`;
      return { ...aim, value, from: is_fresh(record) ? 'measured now' : `${when}${where}` };
    }
    return { ...aim, from: command };
  });
}

/** Causes of what is missed are in docs/speed.md, under these names. */
export function say_aims(say: (line: string) => void, rows: readonly AimRow[]): void {
  say('== aims of the whole; what was not measured now is told from bench/history');
  const number = (x: number | undefined) => (x === undefined ? '-' : x.toPrecision(3));
  const lines = rows.map((row) => [
    ...[row.what, number(row.value), row.unit, row.least === undefined ? '-' : String(row.least)],
    ...[row.goal === undefined ? '-' : `${row.fewer ? '<' : ''}${row.goal}`, verdict_of(row), row.from],
  ]);
  for (const line of aligned([['aim', 'value', 'unit', 'least', 'goal', 'verdict', 'from'], ...lines])) say(line);
  const missed = rows.filter((row) => verdict_of(row) === 'MISSED').length;
  if (missed > 0) say(`${missed} missed: docs/speed.md says why`);
}
