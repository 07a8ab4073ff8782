import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { best_within, fastest, fits, neighbours, type Priced } from '../../experiments/budget/choose.ts';
import { make_pace } from '../../experiments/budget/pace.ts';

const priced = fc.record({ quality: fc.integer({ min: 0, max: 8 }), limit_ms: fc.integer({ min: 1, max: 12 }) });
const all_of = fc.array(priced, { maxLength: 12 });
const wanted_of = fc.record({
  budget_ms: fc.integer({ min: 0, max: 13 }),
  quality_at_least: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
});

describe('of settings that keep to a budget', () => {
  it('the best answers are chosen, of equals the soonest: as looking at every one says', () => {
    fc.assert(
      fc.property(all_of, wanted_of, (all, wanted) => {
        const chosen = best_within(all, wanted);
        const kept = all.filter(
          (one) => one.limit_ms <= wanted.budget_ms && one.quality >= (wanted.quality_at_least ?? 0),
        );
        expect(chosen === undefined).toBe(kept.length === 0);
        if (chosen === undefined) return;
        expect(fits(chosen, wanted)).toBe(true);
        const most = Math.max(...kept.map(({ quality }) => quality));
        const soonest = Math.min(...kept.filter(({ quality }) => quality === most).map(({ limit_ms }) => limit_ms));
        expect([chosen.quality, chosen.limit_ms]).toEqual([most, soonest]);
      }),
    );
  });

  it('more time never gives worse answers, and wanting better ones never gives more time', () => {
    fc.assert(
      fc.property(all_of, fc.nat(13), fc.nat(13), (all, a, b) => {
        const worth = (budget_ms: number) => best_within(all, { budget_ms })?.quality ?? -1;
        expect(worth(Math.max(a, b))).toBeGreaterThanOrEqual(worth(Math.min(a, b)));
        const least = (quality: number) => fastest(all, quality)?.limit_ms ?? Number.POSITIVE_INFINITY;
        expect(least(Math.max(a, b))).toBeGreaterThanOrEqual(least(Math.min(a, b)));
      }),
    );
  });

  it('the choice does not depend on their order', () => {
    fc.assert(
      fc.property(all_of, wanted_of, (all, wanted) => {
        expect(best_within(all.toReversed(), wanted)).toEqual(best_within(all, wanted));
      }),
    );
  });

  it('a neighbour takes less and is worth less, or is the soonest that is worth more', () => {
    fc.assert(
      fc.property(all_of, wanted_of, (all, wanted) => {
        const chosen = best_within(all, wanted);
        if (chosen === undefined) return;
        const { less, more } = neighbours(all, chosen);
        if (less !== undefined) {
          expect(less.limit_ms < chosen.limit_ms && less.quality < chosen.quality).toBe(true);
        }
        const better = all.filter(({ quality }) => quality > chosen.quality).map(({ limit_ms }) => limit_ms);
        expect(more?.limit_ms).toBe(better.length === 0 ? undefined : Math.min(...better));
        // What is better would have been chosen, had it kept to the budget.
        if (more !== undefined) expect(more.limit_ms).toBeGreaterThan(wanted.budget_ms);
      }),
    );
  });

  it('nothing is nothing', () => {
    const none: Priced[] = [];
    expect([best_within(none, { budget_ms: 10 }), fastest(none)]).toEqual([undefined, undefined]);
  });
});

describe('the pace of a machine', () => {
  it('is the median of the last twenty ratios, and 1 before any run', () => {
    const pace = make_pace();
    expect([pace.factor(), pace.runs()]).toEqual([1, 0]);
    for (let i = 0; i < 30; i++) pace.note(10, 15, 30);
    expect([pace.factor(), pace.runs()]).toEqual([3, 20]);
    for (let i = 0; i < 11; i++) pace.note(10, 15, 12);
    expect(pace.factor()).toBeCloseTo(1.2, 12);
    pace.note(10, 15, 10_000); // one disturbed run does not move it
    expect(pace.factor()).toBeCloseTo(1.2, 12);
  });

  it('says how far to the upper end runs came, once fifty are there', () => {
    const pace = make_pace();
    for (let i = 0; i < 50; i++) pace.note(10, 20, 10);
    expect(pace.reach()).toBe(1); // the first one has no pace to be held against
    pace.note(10, 20, 10);
    expect(pace.reach()).toBeCloseTo(0.5, 12);
    for (let i = 0; i < 200; i++) pace.note(10, 20, i % 10 === 0 ? 60 : 10);
    expect(pace.reach()).toBeCloseTo(3, 12);
  });
});
