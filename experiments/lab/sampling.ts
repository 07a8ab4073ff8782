import { legacy_random } from './legacy_random.ts';
import { below, random_numbers } from './random.ts';

/**
 * Which points of a grid over the three knobs are measured. Three ways take some levels of each axis and cross them, one
 * draws points. All give every point once, in the order of the axes.
 */
export const STRATEGIES = ['full', 'balanced', 'stratified', 'boundary', 'custom_sparse', 'lhs'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/**
 * Where the study's documents and its code differ. `documented`: levels evenly apart, four of top-k where it is balanced, a true
 * Latin hypercube. `code`: its positions n/4, n/2 and 3n/4, `balanced` the same as `stratified`, and under the name of a Latin
 * hypercube plain draws of numpy's legacy generator.
 */
export const RULES = ['documented', 'code'] as const;
export type Rule = (typeof RULES)[number];

export const KNOB_AXES = ['crops', 'top_k', 'blocks'] as const;
export type KnobAxis = (typeof KNOB_AXES)[number];
/** Levels of each axis, ascending. */
export type KnobLevels = Readonly<Record<KnobAxis, readonly number[]>>;
export type KnobPoint = Readonly<Record<KnobAxis, number>>;

/** Of the study: its configurations were drawn with it. */
export const SAMPLING_SEED = 42;

export interface Sampling {
  readonly strategy: Strategy;
  readonly rule: Rule;
  /** Of `lhs`. */
  readonly seed: number;
}

export function sample_grid(levels: KnobLevels, { strategy, rule, seed }: Sampling): KnobPoint[] {
  if (strategy === 'lhs') return in_order(rule === 'code' ? legacy_draws(levels, seed) : hypercube(levels, seed));
  const [crops, top_k, blocks] = KNOB_AXES.map((axis) => LEVELS[rule][strategy](levels[axis], axis));
  return in_order(cross({ crops, top_k, blocks } as KnobLevels));
}

type Pick = (values: readonly number[], axis: KnobAxis) => readonly number[];

/** These parts of the way from the first value to the last. */
const evenly =
  (parts: number): Pick =>
  (values) =>
    Array.from({ length: parts + 1 }, (_, i) => values[Math.floor((i * (values.length - 1)) / parts)] as number);

/** First, last, and between them the values at these shares of the list's length. */
const at_shares =
  (...shares: readonly number[]): Pick =>
  (values) =>
    [...[0, ...shares].map((share) => values[Math.floor(share * values.length)]), values.at(-1)] as number[];

const all: Pick = (values) => values;
const every_second: Pick = (values) => values.filter((_, i) => i % 2 === 0);
/** One axis gets more levels than the others. */
const finer_top_k =
  (fine: Pick, usual: Pick): Pick =>
  (values, axis) =>
    (axis === 'top_k' ? fine : usual)(values, axis);

const LEVELS: Readonly<Record<Rule, Readonly<Record<Exclude<Strategy, 'lhs'>, Pick>>>> = {
  documented: {
    full: all,
    stratified: evenly(2),
    boundary: finer_top_k(evenly(4), evenly(2)),
    balanced: finer_top_k(evenly(3), evenly(2)),
    custom_sparse: finer_top_k(evenly(3), evenly(2)),
  },
  code: {
    full: all,
    stratified: at_shares(1 / 2),
    boundary: finer_top_k(at_shares(1 / 4, 1 / 2, 3 / 4), at_shares(1 / 2)),
    balanced: at_shares(1 / 2),
    custom_sparse: every_second,
  },
};

const cross = ({ crops, top_k, blocks }: KnobLevels): KnobPoint[] =>
  crops.flatMap((c) => top_k.flatMap((k) => blocks.map((b) => ({ crops: c, top_k: k, blocks: b }))));

/** Each point once, by crops, then top-k, then blocks. */
function in_order(points: readonly KnobPoint[]): KnobPoint[] {
  const unique = new Map(points.map((point) => [KNOB_AXES.map((axis) => point[axis]).join(), point]));
  return [...unique.values()].sort((a, b) => a.crops - b.crops || a.top_k - b.top_k || a.blocks - b.blocks);
}

const size_of = ({ crops, top_k, blocks }: KnobLevels): number => crops.length * top_k.length * blocks.length;
/** A quarter of the grid, one point at least. */
const quarter_of = (levels: KnobLevels): number => Math.max(1, Math.floor(size_of(levels) / 4));

/** The study's draws: three independent ones a point, so that a point may come twice and a level not at all. */
function legacy_draws(levels: KnobLevels, seed: number): KnobPoint[] {
  const random = legacy_random(seed);
  const draw = (values: readonly number[]) => values[random.below(values.length)] as number;
  return Array.from({ length: Math.min(50, quarter_of(levels)) }, () => {
    const [crops, top_k, blocks] = KNOB_AXES.map((axis) => draw(levels[axis]));
    return { crops, top_k, blocks } as KnobPoint;
  });
}

/** Swaps that are tried to tell points apart: more than any grid has needed. */
const MOST_SWAPS = 10_000;

/** A Latin hypercube of a quarter of the grid: on each axis every level comes equally often, give or take one. */
function hypercube(levels: KnobLevels, seed: number): KnobPoint[] {
  const random = random_numbers(seed);
  const count = quarter_of(levels);
  const columns = KNOB_AXES.map((axis) => shuffled_levels(levels[axis], count, random));
  const point = (i: number) =>
    Object.fromEntries(KNOB_AXES.map((axis, a) => [axis, columns[a]?.[i]])) as unknown as KnobPoint;
  const points = () => Array.from({ length: count }, (_, i) => point(i));
  // Two points may have come out alike: a swap along one axis keeps the hypercube.
  for (let swaps = 0; swaps < MOST_SWAPS; swaps++) {
    const seen = new Set<string>();
    const twice = points().findIndex((one) => seen.size === seen.add(Object.values(one).join()).size);
    if (twice < 0) break;
    swap(columns[below(columns.length, random)] as number[], twice, below(count, random));
  }
  return in_order(points());
}

function swap(values: number[], i: number, j: number): void {
  [values[i], values[j]] = [values[j] as number, values[i] as number];
}

/** The middle of each of `count` equal parts of the axis, in a random order. */
function shuffled_levels(values: readonly number[], count: number, random: () => number): number[] {
  const drawn = Array.from(
    { length: count },
    (_, i) => values[Math.floor(((i + 0.5) / count) * values.length)] as number,
  );
  for (let i = count - 1; i > 0; i--) swap(drawn, i, below(i + 1, random));
  return drawn;
}

/** Which blocks run where only their number is said. */
export const BLOCK_CHOICES = ['prefix', 'seeded'] as const;
export type BlockChoice = (typeof BLOCK_CHOICES)[number];

/** Blocks that the study's seeded choice always keeps. */
const ALWAYS_KEPT = 4;

/**
 * `prefix`: the first ones, so that more blocks are always a superset. `seeded`: the first four and others drawn with a seed of
 * the number itself, as the study's combined experiments keep them; these sets are not nested.
 */
export function chosen_blocks(count: number, all_blocks: number, choice: BlockChoice): number[] {
  const blocks = Array.from({ length: all_blocks }, (_, i) => i);
  const kept = blocks.slice(0, ALWAYS_KEPT);
  if (choice === 'prefix' || count <= kept.length || count >= all_blocks) return blocks.slice(0, count);
  const drawn = legacy_random(42 + 1000 * count).choice(blocks.slice(ALWAYS_KEPT), count - kept.length);
  return [...kept, ...drawn].sort((a, b) => a - b);
}
