import { z } from 'zod';
import type { Files, Saved } from '../lab/define.ts';
import { not_tested } from '../lab/findings.ts';
import { jaccard, pareto_front } from '../lab/pareto.ts';
import { type Configuration, count, type Finding, finding_schema, finite, strings } from '../lab/schema.ts';
import type { ScoredSample } from '../lab/schema_answers.ts';
import { by_number_of_knobs, by_place, contest, different_best } from './knob_contests.ts';
import { GRID_KNOBS, type GridKnob, grid_config_shape, knobs_of, knobs_shape } from './knob_grid.ts';
import { coupled_in_answers, interactions_of, interactions_shape } from './knob_interactions.ts';
import { grouped } from './metrics/bootstrap.ts';
import { full_of, samples_of, scored_of } from './quality.ts';
import {
  cost_schema,
  fronts_shape,
  rules_schema,
  WORKLOAD_NAMES,
  WORKLOADS,
  type Works,
  workload_shape,
} from './workloads.ts';

/** Published files of E2's quality side. */

const knob_schema = z.enum(GRID_KNOBS);

export const e2_quality_shapes = {
  e2_pareto_frontiers: {
    /** What is meant by a front: none beats it, or the study's other rule, by which ties stay. */
    rules: rules_schema,
    cost: cost_schema,
    config: z.strictObject(grid_config_shape),
    workloads: z.array(z.strictObject({ ...workload_shape, ...fronts_shape })),
    findings: z.array(finding_schema),
  },
  e2_quality_coupling: {
    cost: cost_schema,
    /** One knob fixed at each of its values: the front of the other two. */
    fronts: z.array(
      z.strictObject({
        workload: z.enum(WORKLOADS),
        fixed: knob_schema,
        at: count,
        settings: z.array(z.strictObject({ key: z.string(), ...knobs_shape, cost: finite, accuracy: finite })),
      }),
    ),
    /** How much of two such fronts is the same places of the other two knobs. */
    overlaps: z.array(
      z.strictObject({
        workload: z.enum(WORKLOADS),
        fixed: knob_schema,
        between: z.tuple([count, count]),
        jaccard: finite.nullable(),
      }),
    ),
    /** Of all samples together. */
    interactions: interactions_shape,
  },
  e2_quality_cases: {
    /** Cells that are shown side by side, and what each is. */
    columns: z.array(z.strictObject({ key: z.string(), name: z.string() })),
    cases: z.array(
      z.strictObject({
        sample_id: z.string(),
        question_type: z.string(),
        question: z.string(),
        references: strings.nullable(),
        answers: z.array(z.strictObject({ key: z.string(), answer: z.string(), accuracy: finite })),
      }),
    ),
    note: z.string(),
  },
};
export type E2QualityFiles = Files<typeof e2_quality_shapes>;
type Coupling = Pick<E2QualityFiles['e2_quality_coupling'], 'fronts' | 'overlaps' | 'interactions'>;

export function e2_coupling(saved: Saved, { all }: Works): Coupling {
  const fronts = all.flatMap(({ workload, entrants }) =>
    GRID_KNOBS.flatMap((fixed) => {
      const values = [...new Set(entrants.map(({ one }) => knobs_of(one)[fixed]))].sort((a, b) => a - b);
      return values.flatMap((at) => {
        const slice = entrants.filter(({ one }) => knobs_of(one)[fixed] === at);
        if (slice.length < 2) return [];
        const on = pareto_front(slice.map(({ cost: x, row: { accuracy: y } }) => ({ x, y })));
        const settings = on.map((place) => {
          const { one, cost, row } = slice[place] as (typeof slice)[number];
          return { key: one.key, ...knobs_of(one), cost, accuracy: row.accuracy };
        });
        return [{ workload, fixed, at, settings }];
      });
    }),
  );
  return {
    fronts,
    overlaps: overlaps_of(fronts),
    interactions: interactions_of(saved.configurations, full_of(saved.configurations)),
  };
}

/** Of the fronts at neighbouring values of the fixed knob. */
function overlaps_of(fronts: Coupling['fronts']): Coupling['overlaps'] {
  const others = (fixed: GridKnob, { settings }: Coupling['fronts'][number]) =>
    settings.map((one) =>
      GRID_KNOBS.filter((knob) => knob !== fixed)
        .map((knob) => one[knob])
        .join('/'),
    );
  return grouped(fronts, ({ workload, fixed }) => `${workload} ${fixed}`).flatMap((group) =>
    group.slice(1).map((next, i) => {
      const before = group[i] as Coupling['fronts'][number];
      const { workload, fixed } = next;
      const share = jaccard(others(fixed, before), others(fixed, next));
      return { workload, fixed, between: [before.at, next.at] as [number, number], jaccard: share };
    }),
  );
}

