import type { Executor } from '../../engine/gpu/executor.ts';
import type { View } from '../../engine/model/context.ts';

/** Bytes that come to the host at a time: readback buffers of this size are kept and used again. */
const PIECE_BYTES = 2 ** 20;

/** A view's rows in pieces, without what lies between their ends and the next: the host never holds more than a piece. */
export async function* read_pieces(
  { read }: Pick<Executor, 'read'>,
  { buffer, rows, cols, stride }: View,
): AsyncGenerator<Uint32Array, void, void> {
  const at_once = Math.max(1, Math.floor(PIECE_BYTES / (4 * stride)));
  for (let row0 = 0; row0 < rows; row0 += at_once) {
    const count = Math.min(at_once, rows - row0);
    const bytes = 4 * ((count - 1) * stride + cols);
    const words = new Uint32Array(await read(buffer, 4 * row0 * stride, bytes));
    for (let row = 0; row < count; row++) yield words.subarray(row * stride, row * stride + cols);
  }
}

/** A small view whole. */
export async function read_words(executor: Pick<Executor, 'read'>, view: View): Promise<Uint32Array> {
  const dense = new Uint32Array(view.rows * view.cols);
  let at = 0;
  for await (const row of read_pieces(executor, view)) {
    dense.set(row, at);
    at += row.length;
  }
  return dense;
}

export const floats = (words: Uint32Array): Float32Array =>
  new Float32Array(words.buffer, words.byteOffset, words.length);
