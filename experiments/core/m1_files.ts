import { z } from 'zod';
import { contrast, contrast_schema, drawn_of } from '../lab/contrast.ts';
import type { Files, Saved } from '../lab/define.ts';
import { scaled_statistics_of, scaled_statistics_schema, statistics_of, statistics_schema } from '../lab/derive.ts';
import { not_tested, stage_dominates } from '../lab/findings.ts';
import {
  by_stage,
  type Configuration,
  count,
  type Finding,
  finding_schema,
  finite,
  flops_schema,
  STAGES,
  type StageName,
  sample_schema,
  stage_schema,
  strings,
  summary_schema,
  token_counts_schema,
} from '../lab/schema.ts';
import { percentile, summarise } from '../lab/stats.ts';
import { largest_stage, scaled_of, shares_of, stage_ms, sum, times_of } from '../lab/typical.ts';

export const WORKLOADS = ['qa', 'captions'] as const;
export type Workload = (typeof WORKLOADS)[number];
export const KNOBS = ['crops', 'top-k', 'blocks', 'new-tokens'] as const;
export type M1Knob = (typeof KNOBS)[number];

/** The length of a workload that knobs are tried at: the middle one, the upper of two. */
export const representative = (lengths: readonly number[]): number => {
  const ascending = [...lengths].sort((a, b) => a - b);
  return ascending[Math.floor(ascending.length / 2)] as number;
};

const row_schema = z.strictObject({
  key: z.string(),
  workload: z.enum(WORKLOADS),
  halved: z.enum(['nothing', ...KNOBS]),
  ...token_counts_schema.shape,
  statistics: statistics_schema,
  scaled: scaled_statistics_schema,
  samples: z.array(sample_schema),
  /** Of the sum of the stages' medians. */
  shares: by_stage(finite),
  largest_stage: stage_schema,
  flops: flops_schema,
  accuracy: finite.nullable(),
  warnings: strings,
});
export type WorkloadRow = z.infer<typeof row_schema>;

export const m1_shapes = {
  m1_workload_contrast: {
    workloads: z.array(
      z.strictObject({
        workload: z.enum(WORKLOADS),
        /** New tokens; each length counts equally often in `latency`. */
        lengths: z.array(count),
        representative: count,
        latency: summary_schema,
        /** Of the time of all lengths together. */
        shares: by_stage(finite),
      }),
    ),
    configurations: z.array(row_schema),
    /** Of the cell with a knob at half, over the same with the knob as it is; of total latency. */
    sensitivity: z.array(
      z.strictObject({
        workload: z.enum(WORKLOADS),
        knob: z.enum(KNOBS),
        from: count,
        to: count,
        /** Which times: those of the whole model, or, where one of the two cells has none, as measured on the slice. */
        basis: z.enum(['whole', 'measured']),
        ms: z.tuple([finite, finite]),
        percent_change: contrast_schema,
      }),
    ),
    findings: z.array(finding_schema),
  },
};
export type M1File = Files<typeof m1_shapes>['m1_workload_contrast'];

export function derive_m1({ configurations }: Saved) {
  const usual = (workload: Workload) =>
    configurations.filter(({ settings }) => settings.workload === workload && settings.halved === 'nothing');
  const sensitivity = WORKLOADS.flatMap((workload) => sensitivity_of(configurations, workload, usual(workload)));
  return {
    m1_workload_contrast: {
      workloads: WORKLOADS.flatMap((workload) => summary_of(workload, usual(workload))),
      configurations: configurations.map(row_of),
      sensitivity,
      findings: [
        before_first_token(usual('qa')),
        stage_dominates('Long answers are decode-heavy', 'decode', usual('captions'), 'a long answer'),
        different_knobs(sensitivity),
        not_tested(
          'The two workloads have different best settings',
          'quality was not measured: this is the side of latency alone',
        ),
      ],
    },
  };
}

function row_of(one: Configuration): WorkloadRow {
  return {
    key: one.key,
    workload: one.settings.workload as Workload,
    halved: one.settings.halved as WorkloadRow['halved'],
    ...one.tokens,
    statistics: statistics_of(one),
    scaled: scaled_statistics_of(one),
    samples: one.clean.samples,
    shares: shares_of(one),
    largest_stage: largest_stage(one),
    flops: one.flops,
    accuracy: null,
    warnings: one.warnings,
  };
}

