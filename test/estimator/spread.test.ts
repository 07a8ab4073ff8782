import { describe, expect, it } from 'vitest';
import { preset_config } from '../../engine/model/presets.ts';
import { examples_of } from '../../experiments/estimator/example.ts';
import { beyond } from '../../experiments/estimator/hull.ts';
import { own_levels, spread, TILINGS } from '../../experiments/estimator/spread.ts';
import { e3_configurations, LLVMPIPE, settings_of } from '../support/e3_records.ts';

const config = preset_config('molmoe-mini');
const levels = { ...own_levels(config), image: TILINGS, prompt: [20, 60, 150, 400], answer: [2, 8, 24, 64] };

describe('a spread of configurations', () => {
  it('has as many as were asked for, each once, the same for a seed', () => {
    const points = spread(config, levels, 60, 1);
    expect(new Set(points.map((point) => JSON.stringify(point))).size).toBe(60);
    expect(spread(config, levels, 60, 1)).toEqual(points);
    expect(spread(config, levels, 60, 2)).not.toEqual(points);
  });

  it('meets every level of every axis often', () => {
    const points = spread(config, levels, 110, 1);
    for (const axis of ['image', 'prompt', 'answer', 'top_k', 'blocks'] as const) {
      const counts = levels[axis].map((level) => points.filter((point) => point[axis] === level).length);
      expect(Math.min(...counts), axis).toBeGreaterThan((0.5 * 110) / counts.length);
    }
  });

  it('begins with those that say most: the ends of every knob', () => {
    const points = spread(config, levels, 10, 1);
    for (const axis of ['prompt', 'answer', 'top_k', 'blocks'] as const) {
      const values = points.map((point) => point[axis]);
      expect([Math.min(...values), Math.max(...values)], axis).toEqual([
        Math.min(...levels[axis]),
        Math.max(...levels[axis]),
      ]);
    }
  });

  it('is all there are where more are asked for; caps that change nothing make no other point', () => {
    const few = {
      ...levels,
      image: ['none', '1x1'] as const,
      prompt: [20],
      answer: [2],
      top_k: [1, 8],
      blocks: [4, 16],
    };
    expect(spread(config, few, 100, 1)).toHaveLength(8);
    const repeated = { ...few, top_k: [1, 1, 1], blocks: [4, 4] };
    expect(spread(config, repeated, 100, 1)).toHaveLength(2);
    const capped = { ...few, image: ['3x4'] as const, top_k: [8], blocks: [16] };
    expect(
      spread(config, capped, 100, 1)
        .map(({ max_crops }) => max_crops)
        .sort(),
    ).toEqual([1, 12, 4]);
  });

  it('goes over what each model has', () => {
    expect(own_levels(preset_config('molmoe-slice')).blocks).toEqual([1, 2]);
    expect(own_levels(preset_config('molmoe-1b'))).toEqual({
      max_crops: [1, 4, 12],
      top_k: [1, 2, 4, 8, 16],
      blocks: [4, 8, 12, 16],
    });
    expect(own_levels(preset_config('molmoe-tiny')).top_k).toEqual([1, 2, 4]);
  });
});

describe('a request beside the samples', () => {
  const { samples } = examples_of(e3_configurations(settings_of(60, 1), LLVMPIPE));

  it('is within them where it is one of them, or between two', () => {
    for (const sample of samples.slice(0, 10)) expect(beyond(samples, sample)).toEqual({ single: [], together: false });
    const [a, b] = samples as [(typeof samples)[number], (typeof samples)[number]];
    const mean = (of: 'views' | 'positions' | 'steps' | 'top_k' | 'blocks') => (a[of] + b[of]) / 2;
    const middle = {
      views: mean('views'),
      positions: mean('positions'),
      steps: mean('steps'),
      top_k: mean('top_k'),
      blocks: mean('blocks'),
    };
    expect(beyond(samples, middle)).toEqual({ single: [], together: false });
  });

  it('is beyond them by a number that none of them has, and says which', () => {
    const [one] = samples as [(typeof samples)[number]];
    const far = beyond(samples, { ...one, positions: 4000, top_k: 64 });
    expect(far.single.map(({ quantity, asked }) => [quantity, asked])).toEqual([
      ['positions', 4000],
      ['top_k', 64],
    ]);
    expect(far.single[0]?.most).toBe(Math.max(...samples.map(({ positions }) => positions)));
  });

  it('is beyond them by what is together: a large picture in a short prompt there is not', () => {
    const asked = { views: 13, positions: 21, steps: 1, top_k: 1, blocks: 4 };
    expect(beyond(samples, asked)).toEqual({ single: [], together: true });
  });
});
