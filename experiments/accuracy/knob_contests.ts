import { not_tested } from '../lab/findings.ts';
import { random_numbers, shuffled } from '../lab/random.ts';
import type { Finding } from '../lab/schema.ts';
import type { ScoredSample } from '../lab/schema_answers.ts';
import type { Entered, Entrant } from './knob_fronts.ts';
import { GRID_KNOBS, type GridKnob, type KnobSettings, knobs_of, of_samples } from './knob_grid.ts';
import { grouped, mean_score } from './metrics/bootstrap.ts';
import type { Comparison } from './metrics/paired.ts';
import { against, samples_of, scored_of } from './quality.ts';
import { told_apart } from './sweep.ts';

/**
 * Which of two kinds of settings answers better for the same cost. The best of many settings looks better than it is, by the
 * luck of the samples it was chosen by: so it is chosen on one half of the pictures and held against its rival on the other.
 */

/** Of what the model as it is costs. */
export const BUDGETS = [0.35, 0.5, 0.7, 0.85] as const;
const SEED = 7;
/** Fewer pictures in a half tell nothing. */
const LEAST_PICTURES = 10;

export type Half = (sample: ScoredSample) => boolean;

const picture_of = ({ picture, sample_id }: ScoredSample): string => picture ?? sample_id;

/** Pictures by chance, questions of one picture together; of each type of question a half where the set names types. */
export function halves_of(samples: readonly ScoredSample[]): readonly [chosen_by: Half, held_against: Half] | null {
  const random = random_numbers(SEED);
  const first = new Set<string>();
  const pictures = grouped(samples, picture_of).map(([one]) => one as ScoredSample);
  for (const of_type of grouped(pictures, ({ metadata }) => String(metadata.question_type ?? ''))) {
    const drawn = shuffled(of_type.map(picture_of), random);
    for (const picture of drawn.slice(0, Math.floor(drawn.length / 2))) first.add(picture);
  }
  if (first.size < LEAST_PICTURES || pictures.length - first.size < LEAST_PICTURES) return null;
  return [(sample) => first.has(picture_of(sample)), (sample) => !first.has(picture_of(sample))];
}

/** The most accurate on these samples; of several the cheapest. */
export function best_of(entrants: readonly Entrant[], half: Half): Entrant | undefined {
  const scored = entrants.map((entrant) => ({
    entrant,
    accuracy: mean_score(scored_of(of_samples(entrant.one, half)), { resamples: 1 }).value,
  }));
  return scored.reduce<(typeof scored)[number] | undefined>((best, next) => {
    if (best === undefined) return next;
    const by = next.accuracy - best.accuracy || best.entrant.cost - next.entrant.cost;
    return by > 0 ? next : best;
  }, undefined)?.entrant;
}

export interface Side {
  /** "settings of several knobs". */
  readonly name: string;
  readonly is: (entrant: Entrant) => boolean;
}

const turned = ({ one }: Entrant, full: KnobSettings): number =>
  GRID_KNOBS.filter((knob) => knobs_of(one)[knob] !== full[knob]).length;

/** Several knobs turned down from where the full model has them, against one. */
export const by_number_of_knobs = (full: Entrant | undefined): readonly [Side, Side] => [
  { name: 'settings of several knobs', is: (entrant) => full !== undefined && turned(entrant, knobs_of(full.one)) > 1 },
  {
    name: 'settings of a single knob',
    is: (entrant) => full !== undefined && turned(entrant, knobs_of(full.one)) === 1,
  },
];

