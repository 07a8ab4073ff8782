import {
  type Configuration,
  type FitRecord,
  PARTS,
  type PartName,
  type Sample,
  type Scaled,
  STAGES,
  type StageName,
} from './schema.ts';
import { linear_fit, percentile } from './stats.ts';
import { STAGE_TIME, type TimeName } from './times.ts';

export const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
export const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);

/** Times of the whole model, where the cell was measured on a slice of one. */
export const scaled_of = ({ scaled }: Configuration): Scaled | null =>
  scaled !== null && 'samples' in scaled ? scaled : null;

/** What findings, figures and shares rest on: the plain runs, or, measured on a slice, what they mean for the whole model. */
export const basis_samples = (configuration: Configuration): readonly Sample[] =>
  scaled_of(configuration)?.samples ?? configuration.clean.samples;

/** Of all runs; empty where no run had such a time. */
export const times_of = (configuration: Configuration, time: TimeName): number[] =>
  basis_samples(configuration).flatMap((sample) => sample[time] ?? []);

/** Median; undefined where a request has no such stage. */
export function stage_ms(configuration: Configuration, stage: StageName): number | undefined {
  const values = times_of(configuration, STAGE_TIME[stage]);
  return values.length > 0 ? percentile(values, 50) : undefined;
}

export const stages_that_ran = (configuration: Configuration): StageName[] =>
  STAGES.filter((stage) => stage_ms(configuration, stage) !== undefined);

/** Of the sum of the stages' medians. */
export function shares_of(configuration: Configuration): Partial<Record<StageName, number>> {
  const ran = stages_that_ran(configuration);
  const all_ms = sum(ran.map((stage) => stage_ms(configuration, stage) as number));
  return Object.fromEntries(
    ran.map((stage) => [stage, all_ms > 0 ? (stage_ms(configuration, stage) as number) / all_ms : 0]),
  );
}

export const largest = <K extends string>(sizes: readonly (readonly [K, number])[]): K =>
  sizes.reduce((a, b) => (b[1] > a[1] ? b : a))[0];

export const largest_stage = (configuration: Configuration): StageName =>
  largest(stages_that_ran(configuration).map((stage) => [stage, stage_ms(configuration, stage) as number]));

/** GPU time of the parts of a stage, mean over the instrumented runs; largest first. */
export function parts_of(configuration: Configuration, stage: StageName): [PartName, number][] {
  const scaled = scaled_of(configuration);
  const runs = scaled === null ? (configuration.instrumented?.runs ?? []) : [scaled];
  const sizes = PARTS.flatMap((part): [PartName, number][] => {
    const values = runs.flatMap((run) => run.parts.filter((row) => row.stage === stage && row.part === part));
    return values.length > 0 ? [[part, mean(values.map((row) => row.gpu_ms))]] : [];
  });
  return sizes.sort((a, b) => b[1] - a[1]);
}

/** Median latency over a count of tokens; null where that never varies. */
export function line_over(
  configurations: readonly Configuration[],
  stage: StageName,
  count: (tokens: Configuration['tokens']) => number,
): FitRecord | null {
  const points = configurations.flatMap((one): [number, number][] => {
    const ms = stage_ms(one, stage);
    return ms === undefined ? [] : [[count(one.tokens), ms]];
  });
  const x = points.map(([tokens]) => tokens);
  const y = points.map(([, ms]) => ms);
  return new Set(x).size < 2 ? null : linear_fit(x, y);
}
