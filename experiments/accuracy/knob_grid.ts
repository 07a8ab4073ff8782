import { z } from 'zod';
import { UsageError } from '../../engine/errors.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import type { Saved, Values } from '../lab/define.ts';
import type { Subject } from '../lab/inputs.ts';
import { chosen_levels } from '../lab/knob_levels.ts';
import { described, toggle, whole, wholes } from '../lab/options.ts';
import { type Cell, key_of } from '../lab/plan.ts';
import {
  BLOCK_CHOICES,
  type BlockChoice,
  chosen_blocks,
  type KnobLevels,
  type KnobPoint,
  RULES,
  SAMPLING_SEED,
  STRATEGIES,
  type Strategy,
  sample_grid,
} from '../lab/sampling.ts';
import { type Configuration, count, type Skipped } from '../lab/schema.ts';
import type { ScoredSample } from '../lab/schema_answers.ts';
import { answers_cell } from './cell.ts';
import { config_of, config_shape, full_of, type Quality, quality_of, quality_shape, samples_of } from './quality.ts';
import { scores_of_all } from './score.ts';

/** What experiments share that turn crops, experts a token and blocks together and see what becomes of the answers. */

export const GRID_KNOBS = ['max_crops', 'top_k', 'num_active_blocks'] as const;
export type GridKnob = (typeof GRID_KNOBS)[number];

/** How tables and figures call them. */
export const KNOB_NAMES: Readonly<Record<GridKnob, string>> = {
  max_crops: 'Crops at most',
  top_k: 'Experts a token',
  num_active_blocks: 'Active blocks',
};

export const KNOB_SWEEPS = ['maxCrops', 'topK', 'blocks'] as const;

/** Axes and how their points are chosen; experiments differ in what they choose by default. */
export const grid_options = (usual: { readonly strategy: Strategy; readonly blocks: BlockChoice }) => ({
  maxCrops: described(wholes(1, 100).optional(), 'crops at most; by the model when left out', {
    aliases: ['max_crops'],
  }),
  topK: described(wholes(1, 64).optional(), 'experts a token takes; by the model when left out', {
    aliases: ['top_k'],
  }),
  numActiveBlocks: described(wholes(1, 1000).optional(), 'blocks that run; by the model when left out', {
    aliases: ['num_active_blocks'],
  }),
  sampling: described(z.enum(STRATEGIES).default(usual.strategy), `points of the grid: ${STRATEGIES.join(', ')}`, {
    aliases: ['sampling_strategy'],
  }),
  samplingRule: described(z.enum(RULES).default('documented'), 'documented or code: the study differs in which points'),
  samplingSeed: described(whole(0, 2 ** 32 - 1).default(SAMPLING_SEED), 'of lhs', { aliases: ['seed'] }),
  blockChoice: described(
    z.enum(BLOCK_CHOICES).default(usual.blocks),
    "prefix: the first blocks run; seeded: the study's sets of them",
  ),
  gridOnly: described(toggle(), 'leave out the model as it is, which the rest is held against'),
});
export type GridOptions = Values<ReturnType<typeof grid_options>>;

/** Every value once: a cell asked for twice would be counted twice. */
export function check_grid({ maxCrops, topK, numActiveBlocks }: GridOptions): void {
  for (const [name, values = []] of Object.entries({ maxCrops, topK, numActiveBlocks })) {
    const twice = values.find((value, i) => values.indexOf(value) !== i);
    if (twice !== undefined) throw new UsageError(`${name}: ${twice} is asked for twice; name each value once`);
  }
}

/** Points of the grid, and the model as it is where they leave it out: what is lost is lost against that. */
export function grid_cells(
  on: Subject,
  options: GridOptions,
  usual: (config: ModelConfig) => KnobLevels,
): (Cell | Skipped)[] {
  const { maxCrops: crops, topK: top_k, numActiveBlocks: blocks, sampling: strategy, samplingRule: rule } = options;
  const { config } = on;
  const levels = chosen_levels(usual(config), { crops, top_k, blocks });
  const points = sample_grid(levels, { strategy, rule, seed: options.samplingSeed });
  const full: KnobPoint = { crops: config.max_crops, top_k: config.top_k, blocks: config.n_layers };
  const key = (point: KnobPoint) => [point.crops, point.top_k, point.blocks].join();
  const is_there = points.some((point) => key(point) === key(full));
  const all = options.gridOnly || is_there ? points : [...points, full];
  return all.map((point) => cell_at(on, point, options.blockChoice));
}

/** What is at the model's own value is not turned: such a cell is the model as it is. */
function cell_at(on: Subject, { crops, top_k, blocks }: KnobPoint, choice: BlockChoice): Cell | Skipped {
  const { max_crops, n_experts, n_layers, top_k: own } = on.config;
  const settings = { max_crops: crops, top_k, num_active_blocks: blocks };
  const skipped = (reason: string): Skipped => ({ key: key_of(settings), settings, reason });
  if (blocks > n_layers) return skipped(`expected at most ${n_layers} blocks, all of this model, found ${blocks}`);
  if (top_k > n_experts) return skipped(`expected at most ${n_experts} experts, all of a block, found ${top_k}`);
  return answers_cell(on, settings, {
    ...(crops === max_crops ? {} : { maxCrops: crops }),
    ...(top_k === own ? {} : { topK: top_k }),
    ...(blocks === n_layers ? {} : { blocks: chosen_blocks(blocks, n_layers, choice) }),
  });
}

