import { z } from 'zod';
import { not_tested } from '../lab/findings.ts';
import { differences, some_of } from '../lab/fingerprint.ts';
import type { Inputs } from '../lab/reading.ts';
import { count, type Finding, finding_schema, finite, strings } from '../lab/schema.ts';
import { linear_fit, spearman } from '../lab/stats.ts';
import { short_ms } from '../lab/tables.ts';
import { mean, sum } from '../lab/typical.ts';

const numbers = { T_total: finite.nullable(), flops_total: finite, exact_flops_total: finite };
/** What is read of an entry of either file. */
const entry = z.looseObject({
  ...numbers,
  num_runs: count,
  num_vision_tokens: count,
  scaled: z.looseObject({ model: z.string(), ...numbers }).nullable(),
});
type Entry = z.infer<typeof entry>;

const source = <S extends Readonly<Record<string, z.ZodType>>>(exp: 3 | 4, topic: string, shape: S) => ({
  group: 'motivation' as const,
  experiment: `motivation-exp${exp}`,
  file: `exp${exp}_${topic}`,
  schema: `molmoe.exp${exp}.${topic}/2`,
  alias: `exp${exp}_results`,
  shape,
});
export const SOURCES = {
  exp3Results: source(3, 'vision_tokens_vs_latency', { results: z.array(entry) }),
  exp4Results: source(4, 'language_tokens_vs_latency', {
    results: z.array(entry.extend({ max_new_tokens: count, num_output_tokens: count })),
  }),
};
type Exp5Inputs = Inputs<typeof SOURCES>;

export const X_AXES = ['flops', 'tokens'] as const;

const series = {
  /** Exact, and by the study's formula. */
  flops: z.array(finite),
  flops_S1: z.array(finite),
  /** Of all runs, ms. */
  latencies: z.array(finite),
};
const statistics_schema = z.strictObject({
  n: count,
  r_squared: finite.nullable(),
  correlation: finite.nullable(),
  spearman: finite.nullable(),
  /** ms that one more TFLOP takes, and where the line begins. */
  slope: finite,
  slope_ci95: z.tuple([finite, finite]).nullable(),
  intercept: finite,
  /** All latencies over all FLOPs. */
  ms_per_tflop: finite,
});
export type FlopsStatistics = z.infer<typeof statistics_schema>;
const all_statistics = z.strictObject({
  exp3: statistics_schema.nullable(),
  exp4: statistics_schema.nullable(),
  /** Of all points together; null where the two cannot be held against each other. */
  combined: statistics_schema
    .extend({
      /** Of exp4 over exp3: what a TFLOP takes on the whole, and one more. */
      ratio: z.strictObject({ ms_per_tflop: finite, slope: finite.nullable() }),
    })
    .nullable(),
});

export const flops_latency_shape = {
  x_axis: z.enum(X_AXES),
  exp3: z.strictObject({ ...series, vision_tokens: z.array(finite) }),
  exp4: z.strictObject({ ...series, output_tokens: z.array(finite) }),
  statistics: all_statistics,
  statistics_S1: all_statistics,
  /** Model whose times these are: the one that ran, or the whole that all of its times were scaled to. */
  times_of: z.strictObject({ exp3: z.string(), exp4: z.string(), scaled: z.boolean() }),
  inputs: z.array(
    z.strictObject({
      experiment: z.string(),
      adapter: z.string(),
      model: z.string(),
      weights: z.string(),
      dtype: z.string(),
      commit: z.string(),
      started: z.string(),
      runs: count,
    }),
  ),
  /** In what the two differ so that their times cannot be held against each other; and in what else. */
  not_comparable: strings,
  differences: strings,
  findings: z.array(finding_schema),
};
export type FlopsLatencyFile = z.infer<z.ZodObject<typeof flops_latency_shape>>;

export function derive_flops_latency({ exp3Results: vision, exp4Results: language }: Exp5Inputs) {
  const scaled = [...vision.results, ...language.results].every((one) => one.scaled !== null);
  const of = (one: Entry) => (scaled && one.scaled ? one.scaled : one);
  const timed = <E extends Entry>(all: readonly E[]) => all.filter((one) => of(one).T_total !== null);
  const points = timed(vision.results);
  const lengths = timed(language.results);
  const groups = [...new Set(lengths.map((one) => one.max_new_tokens))]
    .sort((a, b) => a - b)
    .map((tokens) => lengths.filter((one) => one.max_new_tokens === tokens));
  const average = (some: typeof lengths, value: (one: (typeof lengths)[number]) => number) => mean(some.map(value));
  const exp3 = {
    flops: points.map((one) => of(one).exact_flops_total),
    flops_S1: points.map((one) => of(one).flops_total),
    latencies: points.map((one) => of(one).T_total as number),
    vision_tokens: points.map((one) => one.num_vision_tokens),
  };
  const exp4 = {
    flops: groups.map((some) => average(some, (one) => of(one).exact_flops_total)),
    flops_S1: groups.map((some) => average(some, (one) => of(one).flops_total)),
    latencies: groups.map((some) => average(some, (one) => of(one).T_total as number)),
    output_tokens: groups.map((some) => average(some, (one) => one.num_output_tokens)),
  };
  const { grave, slight } = apart(vision, language);
  const together = (by: 'flops' | 'flops_S1') => {
    const [a, b] = [exp3, exp4].map((one) => statistics_of(one[by], one.latencies)) as [Statistics, Statistics];
    const both = statistics_of([...exp3[by], ...exp4[by]], [...exp3.latencies, ...exp4.latencies]);
    const comparable = grave.length === 0 && a && b && both;
    return { exp3: a, exp4: b, combined: comparable ? { ...both, ratio: ratio_of(a, b) } : null };
  };
  const model_of = (input: Exp5Inputs[keyof Exp5Inputs]) =>
    (scaled ? input.results[0]?.scaled?.model : undefined) ?? input.provenance.model.name;
  const statistics = together('flops');
  return {
    ...{ exp3, exp4, statistics, statistics_S1: together('flops_S1') },
    times_of: { exp3: model_of(vision), exp4: model_of(language), scaled },
    inputs: [vision, language].map(about),
    not_comparable: grave,
    differences: slight,
    findings: findings_of(statistics, grave),
  };
}