/** A knob somewhere between its ends, against all three at an end. */
export function by_place(entrants: readonly Entrant[]): readonly [Side, Side] {
  const ends = (knob: GridKnob) => {
    const values = entrants.map(({ one }) => knobs_of(one)[knob]);
    return [Math.min(...values), Math.max(...values)];
  };
  const at_ends = new Map(GRID_KNOBS.map((knob) => [knob, ends(knob)]));
  const is_end = ({ one }: Entrant) => GRID_KNOBS.every((knob) => at_ends.get(knob)?.includes(knobs_of(one)[knob]));
  return [
    { name: 'settings with a knob between its ends', is: (entrant) => !is_end(entrant) },
    { name: 'settings with all knobs at an end', is: is_end },
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const points = (share: number): string => `${share >= 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(1)}`;
/** "+3.2 points (95 % interval +0.4 to +6.1, p = 0.012)". */
export function in_points({ difference, ci95, p }: Comparison): string {
  const range = ci95 === null ? 'no interval' : `95 % interval ${points(ci95[0])} to ${points(ci95[1])}`;
  return `${points(difference)} points (${range}, p ${p < 0.001 ? '< 0.001' : `= ${p.toFixed(3)}`})`;
}

/** Two that may differ by this much and were not told apart are not said to be alike: the samples are too few. */
export const WORTH_KNOWING = 0.05;
/** Nothing beyond chance: is that because there is nothing, or because nothing could have been seen? */
export const is_blunt = ({ ci95 }: Pick<Comparison, 'ci95'>): boolean => ci95 === null || ci95[1] > WORTH_KNOWING;
export const BLUNT = `intervals reach beyond ${(100 * WORTH_KNOWING).toFixed(0)} points: more samples would tell`;

/** Several comparisons are made: each is told apart only at its share of 5 %. */
export const told_among = (found: Comparison, all: number): boolean => told_apart(found) && found.p < 0.05 / all;

/** Within budgets of the full cost, the best of one side against the best of the other. */
export function contest(
  expectation: string,
  { entrants, full }: Entered,
  [side, other]: readonly [Side, Side],
  cost: string,
): Finding {
  if (full === undefined)
    return not_tested(expectation, 'there is no cell of the full model, whose cost is the measure');
  const halves = halves_of(samples_of(full.one));
  if (halves === null) return not_tested(expectation, `it needs ${2 * LEAST_PICTURES} pictures: half to choose by`);
  const held: { budget: number; found: Comparison; names: string }[] = [];
  const alone: number[] = [];
  for (const budget of BUDGETS) {
    const within = entrants.filter((entrant) => entrant.cost <= budget * full.cost);
    const best = [side, other].map(({ is }) => best_of(within.filter(is), halves[0]));
    if (best[0] !== undefined && best[1] === undefined) alone.push(budget);
    if (best[0] === undefined || best[1] === undefined) continue;
    const [one, rival] = best as [Entrant, Entrant];
    const names = `${one.one.key} against ${rival.one.key}`;
    held.push({ budget, names, found: against(of_samples(one.one, halves[1]), of_samples(rival.one, halves[1])) });
  }
  if (held.length === 0) return not_tested(expectation, `no budget has ${side.name} and ${other.name} within it`);
  const won = held.filter(({ found }) => told_among(found, held.length) && found.difference > 0).length;
  const lost = held.filter(({ found }) => told_among(found, held.length) && found.difference < 0).length;
  const said = held.map(({ budget, names, found }) => `at ${percent(budget)} ${in_points(found)}, ${names}`);
  const only = alone.length === 0 ? '' : `; at ${alone.map(percent).join(' and ')} there are only ${side.name}`;
  const blunt = won + lost === 0 && held.some(({ found }) => is_blunt(found));
  return {
    expectation,
    outcome: blunt ? 'not tested' : won > 0 && lost === 0 ? 'confirmed' : 'refuted',
    because: `${side.name} against ${other.name} within a budget of the full model's ${cost}, chosen on half of the pictures and held against each other on the rest: ${said.join('; ')}${only}; ${won} of ${held.length} won and ${lost} lost beyond chance${blunt ? `; ${BLUNT}` : ''}`,
  };
}

/** Within budgets, the setting that suits one kind of question against the one that suits another, on the other kind. */
export function different_best(expectation: string, kinds: readonly [Kind, Kind], cost: string): Finding {
  const sides = kinds.map((kind) => ({ ...kind, halves: kind.full && halves_of(samples_of(kind.full.one)) }));
  const short = sides.find(({ full, halves }) => full === undefined || !halves);
  if (short !== undefined) {
    const why = short.full === undefined ? 'no cell of the full model' : `fewer than ${2 * LEAST_PICTURES} pictures`;
    return not_tested(expectation, `of ${short.name} there ${short.full === undefined ? 'is' : 'are'} ${why}`);
  }
  const held: { what: string; found: Comparison }[] = [];
  let same = 0;
  for (const budget of BUDGETS) {
    const best = sides.map(({ entrants, full, halves }) =>
      best_of(
        entrants.filter((entrant) => entrant.cost <= budget * (full as Entrant).cost),
        (halves as readonly [Half, Half])[0],
      ),
    );
    if (best.some((one) => one === undefined)) continue;
    const [own, foreign] = best.map((one) => (one as Entrant).one.key) as [string, string];
    if (own === foreign) {
      same += 1;
      continue;
    }
    for (const [i, { name, entrants, halves }] of sides.entries()) {
      const other = entrants.find(({ one }) => one.key === (i === 0 ? foreign : own));
      if (other === undefined) continue;
      const half = (halves as readonly [Half, Half])[1];
      const found = against(of_samples((best[i] as Entrant).one, half), of_samples(other.one, half));
      held.push({ what: `at ${percent(budget)} on ${name} ${in_points(found)}`, found });
    }
  }
  if (held.length + same === 0) return not_tested(expectation, 'no budget has a setting within it');
  const real = held.filter(({ found }) => told_among(found, held.length) && found.difference > 0).length;
  const said = held.length === 0 ? '' : `: ${held.map(({ what }) => what).join('; ')}`;
  const blunt = real === 0 && held.some(({ found }) => is_blunt(found));
  return {
    expectation,
    outcome: blunt ? 'not tested' : real > 0 ? 'confirmed' : 'refuted',
    because: `within budgets of the full model's ${cost} ${same} have one best setting for both; elsewhere its own against the other's${said}; ${real} of ${held.length} better beyond chance${blunt ? `; ${BLUNT}` : ''}`,
  };
}

/** A kind of question: cells with its samples alone. */
export interface Kind extends Entered {
  readonly name: string;
}
