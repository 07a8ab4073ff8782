/** Eights of columns in a strip, as in eight.wgsl. */
const STRIP = 8;

/** Matrices that lie one behind the other, each [lines][eights of columns], in the strips that kernels read them in. */
export function in_strips<T extends Float32Array | Uint32Array | Uint16Array | Int32Array>(
  rows: T,
  lines: number,
  eights: number,
  matrices = 1,
): T {
  const eight = rows.length / (matrices * lines * eights);
  const out = rows.slice() as T;
  let to = 0;
  for (let matrix = 0; matrix < matrices; matrix++) {
    for (let first = 0; first < eights; first += STRIP) {
      const width = Math.min(STRIP, eights - first) * eight;
      for (let line = 0; line < lines; line++) {
        const from = ((matrix * lines + line) * eights + first) * eight;
        out.set(rows.subarray(from, from + width) as T & Uint32Array & Float32Array & Uint16Array & Int32Array, to);
        to += width;
      }
    }
  }
  return out;
}
