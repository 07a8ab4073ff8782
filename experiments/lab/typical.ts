import { type Configuration, type FitRecord, PARTS, type PartName, STAGES, type StageName } from './schema.ts';
import { linear_fit, percentile } from './stats.ts';
import { STAGE_TIME } from './times.ts';

export const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Median of the plain runs; undefined where a request has no such stage. */
export function stage_ms(configuration: Configuration, stage: StageName): number | undefined {
  const values = configuration.clean.samples.flatMap((sample) => sample[STAGE_TIME[stage]] ?? []);
  const ran = stage !== 'decode' || configuration.tokens.decode_steps > 0;
  return ran && values.length > 0 ? percentile(values, 50) : undefined;
}

export const stages_that_ran = (configuration: Configuration): StageName[] =>
  STAGES.filter((stage) => stage_ms(configuration, stage) !== undefined);

export const largest = <K extends string>(sizes: readonly (readonly [K, number])[]): K =>
  sizes.reduce((a, b) => (b[1] > a[1] ? b : a))[0];

export const largest_stage = (configuration: Configuration): StageName =>
  largest(stages_that_ran(configuration).map((stage) => [stage, stage_ms(configuration, stage) as number]));

/** GPU time of the parts of a stage, mean over the instrumented runs; largest first. */
export function parts_of(configuration: Configuration, stage: StageName): [PartName, number][] {
  const runs = configuration.instrumented?.runs ?? [];
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