export function e2_findings(saved: Saved, { cost, all }: Works, { interactions }: Coupling): Finding[] {
  const unit = cost === 'latency' ? 'latency' : 'FLOPs';
  const [main] = all;
  const two = 'Short answers and captions have different best settings';
  const kinds = all.map((work) => ({ ...work, name: WORKLOAD_NAMES[work.workload] }));
  if (main === undefined) return [];
  const of = ` (${WORKLOAD_NAMES[main.workload]})`;
  return [
    coupled_in_answers('Knobs are coupled: what one costs in answers depends on where the others stand', interactions),
    contest(`Turning several knobs beats turning one${of}`, main, by_number_of_knobs(main.full), unit),
    contest(`The best settings are not at the ends of the knobs${of}`, main, by_place(main.entrants), unit),
    kinds.length < 2
      ? not_tested(two, `${saved.run.fingerprint.dataset?.name} has ${kinds[0]?.name} alone`)
      : different_best(two, kinds as [(typeof kinds)[number], (typeof kinds)[number]], unit),
  ];
}

/** Cases are few enough to read. */
const MOST_CASES = 10;

/** The model as it is, each knob at its lowest alone, and all of them. */
function columns_of({ configurations }: Saved): { readonly one: Configuration; readonly name: string }[] {
  const full = full_of(configurations);
  if (full === undefined) return [];
  const own = knobs_of(full);
  const low = Object.fromEntries(
    GRID_KNOBS.map((knob) => [knob, Math.min(...configurations.map((one) => knobs_of(one)[knob]))]),
  ) as Record<GridKnob, number>;
  const wanted = [
    { name: 'as it is', at: own },
    { name: `crops ${low.max_crops}`, at: { ...own, max_crops: low.max_crops } },
    { name: `experts ${low.top_k}`, at: { ...own, top_k: low.top_k } },
    { name: `blocks ${low.num_active_blocks}`, at: { ...own, num_active_blocks: low.num_active_blocks } },
    { name: 'all lowest', at: low },
  ];
  return wanted.flatMap(({ name, at }) => {
    const one = configurations.find((cell) => GRID_KNOBS.every((knob) => knobs_of(cell)[knob] === at[knob]));
    return one === undefined ? [] : [{ one, name }];
  });
}

/** Of each type a sample that these cells answer differently, in another way than those before; else the first. */
export function e2_cases(saved: Saved): Pick<E2QualityFiles['e2_quality_cases'], 'columns' | 'cases' | 'note'> {
  const columns = columns_of(saved);
  const scores = columns.map(({ one }) => scored_of(one).map(({ score }) => score));
  const answers = columns.map(({ one }) => samples_of(one));
  const type_of = ({ metadata }: ScoredSample) => String(metadata.question_type ?? '');
  const differ = (answers[0] ?? [])
    .map((sample, place) => ({ sample, place }))
    .filter(({ place }) => new Set(scores.map((of) => of[place])).size > 1);
  const by_type = grouped(differ, ({ sample }) => type_of(sample));
  const shown = new Set<string>();
  const pattern = ({ place }: { readonly place: number }) => scores.map((of) => of[place]).join();
  const pick = (some: readonly (typeof differ)[number][]) => {
    const one = some.find((each) => !shown.has(pattern(each))) ?? (some[0] as (typeof differ)[number]);
    shown.add(pattern(one));
    return one;
  };
  const chosen = by_type.length > 1 ? by_type.map(pick) : differ;
  return {
    columns: columns.map(({ one, name }) => ({ key: one.key, name })),
    cases: chosen.slice(0, MOST_CASES).map(({ sample, place }) => ({
      ...{ sample_id: sample.sample_id, question_type: type_of(sample), question: sample.question },
      references: sample.references && [...sample.references],
      answers: columns.map(({ one }, i) => ({
        ...{ key: one.key, answer: answers[i]?.[place]?.answer ?? '', accuracy: scores[i]?.[place] ?? 0 },
      })),
    })),
    note: `${differ.length} of ${answers[0]?.length ?? 0} samples are answered differently; shown is one of each type`,
  };
}
