import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CropTierName, choose_tiling, crop_tiers, tiling_wanted } from '../../engine/input/tiling.ts';
import { nano_geometry } from '../../tools/train/nano_geometry.ts';
import { golden_test, MOLMO } from './support.ts';

type TilingCase = {
  width: number;
  height: number;
  rows_cols: Record<string, [number, number]>;
  tier_rows_cols: Record<CropTierName, [number, number]>;
};

golden_test('tilings.json', 'every size, max_crops and tier', (text) => {
  const golden = JSON.parse(text) as { tiers: unknown; cases: TilingCase[] };
  expect(crop_tiers).toEqual(golden.tiers);
  expect(golden.cases.length).toBeGreaterThan(0);
  for (const { width, height, rows_cols, tier_rows_cols } of golden.cases) {
    for (const [max_crops, [rows, cols]] of Object.entries(rows_cols)) {
      const found = choose_tiling(width, height, { max_crops: Number(max_crops) }, MOLMO);
      expect(found, `${width}x${height}, max_crops ${max_crops}`).toEqual({ rows, cols });
    }
    for (const [tier, [rows, cols]] of Object.entries(tier_rows_cols)) {
      const found = choose_tiling(width, height, { tier: tier as CropTierName }, MOLMO);
      expect(found, `${width}x${height}, tier ${tier}`).toEqual({ rows, cols });
    }
  }
});

test('adaptive tilings at the rounding edges of the rule', () => {
  const adaptive = (height: number, width: number, max_crops: number) => {
    const { rows, cols } = choose_tiling(width, height, { max_crops }, MOLMO);
    return `${rows}x${cols}`;
  };
  expect([1, 2, 3, 4, 5, 6, 8, 9, 13].map((n) => adaptive(480, 640, n))).toEqual([
    '1x1',
    '1x2',
    '1x2',
    '2x2',
    '2x2',
    '2x3',
    '2x3',
    '2x3',
    '2x3',
  ]);
  expect([1, 3, 4, 8, 9, 13].map((n) => adaptive(612, 612, n))).toEqual(['1x1', '1x1', '2x2', '2x2', '3x3', '3x3']);
  expect(adaptive(112, 112, 12)).toBe('1x1'); // both scales infinite
  expect(adaptive(100, 1000, 12)).toBe('1x1'); // negative height: every scale is negative
  expect(adaptive(1008, 1008, 12)).toBe('3x3');
});

test('common sizes by the most crops, the published table', () => {
  const table: [most: number, ...tilings: string[]][] = [
    [1, '1x1', '1x1', '1x1'],
    ...[2, 3].map((n): [number, ...string[]] => [n, '1x2', '1x1', '2x1']),
    ...[4, 5].map((n): [number, ...string[]] => [n, '2x2', '2x2', '2x2']),
    ...[6, 7, 8].map((n): [number, ...string[]] => [n, '2x3', '2x2', '3x2']),
    ...[9, 10, 11, 12, 13].map((n): [number, ...string[]] => [n, '2x3', '3x3', '3x2']),
  ];
  const sizes = [
    [480, 640],
    [612, 612],
    [640, 427],
  ] as const;
  for (const [max_crops, ...tilings] of table) {
    const found = sizes.map(([height, width]) => choose_tiling(width, height, { max_crops }, MOLMO));
    expect(found.map(({ rows, cols }) => `${rows}x${cols}`)).toEqual(tilings);
  }
});

test('exact counts keep to the count and take the nearest shape', () => {
  expect(choose_tiling(640, 480, { exact_crops: 6 }, MOLMO)).toEqual({ rows: 2, cols: 3 });
  expect(choose_tiling(480, 640, { exact_crops: 6 }, MOLMO)).toEqual({ rows: 3, cols: 2 });
  // The difference of the ratios decides, as for tiers: 1/7 is nearer to 4/3 than 7 is.
  expect(choose_tiling(640, 480, { exact_crops: 7 }, MOLMO)).toEqual({ rows: 7, cols: 1 });
  expect(choose_tiling(1680, 336, { exact_crops: 7 }, MOLMO)).toEqual({ rows: 1, cols: 7 });
  expect(choose_tiling(100, 2000, { exact_crops: 5 }, MOLMO)).toEqual({ rows: 5, cols: 1 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), side, side, (exact_crops, width, height) => {
      const { rows, cols } = choose_tiling(width, height, { exact_crops }, MOLMO);
      expect(rows * cols).toBe(exact_crops);
    }),
  );
});

const side = fc.integer({ min: 1, max: 30000 });

test('any size gives a grid within the cap', () => {
  fc.assert(
    fc.property(side, side, fc.integer({ min: 1, max: 20 }), (width, height, max_crops) => {
      const { rows, cols } = choose_tiling(width, height, { max_crops }, MOLMO);
      expect(rows * cols).toBeGreaterThanOrEqual(1);
      expect(rows * cols).toBeLessThanOrEqual(max_crops);
    }),
  );
});

test('a cap changes nothing once it reaches the crops wanted, and everything below them', () => {
  const small = fc.integer({ min: 1, max: 1900 });
  fc.assert(
    fc.property(small, small, fc.constantFrom(MOLMO, nano_geometry), (width, height, geometry) => {
      const wanted = tiling_wanted(width, height, geometry);
      const count = wanted.rows * wanted.cols;
      fc.pre(count <= 60);
      for (const max_crops of [count, count + 1, 64]) {
        expect(choose_tiling(width, height, { max_crops }, geometry)).toEqual(wanted);
      }
      if (count > 1) {
        const { rows, cols } = choose_tiling(width, height, { max_crops: count - 1 }, geometry);
        expect(rows < wanted.rows || cols < wanted.cols).toBe(true);
      }
    }),
  );
  expect(tiling_wanted(100, 1000, MOLMO)).toEqual({ rows: 1, cols: 1 });
  expect(tiling_wanted(112, 112, MOLMO)).toEqual({ rows: 1, cols: 1 });
  expect(tiling_wanted(4000, 3000, MOLMO)).toEqual({ rows: 13, cols: 18 });
});

test('bad knobs are named', () => {
  for (const bad of [0, -1, 1.5, Number.NaN, 65]) {
    expect(() => choose_tiling(9, 9, { max_crops: bad }, MOLMO)).toThrow(/maxCrops: expected .* found/);
    expect(() => choose_tiling(9, 9, { exact_crops: bad }, MOLMO)).toThrow(/crops: expected .* found/);
  }
  expect(() => choose_tiling(9, 9, { tier: 'toString' as CropTierName }, MOLMO)).toThrow(
    /low, medium, high, found "toString"/,
  );
});
