import { UsageError } from '../errors.ts';
import type { ModelConfig } from './config.ts';

/** How a picture is cut: one of the three at most. The tiling adapts to the picture below `maxCrops`. */
export type CropKnob =
  /** High-resolution crops at most. */
  | { readonly maxCrops?: number; readonly crops?: undefined; readonly tier?: undefined }
  /** Exactly this many high-resolution crops. */
  | { readonly crops: number; readonly maxCrops?: undefined; readonly tier?: undefined }
  /** A named range of crop counts. */
  | { readonly tier: 'low' | 'medium' | 'high'; readonly maxCrops?: undefined; readonly crops?: undefined };

export interface BlockKnobs {
  /** Experts a token takes: one number for every block, or one a block. */
  readonly topK?: number | readonly number[];
  /** Experts a token takes instead that holds a cell of the picture, in the same forms. */
  readonly topKVision?: number | readonly number[];
  /** Blocks that run, 0-based; the others are skipped. All by default; none is allowed. */
  readonly blocks?: readonly number[];
}

/** What a request may turn. Inputs, never state: two requests with different knobs can follow each other. */
export type Knobs = BlockKnobs & CropKnob;

/** Knobs of the language model, checked: experts a token in each block, or 0 where the block is skipped. */
export type BlockPlan = readonly number[];

/** Of tokens of text, and of all that are made. */
export const plan_blocks = (config: ModelConfig, { topK, blocks }: BlockKnobs): BlockPlan =>
  checked_plan(config, 'topK', topK ?? config.top_k, blocks);

/** Of tokens that hold a cell of the picture. */
export const plan_pictures = (config: ModelConfig, knobs: BlockKnobs): BlockPlan =>
  knobs.topKVision === undefined
    ? plan_blocks(config, knobs)
    : checked_plan(config, 'topKVision', knobs.topKVision, knobs.blocks);

function checked_plan(
  { n_layers, n_experts }: ModelConfig,
  name: 'topK' | 'topKVision',
  wanted: number | readonly number[],
  blocks: BlockKnobs['blocks'],
): BlockPlan {
  const top_k = typeof wanted === 'number' ? new Array<number>(n_layers).fill(wanted) : wanted;
  if (top_k.length !== n_layers) {
    throw new UsageError(`${name}: expected one number or ${n_layers}, one a block; found ${top_k.length}`);
  }
  const wrong = top_k.find((k) => !Number.isInteger(k) || k < 1 || k > n_experts);
  if (wrong !== undefined) {
    throw new UsageError(
      `${name}: expected a whole number from 1 to ${n_experts} (the experts of a block), found ${wrong}`,
    );
  }
  const active = new Set(blocks ?? top_k.keys());
  for (const block of active) {
    if (!Number.isInteger(block) || block < 0 || block >= n_layers) {
      throw new UsageError(`blocks: expected numbers from 0 to ${n_layers - 1}, found ${block}`);
    }
  }
  return top_k.map((k, block) => (active.has(block) ? k : 0));
}

/** "0-7,12" -> [0, 1, ..., 7, 12]; "none" -> []. */
export function parse_blocks(text: string): number[] {
  if (text.trim() === 'none') return [];
  const blocks = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,4})(?:\s*-\s*(\d{1,4}))?\s*$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first) {
      throw new UsageError(
        `blocks: expected numbers and ranges such as 0-7,12 (or none), found "${part}" in "${text}"`,
      );
    }
    for (let block = first; block <= last; block++) blocks.add(block);
  }
  return [...blocks].sort((a, b) => a - b);
}
