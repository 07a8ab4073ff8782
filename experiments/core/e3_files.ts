import { z } from 'zod';
import { curve_schema, learning_curve, transfer_curve, untested_schema } from '../estimator/curves.ts';
import { type Coefficients, fit_estimator, folds_of, prior_of } from '../estimator/estimator.ts';
import { both_of, cross_validated, knob_groups, PHASES, scores_of, scores_schema } from '../estimator/evaluate.ts';
import { type Example, examples_of } from '../estimator/example.ts';
import {
  coverage_of,
  coverage_schema,
  guardrail,
  guardrail_shape,
  type HeldOut,
  held_out,
} from '../estimator/held_out.ts';
import { METHODS, methods_on } from '../estimator/methods.ts';
import {
  adapter_of,
  estimator_in,
  known_in,
  label_of,
  model_shape,
  same_probes,
  to_file,
} from '../estimator/model_file.ts';
import type { Files, Saved } from '../lab/define.ts';
import { count, finding_schema, finite, type Run, strings } from '../lab/schema.ts';
import { e3_findings } from './e3_findings.ts';

const scores_by_method = z.partialRecord(z.enum(METHODS), scores_schema);

const point_schema = z.strictObject({
  key: z.string(),
  phase: z.enum(PHASES),
  measured_ms: finite,
  predicted_ms: finite,
  low_ms: finite.nullable(),
  high_ms: finite.nullable(),
});

export const e3_shapes = {
  e3_estimator_model: model_shape,
  e3_calibration_results: {
    samples: count,
    /** Of ten folds drawn by chance, each predicted by what was fitted on the others. */
    held_out: scores_by_method,
    /** All cells of one level of a knob at a time, predicted by what was fitted on its other levels. */
    held_out_levels: z.array(z.strictObject({ knob: z.string(), levels: strings, scores: scores_by_method })),
    /** As held out by folds. */
    points: z.array(point_schema),
    coverage: z.array(coverage_schema),
    findings: z.array(finding_schema),
  },
  e3_transfer_curves: {
    curves: z.array(curve_schema),
    not_tested: z.array(untested_schema),
    /** What other adapters taught, brought to this one. */
    adapters: z.array(
      z.strictObject({
        from: z.string(),
        /** Else another model on this one. */
        other_adapter: z.boolean(),
        samples: count,
        curves: z.array(curve_schema),
        not_tested: z.array(untested_schema),
      }),
    ),
  },
  e3_guardrail_analysis: guardrail_shape,
};
export type E3Files = Files<typeof e3_shapes>;

/** Fewer samples are no fit worth judging. */
const LEAST_SAMPLES = 10;

export function derive_e3({ run, configurations, others: kept }: Saved) {
  const { samples, unused } = examples_of(configurations);
  const others = others_of(kept, run);
  const roof = run.ceilings;
  const prior = prior_of(others.map(({ prior: own }) => own));
  const enough = roof !== null && samples.length >= LEAST_SAMPLES;
  const estimator = roof !== null && samples.length > 0 ? fit_estimator(samples, roof, prior) : null;
  const held = enough ? held_out(samples, roof, prior) : [];
  const { estimator: _, ...rivals } = methods_on(roof ?? NO_ROOF, prior);
  const { fold_of } = folds_of(samples.length);
  const judged = (groups: readonly (string | number)[], methods: Parameters<typeof cross_validated>[2]) =>
    Object.fromEntries(
      Object.entries(cross_validated(samples, groups, methods)).map(([name, pairs]) => [name, scores_of(pairs)]),
    );
  const transfer_curves = enough ? learning_curve(samples, roof, prior) : { curves: [], not_tested: [] };
  const adapters = enough
    ? others.map(({ from, other_adapter, samples: theirs, prior: own }) => ({
        ...{ from, other_adapter, samples: theirs.length },
        ...transfer_curve(samples, roof, { samples: theirs, prior: own }),
      }))
    : [];
  const calibration = {
    samples: samples.length,
    held_out: enough ? { estimator: scores_of(held), ...judged(fold_of, rivals) } : {},
    held_out_levels: enough
      ? knob_groups(samples).map(({ knob, levels }) => ({
          ...{ knob, levels: [...new Set(levels)] },
          scores: judged(levels, methods_on(roof, prior)),
        }))
      : [],
    points: points_of(held),
    coverage: coverage_of(held),
  };
  const guard = guardrail(held);
  const findings = e3_findings({
    ...calibration,
    ...transfer_curves,
    adapters,
    guard: guard.rows,
    least: LEAST_SAMPLES,
  });
  return {
    e3_estimator_model: {
      estimator: to_file(estimator, samples),
      drawn_towards: others.map(({ from }) => from),
      samples,
      unused,
    },
    e3_calibration_results: { ...calibration, findings },
    e3_transfer_curves: { ...transfer_curves, adapters },
    e3_guardrail_analysis: guard,
  };
}

const NO_ROOF = { fma_f32_flops: 1, stream_read_bytes: 1, dispatch_ms: 1, readback_ms: 1 };

interface Other {
  readonly from: string;
  readonly other_adapter: boolean;
  readonly samples: readonly Example[];
  readonly prior: Coefficients;
}

/**
 * Of other adapters, or of another model on this one; this very one's earlier results are nothing to learn from, nor is what
 * other probes measured.
 */
function others_of(kept: unknown, { fingerprint, ceilings }: Run): Other[] {
  const here = fingerprint.provenance;
  return known_in(kept).flatMap((known) => {
    const { file } = known;
    const estimator = estimator_in(file);
    const from = label_of(file.provenance);
    if (!same_probes(known, ceilings)) return [];
    if (estimator === null || file.samples.length === 0 || from === label_of(here)) return [];
    const other_adapter = adapter_of(file.provenance) !== adapter_of(here);
    return [{ from, other_adapter, samples: file.samples, prior: estimator.full.stages }];
  });
}

const points_of = (held: readonly HeldOut[]): z.infer<typeof point_schema>[] =>
  held.flatMap((one) =>
    PHASES.flatMap((phase) => {
      const both = both_of(one, phase);
      if (both === null) return [];
      const by = phase === 'decode_per_token' ? one.sample.steps : 1;
      const [low, high] = one.intervals[phase === 'decode_per_token' ? 'decode' : phase] ?? [null, null];
      return [
        {
          key: one.sample.key,
          phase,
          measured_ms: both.measured,
          predicted_ms: both.predicted,
          low_ms: low === null ? null : low / by,
          high_ms: high === null ? null : high / by,
        },
      ];
    }),
  );
