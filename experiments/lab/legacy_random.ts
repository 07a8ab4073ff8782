const N = 624;
const M = 397;

/**
 * The numbers that numpy's legacy generator gives (numpy.random.seed and RandomState, a Mersenne twister): the study drew its
 * configurations and blocks with it, so its sets can be made again.
 */
export function legacy_random(seed: number) {
  const state = new Uint32Array(N);
  state[0] = seed;
  for (let i = 1; i < N; i++) {
    const before = state[i - 1] as number;
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  let at = N;

  function next_uint32(): number {
    if (at === N) {
      for (let i = 0; i < N; i++) {
        const y = ((state[i] as number) & 0x80000000) | ((state[(i + 1) % N] as number) & 0x7fffffff);
        state[i] = (state[(i + M) % N] as number) ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++] as number;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** A whole number in [0, count): as many bits as it takes, drawn anew until they fit. */
  function below(count: number): number {
    const mask = 2 ** Math.ceil(Math.log2(count)) - 1;
    for (;;) {
      const value = next_uint32() & mask;
      if (value < count) return value;
    }
  }

  return {
    below,
    /** `count` of them without replacement, as `choice(values, count, replace=False)` gives them. */
    choice: <T>(values: readonly T[], count: number): T[] => {
      const drawn = [...values];
      for (let i = drawn.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [drawn[i], drawn[j]] = [drawn[j] as T, drawn[i] as T];
      }
      return drawn.slice(0, count);
    },
  };
}
