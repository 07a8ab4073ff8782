import { describe, expect, it } from 'vitest';
import type { Look } from '../../../experiments/lab/charts.ts';
import { PARTS, STAGES } from '../../../experiments/lab/schema.ts';
import {
  HEAT,
  HEAT_AROUND,
  heat_color,
  heat_range,
  luminance,
  MARKERS,
  NAMED,
  style_of,
  words_of,
} from '../../../experiments/lab/style.ts';
import { FULL_STAGES } from './support.ts';

const pairs = <T>(list: readonly T[]): [T, T][] => list.flatMap((a, i) => list.slice(i + 1).map((b): [T, T] => [a, b]));

describe('style table', () => {
  it.each([
    ['stages', [...STAGES, 'rest']],
    ['parts', [...PARTS, 'rest']],
  ] as [string, Look[]][])('tells %s apart by colour, by marker, and in grey', (_, looks) => {
    for (const [a, b] of pairs(looks)) {
      const [one, other] = [style_of(a), style_of(b)];
      expect(one.color, `${a} and ${b}`).not.toBe(other.color);
      expect(one.marker, `${a} and ${b}`).not.toBe(other.marker);
      expect(one.dash, `${a} and ${b}`).not.toEqual(other.dash);
      const grey = one.hatch !== other.hatch || Math.abs(luminance(one.color) - luminance(other.color)) > 0.15;
      expect(grey, `${a} and ${b} in grey`).toBe(true);
    }
  });

  it('tells forty numbered series apart, ten of them by colour and marker each', () => {
    const styles = Array.from({ length: 40 }, (_, i) => style_of(i));
    expect(new Set(styles.map((style) => JSON.stringify([style.color, style.marker]))).size).toBe(40);
    expect(new Set(styles.slice(0, 10).map(({ color }) => color)).size).toBe(10);
    expect(new Set(styles.slice(0, 10).map(({ marker }) => marker)).size).toBe(10);
  });

  it('names every stage and part in words', () => {
    expect([...STAGES, ...PARTS].map(words_of)).toEqual(FULL_STAGES);
    expect(Object.keys(NAMED).sort()).toEqual([...STAGES, ...PARTS, 'rest'].sort());
  });

  it('keeps markers within their square', () => {
    for (const path of Object.values(MARKERS)) {
      for (const number of path.match(/-?\d+(\.\d+)?/g) ?? []) expect(Math.abs(Number(number))).toBeLessThanOrEqual(1);
    }
  });

  it('mixes the colours of a map from end to end', () => {
    expect([0, 1, -5, 9].map((share) => heat_color(share, HEAT))).toEqual(['#f7fbff', '#08306b', '#f7fbff', '#08306b']);
    expect(heat_color(0.5, HEAT_AROUND)).toBe('#f7f7f7');
    const darker = Array.from({ length: 33 }, (_, i) => luminance(heat_color(i / 32, HEAT)));
    for (const [i, light] of darker.slice(1).entries()) expect(light).toBeLessThan(darker[i] as number);
  });

  it('puts the middle of a map in the middle', () => {
    expect(heat_range([1, 4])).toEqual([1, 4]);
    expect(heat_range([0.5, 4], 1)).toEqual([-2, 4]);
    expect(heat_range([3, 3])).toEqual([1.5, 4.5]);
    expect(heat_range([0, 0], 0)).toEqual([-1, 1]);
  });
});
