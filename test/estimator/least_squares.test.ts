import { describe, expect, it } from 'vitest';
import { nnls } from '../../experiments/estimator/least_squares.ts';
import { random_numbers } from '../../experiments/lab/random.ts';

type Matrix = readonly (readonly number[])[];

const squares = (rows: Matrix, values: readonly number[], x: readonly number[]): number =>
  rows.reduce(
    (sum, row, i) => sum + (row.reduce((dot, a, j) => dot + a * (x[j] as number), 0) - (values[i] as number)) ** 2,
    0,
  );

/** Gauss with pivots, over the normal equations of these columns. */
function least_squares(rows: Matrix, values: readonly number[], columns: readonly number[]): number[] | null {
  const n = columns.length;
  const m = columns.map((j) => [
    ...columns.map((k) => rows.reduce((sum, row) => sum + (row[j] as number) * (row[k] as number), 0)),
    rows.reduce((sum, row, i) => sum + (row[j] as number) * (values[i] as number), 0),
  ]);
  for (let i = 0; i < n; i++) {
    const pivot = m.reduce(
      (best, row, r) =>
        r >= i && Math.abs(row[i] as number) > Math.abs((m[best] as number[])[i] as number) ? r : best,
      i,
    );
    [m[i], m[pivot]] = [m[pivot] as number[], m[i] as number[]];
    const top = m[i] as number[];
    if (Math.abs(top[i] as number) < 1e-12) return null;
    for (const [r, row] of m.entries()) {
      if (r === i) continue;
      const factor = (row[i] as number) / (top[i] as number);
      for (let k = i; k <= n; k++) row[k] = (row[k] as number) - factor * (top[k] as number);
    }
  }
  return m.map((row, i) => (row[n] as number) / (row[i] as number));
}

/** The best of all sets of columns whose least squares are not negative. */
function by_force(rows: Matrix, values: readonly number[]): number {
  const p = rows[0]?.length ?? 0;
  let best = squares(rows, values, new Array(p).fill(0));
  for (let set = 1; set < 2 ** p; set++) {
    const columns = Array.from({ length: p }, (_, j) => j).filter((j) => set & (1 << j));
    const solution = least_squares(rows, values, columns);
    if (solution === null || solution.some((value) => value < 0)) continue;
    const x = new Array<number>(p).fill(0);
    columns.forEach((j, i) => {
      x[j] = solution[i] as number;
    });
    best = Math.min(best, squares(rows, values, x));
  }
  return best;
}

describe('least squares that are not negative', () => {
  it('are as small as the best of all sets of columns', () => {
    const random = random_numbers(5);
    for (let round = 0; round < 300; round++) {
      const p = 1 + Math.floor(6 * random());
      const n = p + Math.floor(10 * random());
      // Columns of sizes far apart, as FLOPs and launches are.
      const sizes = Array.from({ length: p }, () => 10 ** (6 * random() - 3));
      const rows = Array.from({ length: n }, () => sizes.map((size) => size * (2 * random() - 0.7)));
      const values = Array.from({ length: n }, () => 4 * random() - 1.5);
      const x = nnls(rows, values);
      expect(Math.min(...x)).toBeGreaterThanOrEqual(0);
      const best = by_force(rows, values);
      expect(squares(rows, values, x)).toBeLessThanOrEqual(best + 1e-9 * (1 + best));
    }
  });

  it('find coefficients that made the values, and leave out what did not', () => {
    const random = random_numbers(9);
    const rows = Array.from({ length: 30 }, () => Array.from({ length: 5 }, random));
    const truth = [3, 0, 0.5, 0, 7];
    const values = rows.map((row) => row.reduce((sum, a, j) => sum + a * (truth[j] as number), 0));
    nnls(rows, values).forEach((value, j) => {
      expect(value).toBeCloseTo(truth[j] as number, 8);
    });
  });

  it('cope with columns that are zero, twice there, or a multiple of each other', () => {
    const rows = [1, 2, 3, 5].map((a) => [a, 0, 2 * a, a, 1]);
    const values = [1, 2, 3, 5].map((a) => 4 * a + 0.5);
    const x = nnls(rows, values);
    expect(squares(rows, values, x)).toBeLessThan(1e-12);
    expect(x[1]).toBe(0);
    expect(x.every((value) => value >= 0 && Number.isFinite(value))).toBe(true);
  });

  it('give zeros where nothing helps, and nothing for nothing', () => {
    expect(nnls([[1], [2]], [-1, -3])).toEqual([0]);
    expect(nnls([], [])).toEqual([]);
    expect(nnls([[0, 0]], [1])).toEqual([0, 0]);
  });
});
