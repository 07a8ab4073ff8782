import { UsageError } from '../errors.ts';
import type { ModelConfig } from './config.ts';

/** What a request may turn. Inputs, never state: two requests with different knobs can follow each other. */
export interface Knobs {
  /** Most high-resolution crops; the tiling adapts to the picture below it. */
  readonly maxCrops?: number;
  /** Exactly this many high-resolution crops. */
  readonly crops?: number;
  /** A named range of crop counts. */
  readonly tier?: string;
  /** Experts a token takes: one number for every block, or one a block. */
  readonly topK?: number | readonly number[];
  /** Blocks that run, 0-based; the others are skipped. All by default; none is allowed. */
  readonly blocks?: readonly number[];
}

/** Knobs of the language model, checked: experts a token in each block, or 0 where the block is skipped. */
export type BlockPlan = readonly number[];

export function plan_blocks(config: ModelConfig, knobs: Knobs): BlockPlan {
  const { n_layers, n_experts } = config;
  const wanted = knobs.topK ?? config.top_k;
  const top_k = typeof wanted === 'number' ? new Array<number>(n_layers).fill(wanted) : wanted;
  if (top_k.length !== n_layers) {
    throw new UsageError(`topK: expected one number or ${n_layers}, one a block; found ${top_k.length}`);
  }
  const wrong = top_k.find((k) => !Number.isInteger(k) || k < 1 || k > n_experts);
  if (wrong !== undefined) {
    throw new UsageError(
      `topK: expected a whole number from 1 to ${n_experts} (the experts of a block), found ${wrong}`,
    );
  }
  const active = new Set(knobs.blocks ?? top_k.keys());
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
      throw new UsageError(`--blocks "${text}": expected numbers and ranges such as 0-7,12 (or none), found "${part}"`);
    }
    for (let block = first; block <= last; block++) blocks.add(block);
  }
  return [...blocks].sort((a, b) => a - b);
}