type Statistics = FlopsStatistics | null;

/** null where there are not two points apart. */
function statistics_of(flops: readonly number[], latencies: readonly number[]): Statistics {
  const tflops = flops.map((value) => value / 1e12);
  if (new Set(tflops).size < 2) return null;
  const { slope, intercept, r_squared, slope_ci95, n } = linear_fit(tflops, latencies);
  const correlation = r_squared === null ? null : Math.sign(slope) * Math.sqrt(r_squared);
  const ms_per_tflop = sum(latencies) / sum(tflops);
  return {
    n,
    r_squared,
    correlation,
    spearman: spearman(tflops, latencies),
    slope,
    slope_ci95,
    intercept,
    ms_per_tflop,
  };
}

/** Slopes are compared where three points or more say that both rise. */
const ratio_of = (vision: FlopsStatistics, language: FlopsStatistics) => ({
  ms_per_tflop: language.ms_per_tflop / vision.ms_per_tflop,
  slope: [vision, language].every(({ n, slope }) => n > 2 && slope > 0) ? language.slope / vision.slope : null,
});

/** Times of other adapters, models or kernels cannot be held against each other; those of other builds can, and it is said. */
function apart(a: Exp5Inputs['exp3Results'], b: Exp5Inputs['exp4Results']): { grave: string[]; slight: string[] } {
  const grave = ({ provenance: { adapter, backend, toggles, mode, variant, model, host } }: typeof a | typeof b) => ({
    ...{ adapter, backend, toggles, mode, variant, cpu: host.cpu },
    model: [model.name, model.weights, model.weights_digest, model.dtype].filter((part) => part !== null).join(', '),
  });
  const slight = ({ provenance, protocol, knobs }: typeof a | typeof b) => {
    const { package_version, commit, dirty, build, tuning } = provenance;
    return { package_version, commit, dirty, build, tuning, runs: protocol.runs, knobs };
  };
  return { grave: differences(grave(a), grave(b)), slight: differences(slight(a), slight(b)) };
}

function about({ experiment, provenance, protocol, started }: Exp5Inputs[keyof Exp5Inputs]) {
  const { adapter, model, commit } = provenance;
  const { name, weights, dtype } = model;
  const described = adapter.description || adapter.device;
  return { experiment, adapter: described, model: name, weights, dtype, commit, started, runs: protocol.runs };
}

/** A line fits from this R squared on; FLOPs predict weakly below the other; a TFLOP costs the same within this ratio. */
const LINEAR = 0.99;
const WEAK = 0.5;
const SAME = 2;
const LEAST_POINTS = 8;

function findings_of({ exp3, exp4, combined }: z.infer<typeof all_statistics>, grave: readonly string[]): Finding[] {
  const within = 'Within one series FLOPs predict latency';
  const across = 'FLOPs do not predict latency';
  const same = 'A TFLOP takes as long in an answer as in a prompt';
  const why_not =
    grave.length > 0
      ? `the two were not measured on the same: ${some_of(grave)}`
      : 'a series has fewer than two points';
  const lines = [exp3, exp4].flatMap((one) => (one !== null && one.n > 2 ? [one] : []));
  const said = (value: number | null | undefined, digits: number) => (value ?? 0).toFixed(digits);
  return [
    lines.length < 2
      ? not_tested(within, 'a series has fewer than three points')
      : {
          expectation: within,
          outcome: lines.every(({ r_squared }) => (r_squared ?? 0) >= LINEAR) ? 'confirmed' : 'refuted',
          because: `R squared is ${said(exp3?.r_squared, 4)} over vision tokens and ${said(exp4?.r_squared, 4)} over new tokens (a line: ${LINEAR} or more); in each, FLOPs grow with one thing alone`,
        },
    combined === null
      ? not_tested(across, why_not)
      : combined.n < LEAST_POINTS
        ? not_tested(across, `it needs ${LEAST_POINTS} points, here are ${combined.n}`)
        : {
            expectation: across,
            outcome: (combined.r_squared ?? 0) < WEAK ? 'confirmed' : 'refuted',
            because: `over both series together R squared is ${said(combined.r_squared, 2)} and the rank correlation ${said(combined.spearman, 2)} (not: R squared under ${WEAK})`,
          },
    combined === null || combined.ratio.slope === null
      ? not_tested(
          same,
          combined === null ? why_not : 'three points of each are needed, and times that rise with their FLOPs',
        )
      : {
          expectation: same,
          outcome: combined.ratio.slope < SAME && combined.ratio.slope > 1 / SAME ? 'confirmed' : 'refuted',
          because: `one more TFLOP takes ${short_ms(exp3?.slope ?? 0)} in a prompt and ${short_ms(exp4?.slope ?? 0)} in an answer, ${combined.ratio.slope.toPrecision(3)} times as long (the same: within ${SAME} times)`,
        },
  ];
}
