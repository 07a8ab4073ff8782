import { InputError } from '../../engine/errors.ts';
import { differences, some_of } from './fingerprint.ts';
import { random_numbers } from './random.ts';
import type { SavedResults } from './read.ts';
import type { Configuration, Provenance, Run, Sample } from './schema.ts';
import { mann_whitney } from './significance.ts';
import { interval95, percentile, resample } from './stats.ts';

const COMPARED = ['T_vision_encoder', 'T_projector', 'T_LLM_prefill', 'T_LLM_decode', 'T_total'] as const;

/** When a ratio counts: said wherever it is used. */
export const RULE = 'significant: the 95 % interval of the ratio leaves out 1 and Mann-Whitney gives p < 0.05';
/** Of fewer runs a side Mann-Whitney cannot give p < 0.05, however far apart they are: 3 and 3 give 0.081. */
export const LEAST_RUNS = 4;

export interface StageRatio {
  readonly stage: (typeof COMPARED)[number];
  readonly a_ms: number;
  readonly b_ms: number;
  /** B's median over A's. */
  readonly ratio: number;
  /** Bootstrap over both sides; null with a single run on either. */
  readonly ratio_ci95: readonly [number, number] | null;
  readonly p: number;
  readonly significant: boolean;
}

export interface ComparedCell {
  readonly key: string;
  /** Timed runs of A and of B. */
  readonly runs: readonly [number, number];
  readonly stages: readonly StageRatio[];
}

/** What A has and B lacks: a whole cell, or a stage of it. */
export interface Missing {
  readonly key: string;
  readonly stage: StageRatio['stage'] | null;
}

export interface Comparison {
  /** What ran, and on what; null where a file does not say. */
  readonly provenance: { readonly a: Provenance | null; readonly b: Provenance | null };
  /** What A and B differ in beside the program, and what cannot be compared. */
  readonly warnings: readonly string[];
  readonly configurations: readonly ComparedCell[];
  readonly only_a: readonly string[];
  readonly only_b: readonly string[];
  readonly missing: readonly Missing[];
}

export function compare_results(a: SavedResults, b: SavedResults): Comparison {
  const in_b = new Map(b.configurations.map((one) => [one.key, one]));
  const in_a = new Set(a.configurations.map((one) => one.key));
  const pairs = a.configurations.flatMap((one): [Configuration, Configuration][] => {
    const other = in_b.get(one.key);
    return other ? [[one, other]] : [];
  });
  if (pairs.length === 0) {
    const keys = (of: SavedResults) => some_of(of.configurations.map((one) => one.key));
    throw new InputError(
      `expected a configuration that both have, found ${keys(a)} in A and ${keys(b)} in B; compare runs of one experiment`,
    );
  }
  const configurations = pairs.map(([one, other]) => ({
    key: one.key,
    runs: [one.clean.samples.length, other.clean.samples.length] as const,
    stages: stage_ratios(one, other),
  }));
  const only_a = [...in_a].filter((key) => !in_b.has(key));
  const missing: Missing[] = [
    ...only_a.map((key) => ({ key, stage: null })),
    ...pairs.flatMap(([one, other]) => missing_stages(one, other)),
  ];
  return {
    provenance: { a: a.run?.fingerprint.provenance ?? null, b: b.run?.fingerprint.provenance ?? null },
    warnings: [
      ...missing_lines(missing, a.configurations.length),
      ...asked_otherwise(pairs),
      ...(a.run && b.run ? unlike(a.run.fingerprint, b.run.fingerprint) : unknown_origin(a, b)),
      ...too_few(configurations),
    ],
    configurations,
    only_a,
    only_b: [...in_b.keys()].filter((key) => !in_a.has(key)),
    missing,
  };
}

const missing_stages = (a: Configuration, b: Configuration): Missing[] =>
  COMPARED.filter((stage) => times(a, stage).length > 0 && times(b, stage).length === 0).map((stage) => ({
    key: a.key,
    stage,
  }));

function missing_lines(missing: readonly Missing[], cells: number): string[] {
  const whole = missing.filter(({ stage }) => stage === null).map(({ key }) => key);
  const stages = missing.filter(({ stage }) => stage !== null).map(({ key, stage }) => `${key} ${stage}`);
  return [
    ...(whole.length > 0 ? [`${whole.length} of A's ${cells} configurations are not in B: ${some_of(whole)}`] : []),
    ...(stages.length > 0 ? [`ran in A and not in B: ${some_of(stages)}`] : []),
  ];
}

/** One key may stand for two things: a user's own prompt, or a picture of another size. */
function asked_otherwise(pairs: readonly (readonly [Configuration, Configuration])[]): string[] {
  const cells = pairs.flatMap(([a, b]) => {
    const known = a.prompt !== null && b.prompt !== null;
    const of = ({ prompt, tokens }: Configuration) => (known ? { prompt, tokens } : { tokens });
    const [first] = differences(of(a), of(b));
    return first === undefined ? [] : [`${a.key} (${first})`];
  });
  return cells.length > 0 ? [`A and B asked different things under one key: ${some_of(cells)}`] : [];
}

const unknown_origin = (a: SavedResults, b: SavedResults): string[] =>
  Object.entries({ A: a, B: b }).flatMap(([side, { run }]) =>
    run ? [] : [`${side} comes without its run.json: what it ran, and on what, is not known; name its folder`],
  );

/** The cell and side with the fewest runs, where these are too few to tell anything. */
export function fewest_runs(
  cells: readonly ComparedCell[],
): { key: string; side: 'A' | 'B'; runs: number } | undefined {
  const sides = cells
    .filter(({ stages }) => stages.length > 0)
    .flatMap(({ key, runs: [a, b] }) => [
      { key, side: 'A' as const, runs: a },
      { key, side: 'B' as const, runs: b },
    ]);
  const fewest = Math.min(...sides.map(({ runs }) => runs));
  return fewest < LEAST_RUNS ? sides.find(({ runs }) => runs === fewest) : undefined;
}

function too_few(cells: readonly ComparedCell[]): string[] {
  const few = fewest_runs(cells);
  if (few === undefined) return [];
  const count = `${few.runs} run${few.runs === 1 ? '' : 's'}`;
  return [
    `${few.key} has ${count} in ${few.side}: under ${LEAST_RUNS} a side no difference is significant; measure with --runs ${LEAST_RUNS} or more`,
  ];
}

function stage_ratios(a: Configuration, b: Configuration): StageRatio[] {
  return COMPARED.flatMap((stage) => {
    const [x, y] = [times(a, stage), times(b, stage)];
    return x.length > 0 && y.length > 0 ? [{ stage, ...ratio_of(x, y) }] : [];
  });
}

/** None where the stage did not run: no picture, or no decode step. */
const times = (configuration: Configuration, stage: keyof Sample): number[] =>
  configuration.clean.samples
    .map((sample) => sample[stage] as number | null)
    .filter((ms): ms is number => ms !== null && ms > 0);

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
