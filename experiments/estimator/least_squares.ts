/** Least squares, and those whose coefficients are not negative: a stage cannot take less time for doing more. */

/** The part of a column that must be its own, in its square, for it to count beside those already chosen. */
const OWN = 1e-10;

/** Normal equations: rows' products with each other, and with the values. */
export interface Normal {
  readonly gram: readonly Float64Array[];
  readonly right: Float64Array;
}

function normal_equations(rows: readonly (readonly number[])[], values: readonly number[]): Normal {
  const p = rows[0]?.length ?? 0;
  const gram = Array.from({ length: p }, () => new Float64Array(p));
  const right = new Float64Array(p);
  rows.forEach((row, i) => {
    add_row({ gram, right }, row, values[i] as number, 1);
  });
  return { gram, right };
}

/** One more row, so many times. */
export function add_row({ gram, right }: Normal, row: readonly number[], value: number, weight: number): void {
  for (let j = 0; j < row.length; j++) {
    const x = weight * (row[j] as number);
    if (x === 0) continue;
    right[j] = (right[j] as number) + x * value;
    const line = gram[j] as Float64Array;
    for (let k = 0; k < row.length; k++) line[k] = (line[k] as number) + x * (row[k] as number);
  }
}

/** Of any sign. Columns that say the same share what they say. */
export function least_squares(rows: readonly (readonly number[])[], values: readonly number[], ridge = 1e-9): number[] {
  const { gram, right } = normal_equations(rows, values);
  const scale = Array.from(right, (_, j) => 1 / Math.sqrt(at(gram, j, j) || 1));
  const inner = (j: number, k: number) =>
    at(gram, j, k) * (scale[j] as number) * (scale[k] as number) + (j === k ? ridge : 0);
  const wanted = Array.from(right, (value, j) => value * (scale[j] as number));
  const solution = solve(
    wanted.map((_, j) => j),
    inner,
    wanted,
  );
  return (solution ?? []).map((value, j) => value * (scale[j] as number));
}

export const nnls = (rows: readonly (readonly number[])[], values: readonly number[]): number[] =>
  nnls_normal(normal_equations(rows, values));

/**
 * The active set of Lawson and Hanson. Columns are scaled to length 1, so that no unit decides. Of columns that say the same
 * of every row the first one chosen stands for all.
 */
export function nnls_normal({ gram, right }: Normal): number[] {
  const p = right.length;
  const scale = Array.from(right, (_, j) => 1 / Math.sqrt(at(gram, j, j) || 1));
  const inner = (j: number, k: number) => at(gram, j, k) * (scale[j] as number) * (scale[k] as number);
  const wanted = Array.from(right, (value, j) => value * (scale[j] as number));
  const tolerance = 1e-12 * Math.max(1e-300, ...wanted.map(Math.abs));
  const x = new Array<number>(p).fill(0);
  let chosen: number[] = [];
  const barred = new Set<number>();
  // Each round lowers the sum of squares, so no set is met twice; the bound is for rounding.
  for (let round = 0; round < 10 * (p + 1); round++) {
    const gain = (j: number) =>
      (wanted[j] as number) - chosen.reduce((sum, k) => sum + inner(j, k) * (x[k] as number), 0);
    const open = x.map((_, j) => j).filter((j) => !chosen.includes(j) && !barred.has(j) && at(gram, j, j) > 0);
    const best = open.reduce((a, j) => (a < 0 || gain(j) > gain(a) ? j : a), -1);
    if (best < 0 || gain(best) <= tolerance) break;
    chosen.push(best);
    let solution = solve(chosen, inner, wanted);
    if (solution === null) {
      chosen.pop();
      barred.add(best);
      continue;
    }
    barred.clear();
    while (solution.some((value) => value <= 0)) {
      const now = solution;
      // As far towards the solution as all stay above zero. Those that get there leave.
      const reach = chosen.map((j, i) =>
        above(now[i]) ? 1 : x[j] ? (x[j] as number) / ((x[j] as number) - (now[i] as number)) : 0,
      );
      const far = Math.min(...reach);
      const out = chosen.filter((_, i) => !above(now[i]) && reach[i] === far);
      chosen.forEach((j, i) => {
        x[j] = out.includes(j) ? 0 : (x[j] as number) + far * ((now[i] as number) - (x[j] as number));
      });
      chosen = chosen.filter((j) => !out.includes(j));
      if (out.includes(best)) barred.add(best);
      solution = solve(chosen, inner, wanted) ?? [];
    }
    chosen.forEach((j, i) => {
      x[j] = (solution as number[])[i] as number;
    });
  }
  return x.map((value, j) => value * (scale[j] as number));
}

const above = (value: number | undefined): boolean => (value as number) > 0;

const at = (matrix: readonly Float64Array[], j: number, k: number): number => (matrix[j] as Float64Array)[k] as number;

/** Least squares over these columns alone, by Cholesky; null where one of them says nothing that the others do not. */
function solve(
  columns: readonly number[],
  inner: (j: number, k: number) => number,
  wanted: readonly number[],
): number[] | null {
  const n = columns.length;
  const lower = columns.map(() => new Float64Array(n));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = inner(columns[i] as number, columns[j] as number);
      for (let k = 0; k < j; k++) sum -= at(lower, i, k) * at(lower, j, k);
      if (i !== j) (lower[i] as Float64Array)[j] = sum / at(lower, j, j);
      else if (sum <= OWN) return null;
      else (lower[i] as Float64Array)[i] = Math.sqrt(sum);
    }
  }
  const y = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = wanted[columns[i] as number] as number;
    for (let k = 0; k < i; k++) sum -= at(lower, i, k) * (y[k] as number);
    y[i] = sum / at(lower, i, i);
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let sum = y[i] as number;
    for (let k = i + 1; k < n; k++) sum -= at(lower, k, i) * (x[k] as number);
    x[i] = sum / at(lower, i, i);
  }
  return x;
}
