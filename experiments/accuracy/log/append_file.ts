import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { InputError } from '../../../engine/errors.ts';
import { file_error } from '../../../engine/node/files.ts';

const CHUNK = 2 ** 16;
const LINE_END = 10;
const WANTED = 'a file that lines can be appended to';

/** A file of lines with one writer. */
export interface AppendFile {
  /**
   * Whole lines, on the disk when it returns. Groups follow each other in the order of the calls; after one that
   * failed none is written, and every call says why.
   */
  append(lines: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens it behind its last whole line: what a killed writer left behind that is cut off. */
export async function open_append(path: string): Promise<AppendFile> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  let handle: FileHandle | undefined;
  let length: number;
  try {
    handle = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o666);
    length = await drop_torn_line(handle, path);
  } catch (error) {
    await handle?.close();
    throw file_error(error, path, WANTED);
  }
  const file = handle;

  const write = async (lines: string): Promise<void> => {
    try {
      await file.writeFile(lines);
      await file.datasync();
      length += Buffer.byteLength(lines);
    } catch (error) {
      // Of a group that failed nothing stays; where that fails too, whole lines of it are answers all the same.
      await file.truncate(length).catch(() => undefined);
      throw file_error(error, path, WANTED);
    }
  };
  let last = Promise.resolve();
  return {
    append: (lines) => {
      last = last.then(() => write(lines));
      return last;
    },
    close: async () => {
      await last.catch(() => undefined);
      await file.close();
    },
  };
}

/** Gives back the length that is left. */
async function drop_torn_line(handle: FileHandle, path: string): Promise<number> {
  const stats = await handle.stat();
  if (!stats.isFile()) throw new InputError(`${path}: expected a file, found a pipe or device; move it elsewhere`);
  let length = stats.size;
  const buffer = Buffer.allocUnsafe(CHUNK);
  while (length > 0) {
    const start = Math.max(0, length - CHUNK);
    const { bytesRead } = await handle.read(buffer, 0, length - start, start);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(LINE_END) + 1;
    length = start + end;
    if (end > 0) break;
  }
  if (length < stats.size) await handle.truncate(length);
  return length;
}
