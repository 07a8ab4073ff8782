/** Repeatable numbers in [0, 1): mulberry32. */
export function random_numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) * 2 ** -32;
  };
}

/** A whole number in [0, count). */
export const below = (count: number, random: () => number): number => Math.floor(random() * count);

/** All of them in an order drawn by chance. */
export function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const result = [...all];
  for (let i = result.length - 1; i > 0; i--) {
    const k = below(i + 1, random);
    [result[i], result[k]] = [result[k] as T, result[i] as T];
  }
  return result;
}
