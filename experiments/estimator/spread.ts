import { vision_counts } from '../../engine/input/layout.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { rings_of_tiling } from '../lab/inputs.ts';
import { below, random_numbers, shuffled } from '../lab/random.ts';
import { type Candidate, d_optimal } from './design.ts';

/** Configurations spread over all that a request can be turned by: what an estimator learns from. */
export const TILINGS = ['none', '1x1', '1x2', '2x1', '2x2', '2x3', '3x3', '3x4'] as const;
export type TilingName = (typeof TILINGS)[number];

export interface Levels {
  readonly image: readonly TilingName[];
  readonly max_crops: readonly number[];
  readonly prompt: readonly number[];
  readonly answer: readonly number[];
  readonly top_k: readonly number[];
  readonly blocks: readonly number[];
}
const AXES = ['image', 'max_crops', 'prompt', 'answer', 'top_k', 'blocks'] as const;

/** A point of the grid. */
export interface Setting {
  readonly image: TilingName;
  readonly max_crops: number;
  /** Text tokens, new tokens; blocks that run, from the first on. */
  readonly prompt: number;
  readonly answer: number;
  readonly top_k: number;
  readonly blocks: number;
}

const unique = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b);

/** What this model's knobs range over, where the command line does not say. */
export function own_levels({
  top_k,
  n_experts,
  n_layers,
  max_crops,
}: ModelConfig): Omit<Levels, 'image' | 'prompt' | 'answer'> {
  return {
    max_crops: unique([1, Math.ceil(max_crops / 3), max_crops]),
    top_k: unique([1, 2, Math.ceil(top_k / 2), top_k, 2 * top_k].filter((k) => k <= n_experts)),
    blocks: unique([1, 2, 3, 4].map((quarters) => Math.ceil((quarters * n_layers) / 4))),
  };
}

/** The first ones are chosen by the determinant: whoever stops after them has measured those that say most. */
const BEST = 10;
const POOL = 300;

/** So many different points, each level about as often as another; all there are where that is fewer. */
export function spread(config: ModelConfig, levels: Levels, count: number, seed: number): Setting[] {
  const random = random_numbers(seed);
  const others = AXES.filter((axis) => axis !== 'image' && axis !== 'max_crops');
  const points = others.reduce((product, axis) => product * new Set(levels[axis]).size, pictures_of(levels));
  const wanted = Math.min(count, points);
  const pool = balanced(levels, Math.min(POOL, points), random);
  const best = d_optimal(pool.map(candidate_of(config)), Math.min(BEST, wanted)).map((i) => pool[i] as Setting);
  const found = new Map(best.map((point) => [name_of(point), point]));
  for (const point of balanced(levels, wanted, random)) {
    if (found.size < wanted) found.set(name_of(point), point);
  }
  while (found.size < wanted) {
    const point = drawn(levels, (axis) => below(levels[axis].length, random));
    found.set(name_of(point), point);
  }
  return [...found.values()];
}

const name_of = (point: Setting): string => AXES.map((axis) => point[axis]).join(' ');

/** Where a picture has no more crops than are allowed, more of them change nothing: then it is said as the most. */
function drawn(levels: Levels, at: (axis: (typeof AXES)[number]) => number): Setting {
  const point = Object.fromEntries(AXES.map((axis) => [axis, levels[axis][at(axis)]])) as unknown as Setting;
  const [rows, cols] = tiling_of(point.image) ?? [0, 0];
  return rows * cols <= point.max_crops ? { ...point, max_crops: Math.max(...levels.max_crops) } : point;
}

/** Different pictures under different caps. */
function pictures_of(levels: Levels): number {
  const found = levels.image.flatMap((image) =>
    levels.max_crops.map((max_crops) => {
      const [rows, cols] = tiling_of(image) ?? [0, 0];
      return `${image} ${rows * cols <= max_crops ? 'all' : max_crops}`;
    }),
  );
  return new Set(found).size;
}

/** A Latin hypercube of levels: along each axis they take turns, in an order of its own. */
function balanced(levels: Levels, count: number, random: () => number): Setting[] {
  const turns = Object.fromEntries(
    AXES.map((axis) => {
      const { length } = levels[axis];
      return [
        axis,
        shuffled(
          Array.from({ length: count }, (_, i) => i % length),
          random,
        ),
      ];
    }),
  );
  return Array.from({ length: count }, (_, i) => drawn(levels, (axis) => turns[axis]?.[i] as number));
}

/** FLOPs that take as long as a byte, and as what a pass or a block costs besides: only their rough size matters. */
const FLOPS_A_BYTE = 10;
const FLOPS_A_PASS = 1e8;

/** Shares of the time that is expected of each stage, by closed forms: nothing is run or counted. */
const candidate_of =
  (config: ModelConfig) =>
  (point: Setting): Candidate => {
    const { views, image_tokens } = picture_of(config, point);
    const prompt_tokens = 1 + image_tokens + point.prompt;
    const plan = Array.from({ length: config.n_layers }, (_, block) => (block < point.blocks ? point.top_k : 0));
    const request = { views, prompt_tokens, new_tokens: point.answer, top_k: plan };
    const { totals, prefill, decode } = closed_form_flops(config, request);
    const expert_bytes = 6 * config.d_model * config.expert_hidden;
    const met = point.blocks * Math.min(prompt_tokens * point.top_k, config.n_experts) * expert_bytes * FLOPS_A_BYTE;
    const language = (parts: typeof prefill, passes: number) => [
      parts.attention_projections + parts.router,
      parts.attention_scores,
      parts.experts,
      parts.head,
      passes * point.blocks * FLOPS_A_PASS,
    ];
    const picture = views > 0;
    return [
      picture ? shares([totals.vision_encoder, FLOPS_A_PASS]) : null,
      picture ? shares([totals.projector, FLOPS_A_PASS]) : null,
      shares([...language(prefill, 1), met]),
      point.answer > 1 ? shares(language(decode, point.answer - 1)) : null,
    ];
  };

function shares(parts: readonly number[]): number[] {
  const all = parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part) => part / all);
}

/** Rows and columns of a tiling's name; null: no picture. */
export const tiling_of = (image: TilingName): readonly [number, number] | null =>
  image === 'none' ? null : (image.split('x').map(Number) as [number, number]);

function picture_of(config: ModelConfig, { image, max_crops }: Setting): { views: number; image_tokens: number } {
  const tiling = tiling_of(image);
  if (tiling === null) return { views: 0, image_tokens: 0 };
  const { margin_px, tile_px } = geometry_of(config);
  const [height, width] = tiling.map((tiles) => margin_px + tiles * tile_px) as [number, number];
  const cut = choose_tiling(width, height, { max_crops }, geometry_of(config));
  return { views: cut.rows * cut.cols + 1, image_tokens: vision_counts(cut, geometry_of(config)).image_tokens };
}

/** The picture of a point, in the size that gives its tiling where crops are enough. */
export const picture_for = (config: ModelConfig, image: TilingName) => {
  const tiling = tiling_of(image);
  return tiling === null ? null : rings_of_tiling(config, tiling);
};
