import type { ModelConfig } from '../../engine/model/config.ts';
import type { KnobLevels } from './sampling.ts';

/** Levels of the three knobs that the study's combined experiments try, and their like where a model has others. */

type Sizes = Pick<ModelConfig, 'max_crops' | 'n_experts' | 'n_layers' | 'top_k'>;

const ascending = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b);
const parts_of = (whole: number, parts: readonly number[], of: number): number[] =>
  ascending(parts.map((part) => Math.max(1, Math.round((part * whole) / of))));

/** As asked, else these. */
export const chosen_levels = (
  usual: KnobLevels,
  asked: { readonly [K in keyof KnobLevels]?: readonly number[] | undefined },
): KnobLevels => ({
  crops: ascending(asked.crops ?? usual.crops),
  top_k: ascending(asked.top_k ?? usual.top_k),
  blocks: ascending(asked.blocks ?? usual.blocks),
});

/** 2 to 12 crops, 4 to 32 experts, 8 to 16 blocks: of 12, 64 and 16 these parts. */
export const accuracy_levels = ({ max_crops, n_experts, n_layers }: Sizes): KnobLevels => ({
  crops: parts_of(max_crops, [1, 2, 3, 4, 5, 6], 6),
  top_k: parts_of(n_experts, [1, 2, 3, 4, 5, 6, 7, 8], 16),
  blocks: parts_of(n_layers, [4, 5, 6, 7, 8], 8),
});

/** 2 to 10 crops, 4, 8 and 12 experts, 12 to 16 blocks; experts by how many the model takes, as far as there are. */
export const latency_levels = ({ max_crops, n_experts, n_layers, top_k }: Sizes): KnobLevels => ({
  crops: parts_of(max_crops, [1, 2, 3, 4, 5], 6),
  top_k: parts_of(top_k, [1, 2, 3], 2).filter((k) => k <= n_experts),
  blocks: parts_of(n_layers, [12, 13, 14, 15, 16], 16),
});

/** E2's: tiles, experts by doubling, and blocks from a half on. */
export const coupling_levels = ({ max_crops, n_experts, n_layers }: Sizes): KnobLevels => ({
  crops: [1, 2, 3, 4, 6, 9, 12].filter((tiles) => tiles <= max_crops),
  top_k: [1, 2, 4, 8, 16, 32].filter((k) => k <= n_experts),
  blocks: parts_of(n_layers, [4, 5, 6, 7, 8], 8),
});

/** Of the program that profiles tiers of crops: 4, 6 and 8 experts of eight, 12 to 16 blocks of sixteen. */
export const tier_levels = ({ n_layers, top_k }: Sizes): Pick<KnobLevels, 'top_k' | 'blocks'> => ({
  top_k: parts_of(top_k, [2, 3, 4], 4),
  blocks: parts_of(n_layers, [12, 13, 14, 15, 16], 16),
});

/** Each knob as it is, at a half and as far down as it goes with an answer left: what is lost by turning one. */
export const halving_levels = ({ max_crops, n_layers, top_k }: Sizes): KnobLevels => ({
  crops: ascending([1, Math.max(1, Math.floor(max_crops / 2)), max_crops]),
  top_k: ascending([1, Math.max(1, Math.floor(top_k / 2)), top_k]),
  blocks: parts_of(n_layers, [2, 3, 4], 4),
});
