/** A share of right answers, and Wilson's 95 % interval of it. */
export interface Proportion {
  readonly right: number;
  readonly n: number;
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

const Z = 1.959963984540054;

export function proportion(hits: readonly boolean[]): Proportion {
  const n = hits.length;
  const right = hits.filter(Boolean).length;
  const share = n === 0 ? 0 : right / n;
  if (n === 0) return { right, n, share, low: 0, high: 1 };
  const middle = (share + Z ** 2 / (2 * n)) / (1 + Z ** 2 / n);
  const half = (Z * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2))) / (1 + Z ** 2 / n);
  // Rounding leaves a little of what should be nothing: none right reaches down to 0, all right up to 1.
  const low = right === 0 ? 0 : Math.max(0, middle - half);
  return { right, n, share, low, high: right === n ? 1 : Math.min(1, middle + half) };
}
