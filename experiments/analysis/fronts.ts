import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';
import { checked_record, list_in, read_annotations } from '../datasets/local_files.ts';
import { FRONT_RULE, type LatencyMetric, pareto_front } from '../lab/pareto.ts';

export const STAGES = ['total', 'prefill', 'decode'] as const;
type Stage = (typeof STAGES)[number];

const knobs = { max_crops: z.int(), top_k: z.int(), num_active_blocks: z.int() };
const latency = z.object({ mean: z.number(), P50: z.number(), P95: z.number(), P99: z.number() });
const accuracy_schema = z.object({ ...knobs, accuracy: z.number() });
const latency_schema = z.object({
  ...knobs,
  latency_total_ms: latency,
  latency_prefill_ms: latency.nullish(),
  latency_decode_ms: latency.nullish(),
});

type Point = { readonly max_crops: number; readonly top_k: number; readonly num_active_blocks: number };

export interface FrontRow extends Point {
  readonly accuracy: number;
  /** By the metric; null where the file has none. */
  readonly ms: Readonly<Record<Stage, number | null>>;
  /** null: no time to judge by. */
  readonly on_front: Readonly<Record<Stage, boolean | null>>;
}

export interface Fronts {
  readonly rule: string;
  readonly metric: LatencyMetric;
  /** Configurations that both files have, fewest crops, experts and blocks first. */
  readonly rows: readonly FrontRow[];
  /** `10 crops, top-k 4, 12 blocks`: what only one of the files has. */
  readonly accuracy_only: readonly string[];
  readonly latency_only: readonly string[];
  /** How many are on so many of the fronts. */
  readonly on: { readonly all_three: number; readonly two: number; readonly one: number; readonly none: number };
}

export const point_name = ({ max_crops, top_k, num_active_blocks }: Point): string =>
  `${max_crops} crops, top-k ${top_k}, ${num_active_blocks} blocks`;

/** Accuracy and latency joined on the three knobs, and the fronts of total, prefill and decode time. */
export async function compare_fronts(accuracy_at: string, latency_at: string, metric: LatencyMetric): Promise<Fronts> {
  const accuracies = by_point(await read_summaries(accuracy_schema, accuracy_at, 'exp5_accuracy_results'));
  const latencies = by_point(await read_summaries(latency_schema, latency_at, 'exp6_latency'));
  const joined = [...accuracies.values()].flatMap((one) => {
    const times = latencies.get(point_name(one));
    if (times === undefined) return [];
    const ms = {
      total: times.latency_total_ms[metric],
      prefill: times.latency_prefill_ms?.[metric] ?? null,
      decode: times.latency_decode_ms?.[metric] ?? null,
    };
    return [{ ...one, ms }];
  });
  if (joined.length === 0) {
    throw new InputError(
      `${latency_at}: expected configurations of ${accuracy_at}, found none of its ${accuracies.size}; take both of one grid`,
    );
  }
  joined.sort((a, b) => a.max_crops - b.max_crops || a.top_k - b.top_k || a.num_active_blocks - b.num_active_blocks);
  const fronts = STAGES.map((stage) => {
    const timed = joined.flatMap(({ ms, accuracy }, place) => {
      const x = ms[stage];
      return x === null ? [] : [{ x, y: accuracy, place }];
    });
    return new Set(pareto_front(timed).map((i) => timed[i]?.place));
  });
  const rows = joined.map((one, place): FrontRow => {
    const on = STAGES.map((stage, i) => [stage, one.ms[stage] === null ? null : fronts[i]?.has(place)]);
    return { ...one, on_front: Object.fromEntries(on) as FrontRow['on_front'] };
  });
  const on_so_many = (count: number) =>
    rows.filter(({ on_front }) => Object.values(on_front).filter((on) => on === true).length === count).length;
  const lacking = (own: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>) =>
    [...own.keys()].filter((key) => !other.has(key));
  return {
    rule: FRONT_RULE,
    metric,
    rows,
    accuracy_only: lacking(accuracies, latencies),
    latency_only: lacking(latencies, accuracies),
    on: { all_three: on_so_many(3), two: on_so_many(2), one: on_so_many(1), none: on_so_many(0) },
  };
}

interface Read<T> {
  readonly entry: T;
  readonly where: string;
}

/** A file's `summary`; of a folder that of `<name>_results.json`, or of all the files that it has for a configuration each. */
async function read_summaries<T>(schema: z.ZodType<T>, place: string, name: string): Promise<Read<T>[]> {
  const found: Read<T>[] = [];
  for (const path of await files_of(place, name)) {
    const { value } = await read_annotations(path);
    for (const [i, entry] of list_in(value, 'summary', path).entries()) {
      const where = `${path}: summary[${i}]`;
      found.push({ entry: checked_record(schema, entry, where, "is it another experiment's file?"), where });
    }
  }
  if (found.length === 0) throw new InputError(`${place}: expected configurations in its summary, found none`);
  return found;
}

async function files_of(place: string, name: string): Promise<string[]> {
  try {
    if (!(await stat(place)).isDirectory()) return [place];
    const names = await readdir(place);
    const whole = names.find((file) => file === `${name}.json` || file === `${name}_results.json`);
    if (whole !== undefined) return [join(place, whole)];
    // A rank's own file repeats what the merged one has.
    const single = names.filter((file) => file.startsWith(`${name}_crops`) && /_blocks\d+\.json$/.test(file)).sort();
    if (single.length > 0) return single.map((file) => join(place, file));
  } catch (error) {
    throw file_error(error, place, 'a results file or folder');
  }
  throw new InputError(
    `${place}: expected ${name}.json or ${name}_crops...json, found neither; name the folder or file`,
  );
}

function by_point<T extends Point>(read: readonly Read<T>[]): Map<string, T> {
  const points = new Map<string, T>();
  for (const { entry, where } of read) {
    const key = point_name(entry);
    if (points.has(key)) throw new InputError(`${where}: expected each configuration once, found ${key} again`);
    points.set(key, entry);
  }
  return points;
}
