import { InputError } from '../../engine/errors.ts';
import { differences, some_of } from './fingerprint.ts';
import { random_numbers } from './random.ts';
import type { SavedResults } from './read.ts';
import type { Configuration, Run, Sample } from './schema.ts';
import { mann_whitney } from './significance.ts';
import { interval95, percentile, resample } from './stats.ts';

const TIMES = ['T_vision_encoder', 'T_projector', 'T_LLM_prefill', 'T_LLM_decode', 'T_total'] as const;

/** When a ratio counts: said wherever it is used. */
export const RULE = 'significant: the 95 % interval of the ratio leaves out 1 and Mann-Whitney gives p < 0.05';

export interface StageRatio {
  readonly stage: (typeof TIMES)[number];
  readonly a_ms: number;
  readonly b_ms: number;
  /** B's median over A's. */
  readonly ratio: number;
  /** Bootstrap over both sides; null with a single run on either. */
  readonly ratio_ci95: readonly [number, number] | null;
  readonly p: number;
  readonly significant: boolean;
}

export interface Comparison {
  /** What A and B differ in beside the program. */
  readonly warnings: readonly string[];
  readonly configurations: readonly { readonly key: string; readonly stages: readonly StageRatio[] }[];
  readonly only_a: readonly string[];
  readonly only_b: readonly string[];
}

export function compare_results(a: SavedResults, b: SavedResults): Comparison {
  const in_b = new Map(b.configurations.map((one) => [one.key, one]));
  const in_a = new Set(a.configurations.map((one) => one.key));
  const configurations = a.configurations.flatMap((one) => {
    const other = in_b.get(one.key);
    return other ? [{ key: one.key, stages: stage_ratios(one, other) }] : [];
  });
  if (configurations.length === 0) {
    const keys = (of: SavedResults) => some_of(of.configurations.map((one) => one.key));
    throw new InputError(
      `expected a configuration that both have, found ${keys(a)} in A and ${keys(b)} in B; compare runs of one experiment`,
    );
  }
  return {
    warnings: a.run && b.run ? unlike(a.run.fingerprint, b.run.fingerprint) : [],
    configurations,
    only_a: [...in_a].filter((key) => !in_b.has(key)),
    only_b: [...in_b.keys()].filter((key) => !in_a.has(key)),
  };
}

function stage_ratios(a: Configuration, b: Configuration): StageRatio[] {
  return TIMES.flatMap((stage) => {
    const [x, y] = [times(a, stage), times(b, stage)];
    return x.length > 0 && y.length > 0 ? [{ stage, ...ratio_of(x, y) }] : [];
  });
}

/** None where the stage did not run: no picture, or no decode step. */
const times = (configuration: Configuration, stage: keyof Sample): number[] =>
  configuration.clean.samples.map((sample) => sample[stage] as number | null).filter((ms): ms is number => !!ms);

export function ratio_of(a: readonly number[], b: readonly number[]): Omit<StageRatio, 'stage'> {
  const [a_ms, b_ms] = [percentile(a, 50), percentile(b, 50)];
  const p = mann_whitney(a, b);
  const ratio_ci95 = a.length > 1 && b.length > 1 ? ratio_interval(a, b) : null;
  const leaves_out_1 = ratio_ci95 !== null && (ratio_ci95[0] > 1 || ratio_ci95[1] < 1);
  return { a_ms, b_ms, ratio: b_ms / a_ms, ratio_ci95, p, significant: leaves_out_1 && p < 0.05 };
}

function ratio_interval(a: readonly number[], b: readonly number[]): [number, number] {
  const random = random_numbers(1);
  const [of_a, of_b] = [resample(a, random).medians, resample(b, random).medians];
  return interval95(of_b.map((median, i) => median / (of_a[i] as number)));
}

/** A comparison is of programs: all else should be the same, and is said where it is not. */
function unlike(a: Run['fingerprint'], b: Run['fingerprint']): string[] {
  const lines: string[] = [];
  const say = (verb: string, of: (run: Run['fingerprint']) => string) => {
    if (of(a) !== of(b)) lines.push(`A ${verb} ${of(a)}, B ${verb} ${of(b)}`);
  };
  say('ran on', ({ provenance: { adapter, backend } }) => `${adapter.description || adapter.device} (${backend})`);
  say('ran', ({ provenance: { model } }) => `${model.name} (${model.weights}) stored as ${model.dtype}`);
  say('ran in', ({ provenance: { mode, variant } }) => `${mode} mode with ${variant} kernels`);
  say('had', ({ provenance: { host } }) => `a host with ${host.cores} x ${host.cpu}`);
  const rest = ({ protocol, knobs }: Run['fingerprint']) => ({ protocol, knobs });
  const others = differences(rest(a), rest(b));
  if (others.length > 0) lines.push(`A and B were measured differently: ${some_of(others)}`);
  return lines;
}
