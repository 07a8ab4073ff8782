import { z } from 'zod';
import type { Files, Saved } from '../lab/define.ts';
import { not_tested } from '../lab/findings.ts';
import { jaccard } from '../lab/pareto.ts';
import { random_numbers, shuffled } from '../lab/random.ts';
import { count, type Finding, finding_schema, finite } from '../lab/schema.ts';
import { interval95, resample } from '../lab/stats.ts';
import { mean } from '../lab/typical.ts';
import { BUDGETS, different_best } from './knob_contests.ts';
import { type Entrant, front_of, front_shape } from './knob_fronts.ts';
import {
  GRID_KNOBS,
  type GridKnob,
  type GridOptions,
  grid_config_of,
  grid_config_shape,
  knobs_of,
  knobs_shape,
} from './knob_grid.ts';
import { pair_up } from './metrics/paired.ts';
import { against, comparison_schema, record_of, scored_of } from './quality.ts';
import {
  cost_schema,
  WORKLOAD_NAMES,
  WORKLOADS,
  type Worked,
  type Works,
  workload_body,
  workload_shape,
  works_of,
} from './workloads.ts';

/** The published file of M1's quality side. */

const knob_schema = z.enum(GRID_KNOBS);
const interval = z.tuple([finite, finite]).nullable();

export const m1_quality_shapes = {
  m1_quality_contrast: {
    cost: cost_schema,
    config: z.strictObject(grid_config_shape),
    workloads: z.array(z.strictObject({ ...workload_shape, front: front_shape })),
    /** The most accurate setting within each part of the full model's cost, by all samples; null where there is none. */
    optima: z.array(
      z.strictObject({
        workload: z.enum(WORKLOADS),
        budget: finite,
        setting: z
          .strictObject({ key: z.string(), ...knobs_shape, cost: finite, accuracy: finite, accuracy_ci95: interval })
          .nullable(),
      }),
    ),
    /** One knob turned, the others as the model has them. */
    sensitivity: z.array(
      z.strictObject({
        workload: z.enum(WORKLOADS),
        knob: knob_schema,
        from: count,
        to: count,
        /** Against the model as it is, on the same samples. */
        accuracy: comparison_schema,
        /** Of the full model's cost, how much is left. */
        cost_left: finite,
      }),
    ),
    /** How much more captions lose by the same turn than short answers do; below 0: captions lose more. */
    contrast: z.array(
      z.strictObject({ knob: knob_schema, from: count, to: count, difference: finite, ci95: interval, p: finite }),
    ),
    /** Of the two fronts, how much is the same settings; null where there are not two. */
    front_overlap: finite.nullable(),
    findings: z.array(finding_schema),
  },
};
export type M1QualityFile = Files<typeof m1_quality_shapes>['m1_quality_contrast'];

export function derive_m1_quality(saved: Saved, options: GridOptions) {
  const works = works_of(saved);
  const { cost, all } = works;
  const workloads = all.map((work) => ({ ...workload_body(work), front: front_of(work.entrants) }));
  const contrast = contrast_of(all);
  const [first, second] = workloads.map(({ front }) => front.map(({ key }) => key));
  return {
    m1_quality_contrast: {
      cost,
      config: grid_config_of(saved, options),
      workloads,
      optima: all.flatMap(optima_of),
      sensitivity: all.flatMap(sensitivity_of),
      contrast,
      front_overlap: first && second ? jaccard(first, second) : null,
      findings: findings_of(saved, works, contrast),
    },
  };
}

const optima_of = ({ workload, entrants, full }: Worked): M1QualityFile['optima'] =>
  BUDGETS.map((budget) => {
    const within = full === undefined ? [] : entrants.filter(({ cost }) => cost <= budget * full.cost);
    const [best] = within.toSorted((a, b) => b.row.accuracy - a.row.accuracy || a.cost - b.cost);
    if (best === undefined) return { workload, budget, setting: null };
    const { one, row, cost } = best;
    const { accuracy, accuracy_ci95 } = row;
    return { workload, budget, setting: { key: one.key, ...knobs_of(one), cost, accuracy, accuracy_ci95 } };
  });

interface Turn {
  readonly knob: GridKnob;
  readonly from: number;
  readonly to: number;
  readonly entrant: Entrant;
}

/** Settings that turn one knob alone, in the order of the knobs, the least turned first. */
function turns_of({ entrants, full }: Worked): Turn[] {
  if (full === undefined) return [];
  const own = knobs_of(full.one);
  return GRID_KNOBS.flatMap((knob) =>
    entrants
      .filter(({ one }) => GRID_KNOBS.every((name) => (knobs_of(one)[name] === own[name]) !== (name === knob)))
      .map((entrant) => ({ knob, from: own[knob], to: knobs_of(entrant.one)[knob], entrant }))
      .sort((a, b) => b.to - a.to),
  );
}

