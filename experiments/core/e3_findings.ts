import type { z } from 'zod';
import type { CurvePoint, untested_schema } from '../estimator/curves.ts';
import { PHASES, type Scores } from '../estimator/evaluate.ts';
import type { coverage_schema, Guardrail } from '../estimator/held_out.ts';
import { MARGIN } from '../estimator/held_out.ts';
import { METHODS, type MethodName } from '../estimator/methods.ts';
import { not_tested } from '../lab/findings.ts';
import type { Finding } from '../lab/schema.ts';

/** Mean errors that are asked of an estimator: of a whole request, and of each of its phases. */
export const ASKED = { total: 0.07, phase: 0.1 } as const;
/** Fewer intervals may all hold, or miss, by chance. */
const FEW_TO_COUNT = 20;
/** As few samples as a new adapter should need. */
const FEW = 10;
/** What the study's own estimator reached (its decode latency analysis): prefill, and decode by the token. */
const PUBLISHED = { prefill: 0.0354, decode_per_token: 0.21 } as const;

interface Evidence {
  readonly samples: number;
  readonly held_out: Readonly<Partial<Record<MethodName, Scores>>>;
  readonly held_out_levels: readonly {
    readonly knob: string;
    readonly levels: readonly string[];
    readonly scores: Readonly<Partial<Record<MethodName, Scores>>>;
  }[];
  readonly coverage: readonly z.infer<typeof coverage_schema>[];
  readonly curves: readonly CurvePoint[];
  readonly not_tested: readonly z.infer<typeof untested_schema>[];
  readonly adapters: readonly {
    readonly from: string;
    readonly other_adapter: boolean;
    readonly curves: readonly CurvePoint[];
    readonly not_tested: readonly z.infer<typeof untested_schema>[];
  }[];
  readonly guard: Guardrail['rows'];
  readonly least: number;
}

export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const outcome = (holds: boolean): Finding['outcome'] => (holds ? 'confirmed' : 'refuted');

export const PHASE_NAMES: Readonly<Record<(typeof PHASES)[number], string>> = {
  vision_encoder: 'vision encoder',
  projector: 'projector',
  prefill: 'prefill',
  decode_per_token: 'decode by the token',
  total: 'total',
};

const listed = (scores: Scores, phases: readonly (typeof PHASES)[number][] = PHASES): string =>
  phases.flatMap((phase) => (scores[phase] ? [`${PHASE_NAMES[phase]} ${percent(scores[phase].MAPE)}`] : [])).join(', ');

export function e3_findings(evidence: Evidence): Finding[] {
  const { samples, least, held_out } = evidence;
  const ours = held_out.estimator;
  const why_not = `a fit wants ${least} configurations with stamped kernels, here are ${samples}`;
  return [
    reaches(
      `A request that was not measured is predicted within ${percent(ASKED.total)} in total`,
      ours,
      why_not,
      'total',
    ),
    reaches(`... and within ${percent(ASKED.phase)} in every phase`, ours, why_not, 'phase'),
    new_levels(evidence, why_not),
    few_samples(evidence),
    from_another(evidence),
    intervals(evidence, why_not),
    nearest(evidence, why_not),
    decode_as_prefill(ours, why_not),
    guards(evidence, why_not),
  ];
}

/** Mean error of the total, or of each phase. */
function reaches(expectation: string, scores: Scores | undefined, why_not: string, what: keyof typeof ASKED): Finding {
  const phases = PHASES.filter((phase) => (phase === 'total') === (what === 'total') && scores?.[phase] !== undefined);
  if (scores === undefined || phases.length === 0) return not_tested(expectation, why_not);
  const n = Math.max(...phases.map((phase) => scores[phase]?.n ?? 0));
  return {
    expectation,
    outcome: outcome(phases.every((phase) => (scores[phase]?.MAPE ?? 0) <= ASKED[what])),
    because: `mean error over ${n} configurations, each predicted without its fold of ten: ${listed(scores, phases)}`,
  };
}

function new_levels({ held_out_levels }: Evidence, why_not: string): Finding {
  const expectation = `A level of a knob that was never measured is predicted within ${percent(ASKED.total)} in total`;
  const rows = held_out_levels.flatMap(({ knob, scores }) => {
    const score = scores.estimator?.total;
    return score ? [{ knob, MAPE: score.MAPE }] : [];
  });
  if (rows.length === 0) {
    return not_tested(expectation, held_out_levels.length === 0 ? `${why_not}, or no knob has three levels` : why_not);
  }
  return {
    expectation,
    outcome: outcome(rows.every(({ MAPE }) => MAPE <= ASKED.total)),
    because: `mean error with all of a level left out, by knob: ${rows.map(({ knob, MAPE }) => `${knob} ${percent(MAPE)}`).join(', ')}`,
  };
}

const ten = (curves: readonly CurvePoint[], method: string, choice: CurvePoint['choice'] = 'D-optimal') =>
  curves.find((point) => point.N === FEW && point.method === method && point.choice === choice)?.scores;

const keeps_to = (scores: Scores): boolean =>
  PHASES.every((phase) => (scores[phase]?.MAPE ?? 0) <= (phase === 'total' ? ASKED.total : ASKED.phase));

