import type { Observed } from './instruments.ts';
import type { Scaling } from './scale.ts';
import { STAGES, type StageName } from './schema.ts';
import { STAGE_TIME } from './times.ts';

/** Scaled times held against those of the whole model, measured. */
type Scaled = NonNullable<Scaling['scaled']>;

export interface ScaledRow {
  readonly request: string;
  readonly what: string;
  readonly measured: number;
  readonly scaled: number;
  /** Percent of the measured time, or points of a share. */
  readonly off: number;
}

/** Observations of one request in several rounds as one. */
export function rounds_together(rounds: readonly Observed[]): Observed {
  const last = rounds.at(-1) as Observed;
  const samples = rounds.flatMap(({ clean }) => clean.samples);
  const runs = rounds.flatMap(({ instrumented }) => instrumented?.runs ?? []);
  const instrumented = last.instrumented && { ...last.instrumented, runs };
  return { ...last, clean: { ...last.clean, samples }, instrumented };
}

/** Of every stage its time in the fastest run, since a shared host takes cores away for seconds; of stages and their parts the shares. */
export function held_against(
  request: string,
  whole: Observed,
  scaled: Scaled,
): { times: ScaledRow[]; shares: ScaledRow[] } {
  const stages = STAGES.filter((stage) => scaled.stages[stage] !== undefined);
  const fastest = (samples: Scaled['samples'], stage: StageName) =>
    Math.min(...samples.map((sample) => Number(sample[STAGE_TIME[stage]])));
  const walls = stages.map((stage) => [fastest(whole.clean.samples, stage), fastest(scaled.samples, stage)] as const);
  const times = stages.map((stage, i): ScaledRow => {
    const [measured, is_scaled] = walls[i] as (typeof walls)[number];
    return { request, what: `${stage}, ms`, measured, scaled: is_scaled, off: 100 * (is_scaled / measured - 1) };
  });
  const share_rows = (names: readonly string[], pairs: readonly (readonly [number, number])[]): ScaledRow[] => {
    const [measured_sum, scaled_sum] = [0, 1].map((i) => pairs.reduce((sum, pair) => sum + (pair[i] as number), 0));
    return names.map((what, i) => {
      const [measured_ms, scaled_ms] = pairs[i] as readonly [number, number];
      const [measured, is_scaled] = [100 * (measured_ms / (measured_sum ?? 1)), 100 * (scaled_ms / (scaled_sum ?? 1))];
      return { request, what: `${what}, %`, measured, scaled: is_scaled, off: is_scaled - measured };
    });
  };
  const runs = whole.instrumented?.runs ?? [];
  const parts = stages.flatMap((stage) => {
    const rows = scaled.parts.filter((row) => row.stage === stage);
    const of_whole = (part: string) =>
      runs
        .flatMap((run) => run.parts)
        .reduce((sum, p) => sum + (p.stage === stage && p.part === part ? p.gpu_ms : 0), 0);
    return share_rows(
      rows.map(({ part }) => `${stage} ${part}`),
      rows.map(({ part, gpu_ms }) => [of_whole(part) / runs.length, gpu_ms]),
    );
  });
  return { times, shares: [...share_rows(stages, walls), ...parts] };
}
