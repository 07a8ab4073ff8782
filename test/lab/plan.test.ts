import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { key_of, ordered } from '../../experiments/lab/plan.ts';

describe('key_of', () => {
  it('reads well', () => {
    expect(key_of({ regime: 'high', prompt: 'short', decode: 'long' })).toBe('high_short_long');
    expect(key_of({ regime: 'high', crops: 4, top_k: 8, share: 0.5, image: null })).toBe(
      'high_crops=4_top_k=8_share=0.5_image=none',
    );
    expect(key_of({})).toBe('only');
  });

  it('is a name of a file whatever the settings, and different for different ones, upper and lower case being one', () => {
    const value = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'aAbB_=%-./\\: \0\néß0', '文', '😀') }),
      fc.constantFrom('..', '', 'none', 'a=1', 'a=none'),
      fc.integer({ min: -3, max: 3 }),
      fc.constant(null),
      fc.string({ minLength: 150, maxLength: 400 }),
    );
    const settings = fc.record({ a: value, b: value, c: value });
    fc.assert(
      fc.property(settings, settings, (one, two) => {
        const key = key_of(one);
        expect(key).toMatch(/^[a-z0-9%=_.-]{1,120}$/);
        expect(key).not.toMatch(/^\./);
        expect(key_of({ ...one })).toBe(key);
        const same = JSON.stringify(one) === JSON.stringify(two);
        expect(key_of(two).toLowerCase() === key.toLowerCase()).toBe(same);
      }),
      { numRuns: 500 },
    );
  });
});

describe('ordered', () => {
  const cells = Array.from({ length: 15 }, (_, i) => i);

  it('keeps the plan, or shuffles it the same way for a seed', () => {
    expect(ordered(cells, 'fixed', 5)).toEqual(cells);
    const shuffled = ordered(cells, 'shuffled', 5);
    expect(shuffled).toEqual(ordered(cells, 'shuffled', 5));
    expect(shuffled).not.toEqual(cells);
    expect(shuffled).not.toEqual(ordered(cells, 'shuffled', 6));
    expect(shuffled.toSorted((a, b) => a - b)).toEqual(cells);
  });

  it('puts every cell in every place about as often', () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const order = ordered([0, 1, 2], 'shuffled', seed).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
