import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  batch_size_limit,
  estimate_batch_size,
  estimate_batch_size_for_max_crops,
  estimate_batch_size_for_num_blocks,
  estimate_batch_size_for_top_k,
  search_batch_size,
} from '../../experiments/accuracy/batch_size.ts';

describe("the study's tables", () => {
  it('are those of its code', () => {
    const crops = [2, 4, 6, 8, 10, 12, 13].map((most) => estimate_batch_size_for_max_crops(most, 64));
    expect(crops).toEqual([64, 51, 38, 32, 25, 19, 16]);
    const top_k = [4, 8, 16, 32, 64].map((k) => estimate_batch_size_for_top_k(k, 64));
    expect(top_k).toEqual([64, 57, 51, 44, 38]);
    const blocks = [4, 8, 12, 16].map((active) => estimate_batch_size_for_num_blocks(active, 16, 64));
    expect(blocks).toEqual([64, 57, 51, 44]);
    expect(estimate_batch_size_for_max_crops(12, 1)).toBe(1);
  });

  it('together: the smallest, and how far a search may go', () => {
    expect(estimate_batch_size({ max_crops: 6, top_k: 8, active: 1 }, 64)).toBe(38);
    expect(estimate_batch_size({ max_crops: 2, top_k: 4, active: 1 }, 64)).toBe(44);
    expect(batch_size_limit({ max_crops: 2, top_k: 4, active: 0.5 }, 64)).toBe(128);
    expect(batch_size_limit({ max_crops: 4, top_k: 8, active: 1 }, 63)).toBe(94);
    expect(batch_size_limit({ max_crops: 6, top_k: 4, active: 0.5 }, 64)).toBe(64);
  });
});

/** Tries on an adapter that holds so many. */
function tried(start: number, limit: number, holds: number, adjust = true): { sizes: number[]; gave_up: boolean } {
  const search = search_batch_size(start, limit, adjust);
  const sizes: number[] = [];
  for (let i = 0; i < 30; i++) {
    const size = search.size();
    sizes.push(size);
    if (size <= holds) search.worked(size);
    else if (!search.failed(size)) return { sizes, gave_up: true };
  }
  return { sizes, gave_up: false };
}

describe('the search', () => {
  it('grows by half up to its limit', () => {
    expect(tried(16, 64, 1000).sizes.slice(0, 6)).toEqual([16, 24, 36, 54, 64, 64]);
  });

  it('goes back where a batch does not fit, and never there again', () => {
    const { sizes } = tried(40, 64, 45);
    expect(sizes.slice(0, 3)).toEqual([40, 60, 50]);
    expect(sizes.at(-1)).toBe(45);
    expect(tried(64, 64, 5).sizes.slice(0, 5)).toEqual([64, 32, 16, 8, 4]);
  });

  it('does not grow where it must not', () => {
    expect(new Set(tried(16, 64, 1000, false).sizes)).toEqual(new Set([16]));
  });

  it('settles on a size that fits, whatever the adapter holds; gives up where not even one does', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 200 }),
        fc.nat(300),
        (start, limit, holds) => {
          const { sizes, gave_up } = tried(start, limit, holds);
          expect(gave_up).toBe(holds === 0);
          expect(Math.max(...sizes)).toBeLessThanOrEqual(limit);
          expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1);
          if (!gave_up) expect(sizes.slice(-5).every((size) => size <= holds && size === sizes.at(-1))).toBe(true);
          const failed = sizes.filter((size) => size > holds);
          expect(new Set(failed).size).toBe(failed.length);
        },
      ),
    );
  });

  it('learns nothing of a last batch that is smaller than it asked for', () => {
    const search = search_batch_size(16, 64, true);
    search.worked(3);
    expect(search.size()).toBe(16);
  });
});
