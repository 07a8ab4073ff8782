import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { number_text, read_number, rounded } from '../../experiments/accuracy/metrics/numbers.ts';
import { hostile_text } from '../support/hostile_text.ts';

describe('numbers as Python has them', () => {
  const NO_NUMBERS = [
    '',
    '.',
    '_1',
    '1_',
    '1__0',
    '1_.0',
    '0x10',
    '1e',
    'e1',
    '1 0',
    '--1',
    'infin',
    '1,000',
    '\ufeff1',
    '²',
  ];
  const read: readonly (readonly [string, number | null])[] = [
    ['1', 1],
    [' 1_000.5e-1\u3000', 100.05],
    ['.5', 0.5],
    ['5.', 5],
    ['+1E3', 1000],
    ['١٢٫', null],
    ['١٢.٣', 12.3],
    ['𝟙𝟚', 12], // the second of five runs of digits without a gap
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['+inf', Number.POSITIVE_INFINITY],
    ['nAn', Number.NaN],
    ['1e400', Number.POSITIVE_INFINITY],
    ...NO_NUMBERS.map((text) => [text, null] as const),
  ];
  it.each(read)('reads %j as %s', (text, want) => expect(read_number(text)).toBe(want));

  it.each([
    [2.345, 2, 2.35], // a little above the half
    [1.005, 2, 1], // a little below
    [0.125, 2, 0.12], // a half itself: to the even digit
    [0.375, 2, 0.38],
    [-0.125, 2, -0.12],
    [2.5, 0, 2],
    [3.5, 0, 4],
    [1e22, 2, 1e22],
    [Number.POSITIVE_INFINITY, 2, Number.POSITIVE_INFINITY],
  ])('rounds %d to %d places: %d', (x, places, want) => expect(rounded(x, places)).toBe(want));

  it.each([
    [3, '3.0'],
    [-0, '-0.0'],
    [0.1, '0.1'],
    [1e15, '1000000000000000.0'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [Number.NaN, 'nan'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ])('writes %d as %s', (x, want) => expect(number_text(x)).toBe(want));

  it('reads what it writes', () => {
    fc.assert(
      fc.property(fc.double(), (x) => {
        expect(read_number(number_text(x))).toBe(x);
      }),
    );
  });

  it('reads any text, and rounds any number to the nearest', () => {
    fc.assert(
      fc.property(hostile_text, fc.double({ min: -1e9, max: 1e9, noNaN: true }), (text, x) => {
        const value = read_number(text);
        expect(value === null || typeof value === 'number').toBe(true);
        expect(Math.abs(rounded(x, 2) - x)).toBeLessThanOrEqual(0.005 + 1e-6);
      }),
    );
  });
});