export const knobs_shape = { max_crops: count, top_k: count, num_active_blocks: count };
export const grid_row_shape = {
  key: z.string(),
  ...knobs_shape,
  num_total_blocks: count,
  active_block_indices: z.array(count),
  ...quality_shape,
};
export type KnobSettings = Readonly<Record<GridKnob, number>>;
export type GridRow = Quality &
  KnobSettings & {
    readonly key: string;
    readonly num_total_blocks: number;
    readonly active_block_indices: number[];
  };

export const knobs_of = ({ settings }: Pick<Configuration, 'settings'>): KnobSettings => ({
  max_crops: Number(settings.max_crops),
  top_k: Number(settings.top_k),
  num_active_blocks: Number(settings.num_active_blocks),
});

/** Which blocks ran. */
export function blocks_of({ knobs }: Pick<Configuration, 'knobs'>, { run }: Pick<Saved, 'run'>): number[] {
  const { layers } = run.fingerprint.provenance.model;
  return (knobs.blocks as number[] | undefined) ?? Array.from({ length: layers }, (_, i) => i);
}

/** Intervals of many samples take a while, and the file of all cells and those of each have the same rows. */
const known_rows = new WeakMap<readonly Configuration[], GridRow[]>();

export function grid_rows(saved: Pick<Saved, 'run' | 'configurations'>): GridRow[] {
  const { configurations } = saved;
  const known = known_rows.get(configurations);
  if (known !== undefined) return known;
  const full = full_of(configurations);
  const rows = configurations.map((one) => ({
    key: one.key,
    ...knobs_of(one),
    num_total_blocks: saved.run.fingerprint.provenance.model.layers,
    active_block_indices: blocks_of(one, saved),
    ...quality_of(one, full),
  }));
  known_rows.set(configurations, rows);
  return rows;
}

/** Of one cell; against the full model where it is among them. */
export const grid_row = (one: Configuration, saved: Pick<Saved, 'run' | 'configurations'>): GridRow =>
  grid_rows(saved)[saved.configurations.indexOf(one)] as GridRow;

/** A cell with some of its samples: another question is asked of the same answers. */
export function of_samples(one: Configuration, some: (sample: ScoredSample) => boolean): Configuration {
  if (one.answers === undefined) throw new Error(`${one.key}: a cell without answers`);
  const samples = samples_of(one).filter(some);
  const { metric } = one.answers;
  return { ...one, answers: { ...one.answers, samples, of_all: scores_of_all(samples, metric) } };
}

export const grid_config_shape = {
  ...config_shape,
  num_total_blocks: count,
  max_crops_list: z.array(count),
  top_k_list: z.array(count),
  num_active_blocks_list: z.array(count),
  sampling_strategy: z.enum(STRATEGIES),
  sampling_rule: z.enum(RULES),
  sampling_seed: count,
  block_choice: z.enum(BLOCK_CHOICES),
  num_combinations: count,
};

/** Of the file of all cells: values that the grid has, the model's own among them. */
export function grid_config_of(saved: Saved, options: GridOptions) {
  const { configurations, skipped, run } = saved;
  const values = (knob: GridKnob) =>
    [...new Set([...configurations, ...skipped].map((one) => knobs_of(one)[knob]))].sort((a, b) => a - b);
  return {
    ...config_of(saved, configurations),
    num_total_blocks: run.fingerprint.provenance.model.layers,
    max_crops_list: values('max_crops'),
    top_k_list: values('top_k'),
    num_active_blocks_list: values('num_active_blocks'),
    sampling_strategy: options.sampling,
    sampling_rule: options.samplingRule,
    sampling_seed: options.samplingSeed,
    block_choice: options.blockChoice,
    num_combinations: configurations.length,
  };
}

export const cell_config_shape = {
  ...config_shape,
  ...knobs_shape,
  num_total_blocks: count,
  active_block_indices: z.array(count),
  /** Place among the cells of the grid. */
  config_index: count,
  sampling_strategy: z.enum(STRATEGIES),
};

/** Of a cell's own file. */
export const cell_config_of = (one: Configuration, saved: Saved) => ({
  ...config_of(saved, [one]),
  ...knobs_of(one),
  num_total_blocks: saved.run.fingerprint.provenance.model.layers,
  active_block_indices: blocks_of(one, saved),
  config_index: saved.configurations.indexOf(one),
  sampling_strategy: z.enum(STRATEGIES).parse(saved.options?.sampling),
});

/** crops2_topk4_blocks8: how the study's files call a cell. */
export const cell_name = (one: Pick<Configuration, 'settings'>): string => {
  const { max_crops, top_k, num_active_blocks } = knobs_of(one);
  return `crops${max_crops}_topk${top_k}_blocks${num_active_blocks}`;
};
