import { z } from 'zod';
import { ratio_of } from '../lab/compare.ts';
import { not_tested } from '../lab/findings.ts';
import { outcome_within } from '../lab/judge.ts';
import {
  type Configuration,
  type CountsRecord,
  count,
  type Finding,
  finite,
  type Sample,
  type StageName,
} from '../lab/schema.ts';
import { basis_samples, scaled_of, sum, times_of } from '../lab/typical.ts';
import { interval_name } from '../lab/words.ts';

/** What eight experts cost over one, stage by stage: in FLOPs, in bytes, and in time. Each is held against its own kind. */

const KINDS = ['experts_in_prefill', 'prefill', 'whole_forward', 'experts_in_decode', 'decode_step'] as const;
type Kind = (typeof KINDS)[number];

export const ratio_schema = z.strictObject({
  of: z.enum(KINDS),
  clock: z.string(),
  /** Exact. Bytes: each weight, input, output and cache entry once. */
  flops_ratio: finite.nullable(),
  bytes_ratio: finite.nullable(),
  /** Of medians; null where a side was not timed. */
  ratio: finite.nullable(),
  ratio_ci95: z.tuple([finite, finite]).nullable(),
  n: z.tuple([count, count]),
  /** Which of the two the ratio of medians meets, to 10 %. */
  follows: z.enum(['flops', 'bytes', 'both', 'neither']).nullable(),
});
export type WorkRatio = z.infer<typeof ratio_schema>;

/** Percent within which a ratio of times counts as one of work. */
const MEETS = 10;
const WALL = 'host wall time between fences';

type Counts = Pick<CountsRecord, 'flops' | 'weight_bytes' | 'read_bytes' | 'written_bytes' | 'kv_bytes'>;

const STAGES_OF: Readonly<Record<Kind, readonly StageName[]>> = {
  experts_in_prefill: ['prefill'],
  prefill: ['prefill'],
  whole_forward: ['vision_encoder', 'projector', 'prefill'],
  experts_in_decode: ['decode'],
  decode_step: ['decode'],
};
const of_experts = (kind: Kind): boolean => kind.startsWith('experts');

/** Exact counts; of experts those of the stamped kernels, which on a slice of a model are in the same ratio as the whole's. */
function work_of(one: Configuration, kind: Kind): readonly Counts[] {
  const stages = STAGES_OF[kind];
  if (!of_experts(kind)) return stages.flatMap((stage) => (scaled_of(one) ?? one).counters[stage] ?? []);
  const kernels = one.instrumented?.kernels ?? [];
  return kernels.filter(({ stage, part }) => stages.includes(stage) && part === 'moe_experts');
}

/** The vision stages and prefill of each run. */
export const forward_times = (samples: readonly Sample[]): number[] =>
  samples.flatMap(({ T_vision_total, T_LLM_prefill }) =>
    T_LLM_prefill === null ? [] : [(T_vision_total ?? 0) + T_LLM_prefill],
  );

function times(one: Configuration, kind: Kind): number[] {
  if (kind === 'prefill') return times_of(one, 'T_LLM_prefill');
  if (kind === 'decode_step') return times_of(one, 'T_decode_per_token');
  if (kind === 'whole_forward') return forward_times(basis_samples(one));
  const is_own = (row: { stage: StageName; part: string }) =>
    STAGES_OF[kind].includes(row.stage) && row.part === 'moe_experts';
  const runs = (one.instrumented?.runs ?? []).map(({ parts }) => sum(parts.filter(is_own).map(({ gpu_ms }) => gpu_ms)));
  return runs.filter((ms) => ms > 0);
}

const bytes_of = (row: Counts): number => row.weight_bytes + row.read_bytes + row.written_bytes + row.kv_bytes;

const meets = (ratio: number | null, work: number | null): boolean =>
  ratio !== null && work !== null && Math.abs(ratio / work - 1) <= MEETS / 100;

