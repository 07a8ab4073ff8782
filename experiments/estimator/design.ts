/**
 * Which configurations to measure so that few say the most: those whose rows make the determinant of the normal equations
 * large. Rows are shares of the time expected, a block of them for each stage, as the fit weighs them.
 */
export type Candidate = readonly (readonly number[] | null)[];

/** So that a determinant is one before as many rows as terms are there. */
const BEFOREHAND = 1e-3;
const MOST_SWEEPS = 20;
const BETTER = 1e-9;

/** Greedy, then each is exchanged for whichever other adds most in its place, until none does. The same every time. */
export function d_optimal(candidates: readonly Candidate[], count: number): number[] {
  const chosen: number[] = [];
  const add_best = (without: readonly number[], fallback?: number): number => {
    const factors = factors_of(candidates, without);
    const gain = (i: number) => gain_of(candidates[i] as Candidate, factors);
    let best = fallback ?? -1;
    let most = fallback === undefined ? Number.NEGATIVE_INFINITY : gain(fallback) + BETTER;
    for (let i = 0; i < candidates.length; i++) {
      if (without.includes(i)) continue;
      const here = gain(i);
      if (here > most) [best, most] = [i, here];
    }
    return best;
  };
  while (chosen.length < Math.min(count, candidates.length)) chosen.push(add_best(chosen));
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let changed = false;
    for (let place = 0; place < chosen.length; place++) {
      const others = chosen.filter((_, i) => i !== place);
      const best = add_best(others, chosen[place]);
      changed ||= best !== chosen[place];
      chosen[place] = best;
    }
    if (!changed) break;
  }
  return chosen;
}

/** Logarithm of the determinant, of all stages' blocks together. */
export function log_determinant(candidates: readonly Candidate[], chosen: readonly number[]): number {
  return factors_of(candidates, chosen).reduce(
    (sum, lower) => sum + lower.reduce((block, line, i) => block + 2 * Math.log(line[i] as number), 0),
    0,
  );
}

type Lower = readonly Float64Array[];

/** Cholesky factors of each stage's block. */
function factors_of(candidates: readonly Candidate[], chosen: readonly number[]): Lower[] {
  return (candidates[0] ?? []).map((_, stage) => {
    const size = candidates.reduce((most, one) => Math.max(most, one[stage]?.length ?? 0), 0);
    const matrix = Array.from({ length: size }, (_, i) => new Float64Array(size).fill(BEFOREHAND, i, i + 1));
    for (const i of chosen) {
      const row = candidates[i]?.[stage];
      if (!row) continue;
      for (let a = 0; a < size; a++) {
        const line = matrix[a] as Float64Array;
        for (let b = 0; b < size; b++) line[b] = (line[b] as number) + (row[a] as number) * (row[b] as number);
      }
    }
    return cholesky(matrix);
  });
}

function cholesky(matrix: readonly Float64Array[]): Lower {
  const lower = matrix.map(({ length }) => new Float64Array(length));
  for (let i = 0; i < matrix.length; i++) {
    const line = lower[i] as Float64Array;
    for (let j = 0; j <= i; j++) {
      const other = lower[j] as Float64Array;
      let sum = (matrix[i] as Float64Array)[j] as number;
      for (let k = 0; k < j; k++) sum -= (line[k] as number) * (other[k] as number);
      line[j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / (other[j] as number);
    }
  }
  return lower;
}

/** What one more candidate adds to the logarithm of the determinant. */
function gain_of(candidate: Candidate, factors: readonly Lower[]): number {
  return candidate.reduce((sum, row, stage) => {
    if (row === null) return sum;
    const lower = factors[stage] as Lower;
    const solved = new Float64Array(row.length);
    let length = 0;
    for (let i = 0; i < row.length; i++) {
      const line = lower[i] as Float64Array;
      let value = row[i] as number;
      for (let k = 0; k < i; k++) value -= (line[k] as number) * (solved[k] as number);
      solved[i] = value / (line[i] as number);
      length += (solved[i] as number) ** 2;
    }
    return sum + Math.log1p(length);
  }, 0);
}
