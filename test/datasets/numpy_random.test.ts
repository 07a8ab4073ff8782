import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { mersenne_twister, numpy_shuffled } from '../../experiments/datasets/numpy_random.ts';

const up_to = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('numbers of numpy', () => {
  it('are those of the Mersenne Twister', () => {
    const draw = mersenne_twister(5489);
    const drawn = up_to(10_000).map(() => draw());
    expect(drawn.slice(0, 5)).toEqual([3499211612, 581869302, 3890346734, 3586334585, 545404204]);
    // The C++ standard gives this one for its mt19937.
    expect(drawn[9999]).toBe(4123659995);
  });

  it('shuffle as RandomState(63069).shuffle does', () => {
    // Recorded from numpy 2.4.
    expect(numpy_shuffled(up_to(10), 63069)).toEqual([8, 0, 2, 4, 7, 3, 6, 1, 5, 9]);
    expect(numpy_shuffled(up_to(2000), 63069).slice(0, 6)).toEqual([724, 338, 1592, 220, 870, 1063]);
    const digest = createHash('sha256')
      .update(numpy_shuffled(up_to(26_074), 63069).join(','))
      .digest('hex');
    expect(digest).toBe('aa30b12c71423f8eba1a14233da50288c89eacaf3bafd3eeb330ba8fa4316a8d');
    expect(numpy_shuffled([], 1)).toEqual([]);
  });
});
