import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { type CropTierName, crop_tiers } from '../../engine/input/tiling.ts';
import type { Values } from '../lab/define.ts';
import type { Subject } from '../lab/inputs.ts';
import { chosen_levels, tier_levels } from '../lab/knob_levels.ts';
import { described, whole, wholes, words } from '../lab/options.ts';
import { type Cell, key_of } from '../lab/plan.ts';
import { chosen_blocks, RULES, SAMPLING_SEED, STRATEGIES, sample_grid } from '../lab/sampling.ts';
import type { Configuration, Skipped } from '../lab/schema.ts';
import { answers_cell } from './cell.ts';
import { read_importance } from './importance_file.ts';

/** Tiers of crops against experts a token and blocks: the cells. */

export const TIER_NAMES = ['low', 'medium', 'high'] as const satisfies readonly CropTierName[];

export const tier_options = {
  tierList: described(
    words(TIER_NAMES).optional(),
    'crops of a picture: low (1 to 3), medium (4 to 8), high (9 to 15); those that begin at no more than the model has',
    { aliases: ['tier_list'] },
  ),
  topK: described(
    wholes(1, 64).optional(),
    "experts a token takes; a half, three quarters and all of the model's own",
    {
      aliases: ['top_k_list'],
    },
  ),
  numActiveBlocks: described(wholes(1, 1000).optional(), 'blocks that run; from three quarters of them to all', {
    aliases: ['num_active_blocks_list'],
  }),
  sampling: described(z.enum(STRATEGIES).default('full'), `points of the grid: ${STRATEGIES.join(', ')}`, {
    aliases: ['sampling_strategy'],
  }),
  samplingRule: described(z.enum(RULES).default('documented'), 'documented or code: the study differs in which points'),
  samplingSeed: described(whole(0, 2 ** 32 - 1).default(SAMPLING_SEED), 'of lhs', { aliases: ['seed'] }),
  importanceScoresFile: described(
    z.string().optional(),
    'JSON of block and score: the least important blocks go, the first and the last never; without it the first blocks run',
    { aliases: ['importance_scores_file'], value: '<file>' },
  ),
};
export type TierOptions = Values<typeof tier_options>;

export function tier_cells(on: Subject, options: TierOptions): (Cell | Skipped)[] {
  const { n_layers, n_experts, top_k: own, max_crops } = on.config;
  const { topK, numActiveBlocks, importanceScoresFile: path } = options;
  const { top_k, blocks } = chosen_levels(
    { crops: [], ...tier_levels(on.config) },
    { top_k: topK, blocks: numActiveBlocks },
  );
  const usual = TIER_NAMES.filter((tier) => crop_tiers[tier].min_crops <= max_crops);
  const tiers = TIER_NAMES.filter((tier) => (options.tierList ?? usual).includes(tier));
  // Tiers are sampled as if they were numbers of crops.
  const levels = { crops: tiers.map((_, i) => i), top_k, blocks };
  const { sampling: strategy, samplingRule: rule, samplingSeed: seed } = options;
  const scores = path === undefined ? undefined : read_importance(path);
  return sample_grid(levels, { strategy, rule, seed }).map((point) => {
    const tier = tiers[point.crops] as CropTierName;
    const settings = { tier, top_k: point.top_k, num_active_blocks: point.blocks };
    const skipped = (reason: string): Skipped => ({ key: key_of(settings), settings, reason });
    if (point.blocks > n_layers) return skipped(`expected at most ${n_layers} blocks, found ${point.blocks}`);
    if (point.top_k > n_experts) return skipped(`expected at most ${n_experts} experts, found ${point.top_k}`);
    const kept = scores
      ? important_blocks(point.blocks, n_layers, scores)
      : chosen_blocks(point.blocks, n_layers, 'prefix');
    return answers_cell(on, settings, {
      tier,
      ...(point.top_k === own ? {} : { topK: point.top_k }),
      ...(point.blocks === n_layers ? {} : { blocks: kept }),
    });
  });
}

type Scores = ReturnType<typeof read_importance>;

/** The first, the last, and of those between the most important; of equal ones the earlier. One alone is the first. */
export function important_blocks(count: number, all: number, scores: Scores): number[] {
  if (count >= all) return Array.from({ length: all }, (_, i) => i);
  const ends = [0, all - 1].slice(0, count);
  const known = new Map(scores.map(({ block, score }) => [block, score]));
  const between = Array.from({ length: Math.max(0, all - 2) }, (_, i) => i + 1);
  const unknown = between.find((block) => !known.has(block));
  if (unknown !== undefined) {
    throw new InputError(
      `importanceScoresFile: expected a score of block ${unknown}, found none; score all but the ends`,
    );
  }
  const by_score = between.toSorted((a, b) => (known.get(b) as number) - (known.get(a) as number) || a - b);
  return [...ends, ...by_score.slice(0, count - ends.length)].sort((a, b) => a - b);
}

/** Of the most crops, with the model's own experts and all blocks: what the others are held against. */
export const fullest_of = (configurations: readonly Configuration[]): Configuration | undefined =>
  configurations
    .filter(({ knobs }) => knobs.topK === undefined && knobs.blocks === undefined)
    .toSorted((a, b) => tier_place(b) - tier_place(a))[0];

const tier_place = ({ settings }: Configuration): number => TIER_NAMES.indexOf(settings.tier as CropTierName);
