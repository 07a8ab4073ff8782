import { describe, expect, it } from 'vitest';
import { legacy_random } from '../../experiments/lab/legacy_random.ts';
import {
  chosen_blocks,
  KNOB_AXES,
  type KnobPoint,
  type Rule,
  SAMPLING_SEED,
  type Strategy,
  sample_grid,
} from '../../experiments/lab/sampling.ts';

const steps = (first: number, last: number, by: number) =>
  Array.from({ length: (last - first) / by + 1 }, (_, i) => first + by * i);
/** Of the study's combined experiments: accuracy (240 points) and latency (75). */
const ACCURACY = { crops: steps(2, 12, 2), top_k: steps(4, 32, 4), blocks: steps(8, 16, 2) };
const LATENCY = { crops: steps(2, 10, 2), top_k: [4, 8, 12], blocks: steps(12, 16, 1) };

const written = (points: readonly KnobPoint[]) => points.map((one) => KNOB_AXES.map((axis) => one[axis]).join());
const levels_in = (points: readonly KnobPoint[]) =>
  KNOB_AXES.map((axis) => [...new Set(points.map((one) => one[axis]))].sort((a, b) => a - b).join(' ')).join(' / ');
const sampled = (strategy: Strategy, rule: Rule, levels = ACCURACY, seed = SAMPLING_SEED) =>
  sample_grid(levels, { strategy, rule, seed });

describe('the generator of numpy', () => {
  it('gives its numbers: the first of seed 5489 is that of the published algorithm', () => {
    // With all 32 bits asked for, below() hands numbers through.
    expect(legacy_random(5489).below(2 ** 31)).toBe(3499211612 & 0x7fffffff);
  });
});

describe('grids as the study has them', () => {
  it.each([
    ['full', 'documented', 240, '2 4 6 8 10 12 / 4 8 12 16 20 24 28 32 / 8 10 12 14 16'],
    ['stratified', 'documented', 27, '2 6 12 / 4 16 32 / 8 12 16'],
    ['boundary', 'documented', 45, '2 6 12 / 4 8 16 24 32 / 8 12 16'],
    ['balanced', 'documented', 36, '2 6 12 / 4 12 20 32 / 8 12 16'],
    ['custom_sparse', 'documented', 36, '2 6 12 / 4 12 20 32 / 8 12 16'],
    ['full', 'code', 240, '2 4 6 8 10 12 / 4 8 12 16 20 24 28 32 / 8 10 12 14 16'],
    ['stratified', 'code', 27, '2 8 12 / 4 20 32 / 8 12 16'],
    ['boundary', 'code', 45, '2 8 12 / 4 12 20 28 32 / 8 12 16'],
    ['balanced', 'code', 27, '2 8 12 / 4 20 32 / 8 12 16'],
    ['custom_sparse', 'code', 36, '2 6 10 / 4 12 20 28 / 8 12 16'],
  ] as const)('%s as %s: %i points', (strategy, rule, count, levels) => {
    const points = sampled(strategy, rule);
    expect([points.length, levels_in(points)]).toEqual([count, levels]);
  });

  it.each([
    ['stratified', 27, '2 6 10 / 4 8 12 / 12 14 16'],
    ['balanced', 27, '2 6 10 / 4 8 12 / 12 14 16'],
    ['boundary', 27, '2 6 10 / 4 8 12 / 12 14 16'],
    ['custom_sparse', 18, '2 6 10 / 4 12 / 12 14 16'],
  ] as const)('%s of the latency lists by the code: %i points', (strategy, count, levels) => {
    const points = sampled(strategy, 'code', LATENCY);
    expect([points.length, levels_in(points)]).toEqual([count, levels]);
  });

  it('its draws are made again exactly', () => {
    expect(written(sampled('lhs', 'code'))).toEqual(
      `2,4,8 2,8,16 2,12,16 2,16,8 2,16,12 2,20,10 2,20,16 2,24,16 2,28,10 4,4,14 4,8,14 4,16,14 4,16,16 4,24,10 4,32,14
      6,4,12 6,12,10 6,16,12 6,28,8 6,28,12 6,28,16 6,32,16 8,4,8 8,4,14 8,8,8 8,8,16 8,16,12 8,16,16 8,20,8 8,20,12 8,24,10
      8,24,16 8,28,14 8,32,12 10,8,10 10,8,16 10,20,10 10,28,12 10,32,12 12,4,14 12,8,10 12,20,10 12,28,12 12,28,14 12,32,16`.split(
        /\s+/,
      ),
    );
    expect(written(sampled('lhs', 'code', LATENCY))).toEqual(
      `2,12,13 2,12,16 4,4,13 4,8,12 4,8,13 6,4,15 6,8,16 6,12,13 6,12,14 6,12,16 8,4,12 8,4,14 8,4,15 8,8,16 8,12,14 8,12,15
      10,4,13`.split(/\s+/),
    );
  });

  it('and so are the blocks it keeps', () => {
    const dropped = (count: number) =>
      steps(0, 15, 1).filter((block) => !chosen_blocks(count, 16, 'seeded').includes(block));
    expect(steps(8, 16, 1).map((count) => dropped(count).join(' '))).toEqual([
      '4 5 6 7 8 10 13 15',
      '5 6 7 8 9 13 15',
      '7 9 11 12 14 15',
      '6 8 9 11 15',
      '5 11 13 15',
      '6 10 14',
      '9 14',
      '8',
      '',
    ]);
    expect(chosen_blocks(3, 16, 'seeded')).toEqual([0, 1, 2]);
    expect(chosen_blocks(2, 2, 'seeded')).toEqual([0, 1]);
    expect(chosen_blocks(9, 16, 'prefix')).toEqual(steps(0, 8, 1));
  });
});

describe('a Latin hypercube', () => {
  it.each([1, 7, 42, 1000])(
    'of seed %i has every level equally often, give or take one, and no point twice',
    (seed) => {
      const points = sampled('lhs', 'documented', ACCURACY, seed);
      expect(points.length).toBe(60);
      expect(new Set(written(points)).size).toBe(60);
      for (const axis of KNOB_AXES) {
        const often = ACCURACY[axis].map((level) => points.filter((one) => one[axis] === level).length);
        expect(Math.max(...often) - Math.min(...often)).toBeLessThanOrEqual(1);
      }
    },
  );

  it('is the same for the same seed and another for another', () => {
    expect(sampled('lhs', 'documented')).toEqual(sampled('lhs', 'documented'));
    expect(sampled('lhs', 'documented')).not.toEqual(sampled('lhs', 'documented', ACCURACY, 43));
  });
});

it('short axes give fewer points, each once', () => {
  const levels = { crops: [1], top_k: [1, 8], blocks: [1, 2] };
  for (const strategy of ['full', 'balanced', 'stratified', 'boundary'] as const) {
    for (const rule of ['documented', 'code'] as const) {
      expect(written(sampled(strategy, rule, levels))).toEqual(['1,1,1', '1,1,2', '1,8,1', '1,8,2']);
    }
  }
  expect(sampled('lhs', 'documented', levels).length).toBe(1);
  expect(sampled('lhs', 'code', levels).length).toBe(1);
});
