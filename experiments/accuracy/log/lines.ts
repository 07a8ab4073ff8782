import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { InputError } from '../../../engine/errors.ts';
import { file_error } from '../../../engine/node/files.ts';

const CHUNK = 2 ** 20;
/** No answer is as long; a file of other things may be one line. */
const LONGEST = 2 ** 26;
const LINE_END = 10;

export interface Line {
  readonly text: string;
  /** Where its bytes lie in the file, the line end left out. */
  readonly offset: number;
  readonly bytes: number;
}

/** The lines of a file that others may append to meanwhile. A last one without its end is being written, or torn. */
export function* whole_lines(path: string): Generator<Line> {
  const file = open_to_read(path);
  try {
    let buffer = Buffer.allocUnsafe(CHUNK);
    let filled = 0;
    for (let base = 0; ; ) {
      if (filled === buffer.length) buffer = larger(buffer, path);
      const read = readSync(file, buffer, filled, buffer.length - filled, base + filled);
      if (read === 0) return;
      filled += read;
      const whole = buffer.subarray(0, buffer.subarray(0, filled).lastIndexOf(LINE_END) + 1);
      if (!isUtf8(whole)) throw new InputError(`${path}: expected text in UTF-8, found other bytes; restore it`);
      let at = 0;
      while (at < whole.length) {
        const end = whole.indexOf(LINE_END, at);
        yield { text: whole.toString('utf8', at, end), offset: base + at, bytes: end - at };
        at = end + 1;
      }
      buffer.copyWithin(0, at, filled);
      base += at;
      filled -= at;
    }
  } catch (error) {
    throw file_error(error, path, 'a readable file');
  } finally {
    closeSync(file);
  }
}

/** A regular file, never through a symbolic link, never waiting for a pipe. */
export function open_to_read(path: string): number {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  let file: number;
  try {
    file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    throw file_error(error, path, 'a readable file');
  }
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  throw new InputError(`${path}: expected a file, found a folder, pipe or device; move it elsewhere`);
}

function larger(buffer: Buffer, path: string): Buffer<ArrayBuffer> {
  if (buffer.length >= LONGEST) {
    throw new InputError(`${path}: expected lines of at most ${LONGEST} bytes, found a longer one; restore it`);
  }
  const twice = Buffer.allocUnsafe(2 * buffer.length);
  buffer.copy(twice);
  return twice;
}
