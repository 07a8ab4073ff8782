const WORDS = 624;
const SHIFT = 397;
const UPPER = 0x8000_0000;
const LOWER = 0x7fff_ffff;

/** Whole numbers of 32 bits as numpy's RandomState(seed) draws them: the Mersenne Twister, MT19937. */
export function mersenne_twister(seed: number): () => number {
  const state = new Uint32Array(WORDS);
  state[0] = seed;
  for (let i = 1; i < WORDS; i++) {
    const before = state[i - 1] as number;
    state[i] = Math.imul(1_812_433_253, before ^ (before >>> 30)) + i;
  }
  let next = WORDS;
  const refill = () => {
    for (let i = 0; i < WORDS; i++) {
      const y = ((state[i] as number) & UPPER) | ((state[(i + 1) % WORDS] as number) & LOWER);
      state[i] = (state[(i + SHIFT) % WORDS] as number) ^ (y >>> 1) ^ (y & 1 ? 0x9908_b0df : 0);
    }
    next = 0;
  };
  return () => {
    if (next === WORDS) refill();
    let y = state[next++] as number;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/** The list in the order that numpy's RandomState(seed).shuffle(list) leaves it in. */
export function numpy_shuffled<T>(list: readonly T[], seed: number): T[] {
  const draw = mersenne_twister(seed);
  const shuffled = [...list];
  for (let i = shuffled.length - 1; i > 0; i--) {
    // Of the bits that i needs, until the number is no larger.
    const mask = 2 ** (32 - Math.clz32(i)) - 1;
    let j = (draw() & mask) >>> 0;
    while (j > i) j = (draw() & mask) >>> 0;
    [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
  }
  return shuffled;
}