function summary_of(workload: Workload, cells: readonly Configuration[]): M1File['workloads'] {
  const latency = summarise(cells.flatMap((one) => times_of(one, 'T_total')));
  if (latency === null) return [];
  const lengths = cells.map(({ tokens }) => tokens.num_output_tokens);
  return [{ workload, lengths, representative: representative(lengths), latency, shares: shares_together(cells) }];
}

/** Of the stages' medians, summed over the cells. */
function shares_together(cells: readonly Configuration[]): M1File['workloads'][number]['shares'] {
  const of = (stage: StageName) => sum(cells.map((one) => stage_ms(one, stage) ?? 0));
  const ran = STAGES.filter((stage) => cells.some((one) => stage_ms(one, stage) !== undefined));
  const all = sum(ran.map(of));
  return Object.fromEntries(ran.map((stage) => [stage, all > 0 ? of(stage) / all : 0]));
}

function sensitivity_of(
  all: readonly Configuration[],
  workload: Workload,
  usual: readonly Configuration[],
): M1File['sensitivity'] {
  const length = usual.length > 0 ? representative(usual.map(({ tokens }) => tokens.num_output_tokens)) : 0;
  const base = usual.find(({ tokens }) => tokens.num_output_tokens === length);
  const turned = all.filter(({ settings }) => settings.workload === workload && settings.halved !== 'nothing');
  return turned.flatMap((one) => {
    if (base === undefined) return [];
    const whole = scaled_of(one) !== null && scaled_of(base) !== null;
    const runs = (cell: Configuration) =>
      whole ? times_of(cell, 'T_total') : cell.clean.samples.map(({ T_total }) => T_total);
    const pair = [runs(base), runs(one)] as const;
    if (pair.some((times) => times.length === 0 || times.some((ms) => ms <= 0))) return [];
    const { halved, from, to } = one.settings;
    return [
      {
        workload,
        knob: halved as M1Knob,
        from: Number(from),
        to: Number(to),
        basis: whole || base.scaled === null ? ('whole' as const) : ('measured' as const),
        ms: pair.map((times) => percentile(times, 50)) as [number, number],
        percent_change: contrast(pair.map(drawn_of), (usual_ms = 1, halved_ms = 1) => 100 * (halved_ms / usual_ms - 1)),
      },
    ];
  });
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

function before_first_token(cells: readonly Configuration[]): Finding {
  const expectation = 'Short answers are prefill-heavy';
  const shares = cells.map((one) => 1 - (shares_of(one).decode ?? 0));
  if (shares.length === 0) return not_tested(expectation, 'no configuration has a short answer');
  const most = shares.filter((share) => share > 0.5).length;
  const ends = [...new Set([Math.min(...shares), Math.max(...shares)].map(percent))].join(' to ');
  return {
    expectation,
    outcome: most === shares.length ? 'confirmed' : 'refuted',
    because: `encoder, projector and prefill take more than half in ${most} of ${shares.length} configurations with a short answer: ${ends} of the time`,
  };
}

function different_knobs(rows: M1File['sensitivity']): Finding {
  const expectation = 'The knob that helps most is another one for short answers than for long ones';
  const [short, long] = WORKLOADS.map((workload) => rows.filter((row) => row.workload === workload));
  const shared = KNOBS.filter((knob) => [short, long].every((some) => some?.some((row) => row.knob === knob)));
  if (shared.length < 2) return not_tested(expectation, 'fewer than two knobs were halved for both');
  const best = [short, long].map((some = []) =>
    some
      .filter(({ knob }) => shared.includes(knob))
      .reduce((a, b) => (b.percent_change.value < a.percent_change.value ? b : a)),
  );
  if (best.some(({ percent_change: { ci95 } }) => ci95 === null)) {
    return not_tested(expectation, 'an interval needs 6 runs a cell');
  }
  if (best.some(({ percent_change: { ci95 } }) => ci95 !== null && ci95[1] >= 0)) {
    return not_tested(expectation, 'no knob is sure to lower the latency of both');
  }
  const said = best.map(
    ({ workload, knob, percent_change: { value } }) => `${workload} by halving ${knob} (${value.toFixed(1)} %)`,
  );
  return {
    expectation,
    outcome: best[0]?.knob === best[1]?.knob ? 'refuted' : 'confirmed',
    because: `of ${shared.length} knobs the latency falls most for ${said.join(' and for ')}`,
  };
}