const sensitivity_of = (work: Worked): M1QualityFile['sensitivity'] =>
  turns_of(work).map(({ knob, from, to, entrant }) => {
    const full = work.full as Entrant;
    const accuracy = record_of(against(entrant.one, full.one));
    return { workload: work.workload, knob, from, to, accuracy, cost_left: entrant.cost / full.cost };
  });

/** Per picture what the turn changes; a picture of several questions counts once. */
function changes_of({ entrant: { one } }: Turn, { full }: Worked): number[] {
  const base = (full as Entrant).one;
  const by_picture = new Map<string, number[]>();
  const side = (cell: typeof one) => ({ name: cell.key, scored: scored_of(cell) });
  for (const { picture, a, b } of pair_up(side(base), side(one))) {
    by_picture.set(picture, [...(by_picture.get(picture) ?? []), b - a]);
  }
  return [...by_picture.values()].map(mean);
}

const PERMUTATIONS = 5000;
const SEED = 13;

function contrast_of(all: readonly Worked[]): M1QualityFile['contrast'] {
  const [qa, captions] = all;
  if (qa === undefined || captions === undefined) return [];
  return turns_of(qa).flatMap((turn) => {
    const { knob, from, to } = turn;
    const other = turns_of(captions).find((one) => one.knob === knob && one.to === to);
    if (other === undefined) return [];
    const [short, long] = [changes_of(turn, qa), changes_of(other, captions)];
    return [{ knob, from, to, ...difference_of(long, short) }];
  });
}

/** Of the means of two groups: its interval by drawing pictures of each, its chance by drawing which group each is of. */
function difference_of(a: readonly number[], b: readonly number[]) {
  const value = mean(a) - mean(b);
  const random = random_numbers(SEED);
  const drawn = [resample(a, random).means, resample(b, random).means] as const;
  const is_known = a.length > 1 && b.length > 1;
  let as_far = 0;
  for (let i = 0; i < PERMUTATIONS; i++) {
    const mixed = shuffled([...a, ...b], random);
    const found = mean(mixed.slice(0, a.length)) - mean(mixed.slice(a.length));
    if (Math.abs(found) >= Math.abs(value) - 1e-12) as_far += 1;
  }
  return {
    difference: value,
    ci95: is_known ? interval95(drawn[0].map((one, i) => one - (drawn[1][i] as number))) : null,
    p: (as_far + 1) / (PERMUTATIONS + 1),
  };
}

const SHORT: Readonly<Record<GridKnob, string>> = { max_crops: 'crops', top_k: 'experts', num_active_blocks: 'blocks' };
const points = (share: number): string => `${share >= 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(1)}`;

function findings_of(saved: Saved, { cost, all }: Works, contrast: M1QualityFile['contrast']): Finding[] {
  const lose = 'Captions lose by other knobs than short answers';
  const best = 'The two workloads have different best settings';
  const [qa, captions] = all;
  if (qa === undefined || captions === undefined) {
    const why = `${saved.run.fingerprint.dataset?.name} has ${qa === undefined ? 'no answers' : `${WORKLOAD_NAMES[qa.workload]} alone`}`;
    return [not_tested(lose, why), not_tested(best, why)];
  }
  const kind = (work: Worked) => ({ ...work, name: WORKLOAD_NAMES[work.workload] });
  const unit = cost === 'latency' ? 'latency' : 'FLOPs';
  return [contrast_finding(lose, contrast), different_best(best, [kind(qa), kind(captions)], unit)];
}

/** From this many points on a difference between the workloads would matter to anybody. */
const WORTH = 0.1;

function contrast_finding(expectation: string, contrast: M1QualityFile['contrast']): Finding {
  if (contrast.length === 0)
    return not_tested(expectation, 'no knob was turned alone with the model as it is beside it');
  const real = contrast.filter(
    ({ ci95, p }) => ci95 !== null && (ci95[0] > 0 || ci95[1] < 0) && p < 0.05 / contrast.length,
  );
  const wide = contrast.some(({ ci95 }) => ci95 === null || ci95[0] < -WORTH || ci95[1] > WORTH);
  const said = contrast.map(({ knob, from, to, difference, ci95, p }) => {
    const range = ci95 === null ? 'no interval' : `95 % interval ${points(ci95[0])} to ${points(ci95[1])}`;
    return `${SHORT[knob]} ${from} to ${to} ${points(difference)} points (${range}, p ${p < 0.001 ? '< 0.001' : `= ${p.toFixed(3)}`})`;
  });
  const blunt = real.length === 0 && wide;
  return {
    expectation,
    outcome: blunt ? 'not tested' : real.length > 0 ? 'confirmed' : 'refuted',
    because: `what a turn does to captions less what it does to short answers: ${said.join('; ')}; ${real.length} of ${contrast.length} beyond chance${blunt ? `; intervals reach beyond ${(100 * WORTH).toFixed(0)} points: more samples would tell` : ''}`,
  };
}
