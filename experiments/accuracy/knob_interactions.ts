import { z } from 'zod';
import { not_tested } from '../lab/findings.ts';
import { type Configuration, count, type Finding, finite } from '../lab/schema.ts';
import { BLUNT, is_blunt } from './knob_contests.ts';
import { GRID_KNOBS, type GridKnob, knobs_of } from './knob_grid.ts';
import { bootstrap_ratio, grouped, ratio_of } from './metrics/bootstrap.ts';
import { sign_flips } from './metrics/paired_tests.ts';
import { scored_of } from './quality.ts';

/** Whether two knobs turned down together lose another share of answers than each alone does, on the same samples. */

const knob_schema = z.enum(GRID_KNOBS);
export const interactions_shape = z.array(
  z.strictObject({
    knobs: z.tuple([knob_schema, knob_schema]),
    /** From where to where each is turned, and where the third stands. */
    from: z.tuple([count, count]),
    to: z.tuple([count, count]),
    third: count,
    /** What each loses alone and both together, in accuracy. */
    alone: z.tuple([finite, finite]),
    together: finite,
    /** together - alone - alone. 0: losses add up; below: both lose more than that. */
    interaction: finite,
    ci95: z.tuple([finite, finite]).nullable(),
    /** Of sign flips over pictures. */
    p: finite,
  }),
);
export type Interactions = z.infer<typeof interactions_shape>;

const PAIRS = [
  ['max_crops', 'top_k'],
  ['max_crops', 'num_active_blocks'],
  ['top_k', 'num_active_blocks'],
] as const;

/** From nearest to where the model has its knobs, down to the lowest; only where the grid has all four corners. */
export function interactions_of(cells: readonly Configuration[], full: Configuration | undefined): Interactions {
  const own = full && knobs_of(full);
  const levels = (some: readonly Configuration[], knob: GridKnob) =>
    [...new Set(some.map((one) => knobs_of(one)[knob]))].sort((a, b) => a - b);
  /** By how near they are to the model's own; of two the higher. */
  const usual = (values: readonly number[], knob: GridKnob) =>
    values.toSorted((a, b) => (own ? Math.abs(a - own[knob]) - Math.abs(b - own[knob]) : 0) || b - a);
  return PAIRS.flatMap(([a, b]) => {
    const rest = GRID_KNOBS.find((knob) => knob !== a && knob !== b) as GridKnob;
    for (const third of usual(levels(cells, rest), rest)) {
      const slice = cells.filter((one) => knobs_of(one)[rest] === third);
      const [low_a, low_b] = [levels(slice, a)[0] as number, levels(slice, b)[0] as number];
      for (const up_a of usual(levels(slice, a), a)) {
        for (const up_b of usual(levels(slice, b), b)) {
          if (up_a <= low_a || up_b <= low_b) continue;
          const corner = (at_a: number, at_b: number) =>
            slice.find((one) => knobs_of(one)[a] === at_a && knobs_of(one)[b] === at_b);
          const corners = [corner(up_a, up_b), corner(low_a, up_b), corner(up_a, low_b), corner(low_a, low_b)];
          if (corners.some((one) => one === undefined)) continue;
          const found = interaction(corners as Configuration[]);
          return [{ knobs: [a, b], from: [up_a, up_b], to: [low_a, low_b], third, ...found }];
        }
      }
    }
    return [];
  });
}

/** Both up, the first down, the second down, both down. */
function interaction(corners: readonly Configuration[]) {
  const scores = corners.map((one) => new Map(scored_of(one).map(({ id, score }) => [id, score])));
  const base = scored_of(corners[0] as Configuration);
  const changes = base.map(({ id, picture }) => {
    const [up, first, second, both] = scores.map((of) => of.get(id) as number) as [number, number, number, number];
    return {
      picture,
      first: first - up,
      second: second - up,
      both: both - up,
      beyond: both - first - second + up,
      n: 1,
    };
  });
  const clusters = grouped(changes, ({ picture }) => picture).map((group) => {
    const sum = (name: 'first' | 'second' | 'both' | 'beyond' | 'n') =>
      group.reduce((total, one) => total + one[name], 0);
    return { first: sum('first'), second: sum('second'), both: sum('both'), beyond: sum('beyond'), n: sum('n') };
  });
  const { value, ci95 } = bootstrap_ratio(clusters, 'beyond', 'n');
  return {
    alone: [ratio_of(clusters, 'first', 'n'), ratio_of(clusters, 'second', 'n')] as [number, number],
    together: ratio_of(clusters, 'both', 'n'),
    interaction: value,
    ci95: ci95 && ([...ci95] as [number, number]),
    p: sign_flips(clusters.map(({ beyond }) => beyond)),
  };
}

const SHORT: Readonly<Record<GridKnob, string>> = { max_crops: 'crops', top_k: 'experts', num_active_blocks: 'blocks' };
const points = (share: number): string => `${share >= 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(1)}`;

const flipped = (ci95: readonly [number, number] | null) => ci95 && ([-ci95[1], -ci95[0]] as const);

export function coupled_in_answers(expectation: string, found: Interactions): Finding {
  if (found.length === 0) return not_tested(expectation, 'no two knobs were both turned with the third held');
  const real = found.filter(({ ci95, p }) => ci95 !== null && (ci95[0] > 0 || ci95[1] < 0) && p < 0.05 / found.length);
  const said = found.map(({ knobs, from, to, alone, together, interaction: beyond, ci95, p }) => {
    const turned = knobs.map((knob, i) => `${SHORT[knob]} ${from[i]} to ${to[i]}`).join(' and ');
    const range = ci95 === null ? 'no interval' : `95 % interval ${points(ci95[0])} to ${points(ci95[1])}`;
    return `${turned} lose ${alone.map(points).join(' and ')} points alone and ${points(together)} together, ${points(beyond)} beyond their sum (${range}, p ${p < 0.001 ? '< 0.001' : `= ${p.toFixed(3)}`})`;
  });
  const blunt = real.length === 0 && found.some(({ ci95 }) => is_blunt({ ci95 }) || is_blunt({ ci95: flipped(ci95) }));
  return {
    expectation,
    outcome: blunt ? 'not tested' : real.length > 0 ? 'confirmed' : 'refuted',
    because: `${said.join('; ')}; ${real.length} of ${found.length} beyond chance${blunt ? `; ${BLUNT}` : ''}`,
  };
}
