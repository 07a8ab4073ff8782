import { describe, expect, it } from 'vitest';
import type { Check } from '../../engine/verify/check.ts';
import { as_rounded, F16_LIMITS } from '../../engine/verify/compare.ts';

const difference = (relative: number): Check => {
  return { what: 'logits.last', kind: 'difference', found: 1, limit: 1e-4, ok: false, relative };
};
const count = (kind: Check['kind'], found: number, of?: number): Check => {
  return { what: kind, kind, found, limit: 0, ok: found === 0, of };
};

describe('limits for inputs that matrix units round', () => {
  it('are for differences relative to what is wanted', () => {
    expect(as_rounded(difference(F16_LIMITS.relative))).toMatchObject({ ok: true, limit: F16_LIMITS.relative });
    expect(as_rounded(difference(1.01 * F16_LIMITS.relative)).ok).toBe(false);
    expect(as_rounded(difference(Number.POSITIVE_INFINITY)).ok).toBe(false);
  });
  it.each(['experts', 'argmax'] as const)('let few of many rows choose otherwise: %s', (kind) => {
    expect([1, 2].map((found) => as_rounded(count(kind, found, 17)).ok)).toEqual([true, false]);
    expect(as_rounded(count(kind, 1, 15)).ok).toBe(false);
  });
  it('leave all other counts exact', () => {
    for (const kind of ['tokens', 'flops'] as const) expect(as_rounded(count(kind, 1)).ok).toBe(false);
  });
});
