/** Repeatable numbers in [-1, 1). */
export function noise(count: number, seed = 1): Float32Array {
  let state = Math.imul(seed, 0x9e3779b9) >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) * 2 ** -23 - 1;
  });
}
