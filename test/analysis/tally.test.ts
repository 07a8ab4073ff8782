import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tally } from '../../experiments/analysis/tally.ts';
import { basic_statistics, percentile } from '../../experiments/lab/stats.ts';

const tally_of = (values: readonly number[]): Tally => {
  const tally = new Tally();
  for (const value of values) tally.add(value);
  return tally;
};

describe('counted whole numbers', () => {
  it('have the statistics of their list', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { minLength: 1 }), (values) => {
        const found = tally_of(values).summary();
        const { mean, std, min, max, P50, P95, P99 } = basic_statistics(values);
        expect(found).toMatchObject({ n: values.length, min, max, median: P50 });
        expect(found?.mean).toBeCloseTo(mean, 9);
        expect(found?.std).toBeCloseTo(std, 9);
        expect(found?.percentiles).toMatchObject({ P50, P95, P99, 'P99.9': percentile(values, 99.9) });
      }),
    );
  });

  it('are covered by the least value that is enough', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(20), { minLength: 1 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, share) => {
          const tally = tally_of(values);
          const least = tally.covering(share) as number;
          expect(tally.up_to(least)).toBeGreaterThanOrEqual(share * values.length);
          expect(tally.up_to(least - 1)).toBeLessThan(share * values.length);
        },
      ),
    );
  });

  it('say which percentiles rest on few, and nothing of nothing', () => {
    expect(tally_of(Array(100).fill(1)).summary()?.resting_on_few).toEqual(['P99.5', 'P99.9']);
    expect(tally_of(Array(1000).fill(1)).summary()?.resting_on_few).toEqual([]);
    expect(new Tally().summary()).toBeNull();
    expect(new Tally().covering(0.5)).toBeNull();
  });
});