export function work_ratios(one: Configuration, more: Configuration): WorkRatio[] {
  return KINDS.map((of) => {
    const grown = (amount: (row: Counts) => number): number | null => {
      const [from, to] = [one, more].map((each) => sum(work_of(each, of).map(amount))) as [number, number];
      return from > 0 && to > 0 ? to / from : null;
    };
    const [flops_ratio, bytes_ratio] = [grown((row) => row.flops), grown(bytes_of)];
    const [before, after] = [times(one, of), times(more, of)];
    const timed = before.length > 0 && after.length > 0 ? ratio_of(before, after) : null;
    const ratio = timed?.ratio ?? null;
    const [by_flops, by_bytes] = [meets(ratio, flops_ratio), meets(ratio, bytes_ratio)];
    return {
      of,
      clock: of_experts(of) ? (one.instrumented?.clock ?? 'not stamped') : WALL,
      ...{ flops_ratio, bytes_ratio, ratio },
      ratio_ci95: timed?.ratio_ci95 ? [timed.ratio_ci95[0], timed.ratio_ci95[1]] : null,
      n: [before.length, after.length],
      follows: ratio === null ? null : by_flops ? (by_bytes ? 'both' : 'flops') : by_bytes ? 'bytes' : 'neither',
    };
  });
}

const times_as = (ratio: number | null): string => (ratio === null ? 'unknown' : ratio.toFixed(2));

function told({ ratio, ratio_ci95, flops_ratio, bytes_ratio, n }: WorkRatio): string {
  const ends = ratio_ci95?.map((x) => x.toFixed(2)).join(' to ');
  const range = ends === undefined ? '' : ` (${interval_name(Math.min(...n))} ${ends})`;
  return `${times_as(ratio)} times as long${range}, ${times_as(flops_ratio)} times the FLOPs, ${times_as(bytes_ratio)} times the bytes; n = ${n.join(' and ')}`;
}

/**
 * With eight experts instead of one a stage takes as many times as long as it has more of this work. Decided only where
 * all of the interval says the same.
 */
export function goes_with(
  expectation: string,
  ratios: readonly WorkRatio[],
  of: WorkRatio['of'],
  work: 'flops' | 'bytes',
): Finding {
  const row = ratios.find((each) => each.of === of);
  const wanted = (work === 'flops' ? row?.flops_ratio : row?.bytes_ratio) ?? null;
  if (row === undefined || row.ratio === null || wanted === null) {
    return not_tested(expectation, 'one expert, or eight, was not timed');
  }
  if (row.ratio_ci95 === null) return not_tested(expectation, `${told(row)}: a single run has no spread; measure more`);
  const [low, high] = row.ratio_ci95;
  const bounds = { least: wanted * (1 - MEETS / 100), most: wanted * (1 + MEETS / 100) };
  const outcome = outcome_within({ low, high }, bounds);
  const rule = `(goes with its ${work === 'flops' ? 'FLOPs' : 'bytes'}: within ${MEETS} %)`;
  const open = outcome === 'not tested' ? ': the runs do not decide; measure more, on a quiet machine' : '';
  return { expectation, outcome, because: `${told(row)} ${rule}${open}` };
}

/** The study's verdict: a whole forward that grows by less than 1.5 is not bound by compute. */
const STUDY_THRESHOLD = 1.5;

export function threshold_tells(expectation: string, ratios: readonly WorkRatio[]): Finding {
  const flops = ratios.find(({ of }) => of === 'whole_forward')?.flops_ratio ?? null;
  if (flops === null) return not_tested(expectation, 'one expert, or eight, was not counted');
  if (flops >= STUDY_THRESHOLD) {
    return not_tested(expectation, `here the FLOPs of a forward grow by ${flops.toFixed(2)}, above the threshold`);
  }
  return {
    expectation,
    outcome: 'refuted',
    because: `its FLOPs grow by ${flops.toFixed(2)} (exact), since the vision encoder stays: bound by nothing but compute it would be under ${STUDY_THRESHOLD} too`,
  };
}
