/** Index of the largest value, the first among equals; 0xffffffff if any is NaN. */
export function argmax(row: Float32Array): number {
  if (row.some(Number.isNaN)) return 0xffffffff;
  let best = 0;
  row.forEach((v, i) => {
    if (v > (row[best] as number)) best = i;
  });
  return best;
}
