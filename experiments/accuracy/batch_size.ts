/** How many questions are asked together: the study's tables to begin with, then what the adapter holds. */

type Step = readonly [at_most: number, factor: number];

const CROPS: readonly Step[] = [
  ...([
    [2, 1],
    [4, 0.8],
    [6, 0.6],
    [8, 0.5],
    [10, 0.4],
    [12, 0.3],
    [Infinity, 0.25],
  ] as const),
];
const TOP_K: readonly Step[] = [
  ...([
    [4, 1],
    [8, 0.9],
    [16, 0.8],
    [32, 0.7],
    [Infinity, 0.6],
  ] as const),
];
const BLOCKS: readonly Step[] = [
  ...([
    [0.25, 1],
    [0.5, 0.9],
    [0.75, 0.8],
    [Infinity, 0.7],
  ] as const),
];

const factor = (steps: readonly Step[], value: number): number =>
  (steps.find(([at_most]) => value <= at_most) as Step)[1];
const whole = (size: number): number => Math.max(1, Math.floor(size));

export const estimate_batch_size_for_max_crops = (max_crops: number, base: number): number =>
  whole(base * factor(CROPS, max_crops));

export const estimate_batch_size_for_top_k = (top_k: number, base: number): number =>
  whole(base * factor(TOP_K, top_k));

export const estimate_batch_size_for_num_blocks = (active: number, total: number, base: number): number =>
  whole(base * factor(BLOCKS, active / total));

export interface Turned {
  readonly max_crops: number;
  readonly top_k: number;
  /** Of all blocks, those that run. */
  readonly active: number;
}

/** The smallest of the three estimates. */
export const estimate_batch_size = ({ max_crops, top_k, active }: Turned, base: number): number =>
  whole(base * Math.min(factor(CROPS, max_crops), factor(TOP_K, top_k), factor(BLOCKS, active)));

/** As far as a search may go. */
export function batch_size_limit({ max_crops, top_k, active }: Turned, base: number): number {
  if (max_crops <= 2 && top_k <= 4 && active <= 0.5) return 2 * base;
  if (max_crops <= 4 && top_k <= 8) return whole(1.5 * base);
  return base;
}

export interface BatchSearch {
  /** To be tried next. */
  size(): number;
  /** So many were answered together. */
  worked(size: number): void;
  /** So many did not fit the adapter's memory: fewer from now on. False: not even one does. */
  failed(size: number): boolean;
}

const GROWTH = 1.5;
const ATTEMPTS = 5;

/**
 * The search of the study's loaders, except that its probes are the work itself: what a probe answered is kept. It grows by
 * half while batches fit, up to the limit and five times at most; what did not fit is never tried again.
 */
export function search_batch_size(start: number, limit: number, adjust: boolean): BatchSearch {
  let size = Math.max(1, Math.min(start, limit));
  let attempts = 1;
  let fits = 0;
  let too_many = Infinity;
  return {
    size: () => size,
    worked: (done) => {
      fits = Math.max(fits, done);
      // The last batch of a set may be smaller than was asked for: it tells nothing.
      if (!adjust || done < size || attempts >= ATTEMPTS) return;
      const next = Math.min(limit, too_many - 1, Math.floor(GROWTH * size));
      if (next <= size) return;
      attempts += 1;
      size = next;
    },
    failed: (tried) => {
      if (tried <= 1) return false;
      too_many = Math.min(too_many, tried);
      size = fits > 0 && fits < tried ? Math.max(1, Math.floor((fits + tried) / 2)) : Math.floor(tried / 2);
      if (size >= tried) size = Math.max(1, tried - 1);
      attempts += 1;
      if (attempts > ATTEMPTS && fits > 0 && fits < tried) size = fits;
      return true;
    },
  };
}
