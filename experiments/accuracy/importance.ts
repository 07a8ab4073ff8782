import type { Knobs } from '../../engine/model/knobs.ts';
import type { Saved } from '../lab/define.ts';
import { random_numbers } from '../lab/random.ts';
import type { Configuration, Settings } from '../lab/schema.ts';
import { spearman } from '../lab/stats.ts';
import { mean } from '../lab/typical.ts';
import { read_importance } from './importance_file.ts';
import { bootstrap_ratio, grouped } from './metrics/bootstrap.ts';
import { pair_up } from './metrics/paired.ts';
import { scored_of } from './quality.ts';

/** Which blocks may go: what answers lose without each, and without several. */

export interface BlockPoint {
  readonly settings: Settings;
  readonly knobs: Knobs;
}

export const NONE = 'none';

const all_blocks = (layers: number): number[] => Array.from({ length: layers }, (_, i) => i);
const ascending = (blocks: readonly number[]): number[] => [...blocks].sort((a, b) => a - b);

/** The model without these blocks: one cell, whichever way it was found. */
export function without(removed: readonly number[], layers: number): BlockPoint {
  const gone = ascending(removed);
  return {
    settings: { removed: gone.join('-') || NONE, num_active_blocks: layers - gone.length },
    knobs: gone.length === 0 ? {} : { blocks: all_blocks(layers).filter((block) => !gone.includes(block)) },
  };
}

/** Each set once. */
export function once_each(points: readonly BlockPoint[]): BlockPoint[] {
  return [...new Map(points.map((point) => [String(point.settings.removed), point])).values()];
}

/** Nothing gone, and each block gone alone where that is to be found out. */
export const ablations = (layers: number, alone: boolean): BlockPoint[] => [
  without([], layers),
  ...(alone ? all_blocks(layers) : []).map((block) => without([block], layers)),
];

/** A file that cannot be read is refused before anything runs. */
export const check_importance = ({ importanceScoresFile: file }: { importanceScoresFile?: string | undefined }): void =>
  void (file && read_importance(file));

/** What ablations here say, or a file. */
export const known_importance = (
  saved: Pick<Saved, 'configurations' | 'run'>,
  seed: number,
  file: string | undefined,
): Pick<Importance, 'block' | 'score'>[] => (file === undefined ? importance_of(saved, seed) : read_importance(file));

/** So many of the last blocks. */
export const left_out_prefix = (gone: number, layers: number): number[] => all_blocks(layers).slice(layers - gone);

export const layers_of = ({ run }: Pick<Saved, 'run'>): number => run.fingerprint.provenance.model.layers;

export const removed_of = ({ settings }: Pick<Configuration, 'settings'>): number[] =>
  settings.removed === NONE ? [] : String(settings.removed).split('-').map(Number);

export const cell_without = (
  { configurations }: Pick<Saved, 'configurations'>,
  removed: readonly number[],
): Configuration | undefined => {
  const name = ascending(removed).join('-') || NONE;
  return configurations.find(({ settings }) => settings.removed === name);
};

export const accuracy_of = (one: Configuration): number => mean(scored_of(one).map(({ score }) => score));

export interface Importance {
  readonly block: number;
  /** Accuracy of the whole model less that without the block. */
  readonly score: number;
  readonly ci95: readonly [number, number] | null;
}

/** Of every block that was taken out alone; its interval by drawing pictures with this seed. */
export function importance_of(saved: Pick<Saved, 'configurations' | 'run'>, seed: number): Importance[] {
  const full = cell_without(saved, []);
  if (full === undefined) return [];
  return all_blocks(layers_of(saved)).flatMap((block) => {
    const ablated = cell_without(saved, [block]);
    if (ablated === undefined) return [];
    const { value, ci95 } = drop(full, ablated, seed);
    return [{ block, score: value, ci95 }];
  });
}

const named = (one: Configuration) => ({ name: one.key, scored: scored_of(one) });

function drop(full: Configuration, ablated: Configuration, seed: number) {
  const pictures = grouped(pair_up(named(full), named(ablated)), ({ picture }) => picture).map((pairs) => ({
    lost: pairs.reduce((sum, { a, b }) => sum + a - b, 0),
    n: pairs.length,
  }));
  return bootstrap_ratio(pictures, 'lost', 'n', { seed });
}

/** Blocks by what answers lose without them, least first; of equals the later block goes first. */
export const least_first = (importance: readonly Pick<Importance, 'block' | 'score'>[]): number[] =>
  importance.toSorted((a, b) => a.score - b.score || b.block - a.block).map(({ block }) => block);

/** The least important blocks but the first and the last, which always run. */
export function pruned(
  importance: readonly Pick<Importance, 'block' | 'score'>[],
  layers: number,
  gone: number,
): number[] {
  return least_first(importance.filter(({ block }) => block > 0 && block < layers - 1)).slice(0, gone);
}

const HALVES_SEED = 1;

/** Whether half of the samples ranks the blocks as the other half does: Spearman's correlation; null where all are alike. */
export function halves_agree(saved: Pick<Saved, 'configurations' | 'run'>): number | null {
  const full = cell_without(saved, []);
  if (full === undefined || scored_of(full).length < 2) return null;
  // Drawn, not every other one: sets ask their types of questions in turns.
  const random = random_numbers(HALVES_SEED);
  const first = scored_of(full).map(() => random() < 0.5);
  if (!first.includes(true) || !first.includes(false)) return null;
  const of_half = (half: boolean) =>
    all_blocks(layers_of(saved)).flatMap((block) => {
      const ablated = cell_without(saved, [block]);
      if (ablated === undefined) return [];
      const in_half = (one: Configuration) => scored_of(one).filter((_, i) => first[i] === half);
      return mean(in_half(full).map(({ score }) => score)) - mean(in_half(ablated).map(({ score }) => score));
    });
  return spearman(of_half(true), of_half(false));
}

export interface BeamOptions {
  readonly width: number;
  /** Blocks that are taken out in the end. */
  readonly most: number;
}

/**
 * The sets that the beam search asks for next: from each of the best sets of one size, every further block gone. What was
 * pruned by importance is always among them, so that the search never ends below it. Empty when the search has ended.
 */
export function beam_step(
  saved: Saved,
  { width, most }: BeamOptions,
  prunings: readonly (readonly number[])[],
): number[][] {
  const layers = layers_of(saved);
  for (let size = 0; size < most; size++) {
    const kept = beam_of(saved, size, width);
    const next = kept.flatMap((gone) =>
      all_blocks(layers)
        .filter((block) => !gone.includes(block))
        .map((block) => ascending([...gone, block])),
    );
    const asked = [...next, ...prunings.filter(({ length }) => length === size + 1).map(ascending)];
    const missing = asked.filter((gone) => cell_without(saved, gone) === undefined);
    if (missing.length > 0) return missing;
  }
  return [];
}

/** The best sets of this size, best first; of equals the one that comes first by its blocks. */
export const beam_of = (saved: Pick<Saved, 'configurations'>, size: number, width: number): number[][] =>
  saved.configurations
    .map((one) => ({ gone: removed_of(one), accuracy: accuracy_of(one) }))
    .filter(({ gone }) => gone.length === size)
    .sort((a, b) => b.accuracy - a.accuracy || (a.gone.join() < b.gone.join() ? -1 : 1))
    .slice(0, width)
    .map(({ gone }) => gone);