function few_samples({ curves, not_tested: left }: Evidence): Finding {
  const expectation = `${FEW} samples are enough on an adapter that was measured here`;
  const scores = ten(curves, 'estimator');
  if (scores === undefined) {
    return not_tested(expectation, left.find(({ N }) => N === FEW)?.because ?? 'no samples');
  }
  const random = ten(curves, 'estimator', 'random')?.total;
  return {
    expectation,
    outcome: outcome(keeps_to(scores)),
    because: `mean errors with ${FEW} samples chosen by the determinant: ${listed(scores)}${random ? `; chosen by chance, total ${percent(random.MAPE)}` : ''}`,
  };
}

function from_another({ adapters }: Evidence): Finding {
  const expectation = `${FEW} samples are enough on another adapter, with what the first one taught`;
  const others = adapters.filter(({ other_adapter }) => other_adapter);
  const tested = others.flatMap(({ from, curves }) => {
    const scores = ten(curves, 'estimator');
    return scores ? [{ from, curves, scores }] : [];
  });
  if (tested.length === 0) {
    const because = others[0]?.not_tested.find(({ N }) => N === FEW)?.because;
    return not_tested(
      expectation,
      because ?? 'no results of another adapter, measured under the same probes of ceilings, were given (--with)',
    );
  }
  return {
    expectation,
    outcome: outcome(tested.every(({ scores }) => keeps_to(scores))),
    because: tested
      .map(({ from, curves, scores }) => {
        const alone = ten(curves, 'estimator alone')?.total;
        const none = curves.find(({ N, method }) => N === 0 && method === 'estimator')?.scores.total;
        return `from ${from}: ${listed(scores)} (total without any sample of here ${none ? percent(none.MAPE) : 'not known'}, without what was learnt there ${alone ? percent(alone.MAPE) : 'not known'})`;
      })
      .join('; '),
  };
}

/** Of so many that each lie inside with this chance, more would be outside than were only once in forty times. */
function too_few_inside(n: number, inside: number, level: number): boolean {
  const spread = Math.sqrt(n * level * (1 - level));
  return inside < n * level - 1.96 * spread - 0.5;
}

function intervals({ coverage }: Evidence, why_not: string): Finding {
  const expectation = 'Nine of ten requests take what their interval says';
  const total = coverage.find(({ phase }) => phase === 'total');
  if (total === undefined) return not_tested(expectation, why_not);
  if (total.n < FEW_TO_COUNT)
    return not_tested(
      expectation,
      `${FEW_TO_COUNT} intervals or more say something of their share, here are ${total.n}`,
    );
  const each = coverage.map(
    ({ phase, inside, n, mean_width }) => `${phase} ${inside} of ${n} (${percent(mean_width)} wide)`,
  );
  return {
    expectation,
    outcome: outcome(coverage.every(({ n, inside, level }) => !too_few_inside(n, inside, level))),
    because: `inside: ${each.join(', ')}; refuted where chance alone leaves so few inside once in forty times`,
  };
}

function nearest({ held_out }: Evidence, why_not: string): Finding {
  const expectation = 'On the same samples no other method is nearer in total';
  const ours = held_out.estimator?.total;
  const others = METHODS.filter((name) => name !== 'estimator').flatMap((name) => {
    const score = held_out[name]?.total;
    return score ? [{ name, MAPE: score.MAPE }] : [];
  });
  if (ours === undefined || others.length === 0) return not_tested(expectation, why_not);
  return {
    expectation,
    outcome: outcome(others.every(({ MAPE }) => MAPE >= ours.MAPE)),
    because: `mean errors of the total: estimator ${percent(ours.MAPE)}, ${others.map(({ name, MAPE }) => `${name.replace('_', ' ')} ${percent(MAPE)}`).join(', ')}`,
  };
}

function decode_as_prefill(scores: Scores | undefined, why_not: string): Finding {
  const expectation = 'Decode by the token is much harder to predict than prefill';
  const [prefill, decode] = [scores?.prefill, scores?.decode_per_token];
  if (prefill === undefined || decode === undefined) return not_tested(expectation, why_not);
  return {
    expectation,
    outcome: outcome(decode.MAPE > 2 * prefill.MAPE),
    because: `mean error ${percent(decode.MAPE)} by the token and ${percent(prefill.MAPE)} in prefill (much: more than twice); published ${percent(PUBLISHED.decode_per_token)} and ${percent(PUBLISHED.prefill)}`,
  };
}

function guards({ guard }: Evidence, why_not: string): Finding {
  const expectation = `What is predicted with a margin of ${percent(MARGIN - 1)} to keep to a budget keeps to it`;
  const rows = guard.filter(({ rule }) => rule === 'prediction x 1.1');
  const kept = rows.reduce((sum, row) => sum + row.kept, 0);
  if (kept === 0) return not_tested(expectation, rows.length === 0 ? why_not : 'no configuration was kept');
  const wrong = rows.reduce((sum, row) => sum + row.false_accepts, 0);
  const lost = rows.reduce((sum, row) => sum + row.false_rejects, 0);
  return {
    expectation,
    outcome: outcome(wrong === 0),
    because: `of ${kept} kept under four budgets ${wrong} took longer than theirs, and ${lost} that would have kept to theirs were left out`,
  };
}
