import { randomBytes } from 'node:crypto';
import { constants, type Stats, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InputError } from '../errors.ts';
import type { Folder, RangeReader } from '../weights/source.ts';
import { shown } from '../weights/text.ts';

// Large reads go out in pieces side by side: as many as Node has file threads.
const piece_bytes = 8 * 2 ** 20;
const pieces_at_once = 4;

const causes: Readonly<Record<string, [found: string, remedy: string]>> = {
  ENOENT: ['no such file or directory', 'check the path'],
  ENOTDIR: ['a path through something that is not a directory', 'check the path'],
  EISDIR: ['a directory', 'name a file'],
  EACCES: ['permission denied', 'check the permissions'],
  EPERM: ['permission denied', 'check the permissions'],
  EROFS: ['a read-only file system', 'choose another place'],
  ENOSPC: ['a full disk', 'free some space'],
  EDQUOT: ['a full quota', 'free some space'],
  EIO: ['a fault of the disk', 'check the file system'],
  ELOOP: ['a symbolic link, or a circle of them', 'name the real place'],
  EMFILE: ['too many open files', 'raise the limit (ulimit -n)'],
};

/** A file system error as one line: what was wanted, what came, where. */
export function file_error(error: unknown, path: string, expected: string): Error {
  if (error instanceof InputError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string') return error instanceof Error ? error : new Error(String(error));
  const [found, remedy] = causes[code] ?? [code, 'check the file system'];
  return new InputError(`${path}: expected ${expected}, found ${found}; ${remedy}`);
}

/** A directory of this machine. */
export function node_folder(path: string): Folder {
  let is_directory: boolean;
  try {
    is_directory = statSync(path).isDirectory();
  } catch (error) {
    throw file_error(error, path, 'a directory');
  }
  if (!is_directory) throw new InputError(`${path}: expected a directory, found a file; name the folder it is in`);

  const open_file = (name: string) => {
    if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) {
      throw new InputError(`${path}: expected the plain name of a file, found ${shown(name)}; check it`);
    }
    return open_range_reader(join(path, name));
  };
  return {
    label: path,
    list: async () => {
      try {
        return await readdir(path);
      } catch (error) {
        throw file_error(error, path, 'a readable directory');
      }
    },
    open: async (name) => open_file(name),
    text: async (name, max_bytes) => {
      const reader = await open_file(name);
      try {
        return await read_text(reader, max_bytes);
      } finally {
        await reader.close();
      }
    },
  };
}

function kind_of(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

function check_regular(path: string, stats: Stats, remedy: string): void {
  if (!stats.isFile()) throw new InputError(`${path}: expected a file, found ${kind_of(stats)}; ${remedy}`);
}

/** For reading. Opening a pipe would wait for its writer, and a device may never end: only files are opened. */
async function open_regular(path: string, remedy: string): Promise<{ handle: FileHandle; size: number }> {
  check_regular(path, await stat(path), remedy);
  // It may have been replaced since; without O_NONBLOCK (which Windows lacks) that could still wait.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = await handle.stat();
    check_regular(path, stats, remedy);
    return { handle, size: stats.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * A small text whole: a regular file of at most so many bytes, in UTF-8. The size is known before anything is read.
 * Where there is none, the error is the file system's own (ENOENT).
 */
export async function read_file_text(path: string, max_bytes: number, remedy = 'check the path'): Promise<string> {
  const { handle, size } = await open_regular(path, remedy);
  try {
    if (size > max_bytes) {
      throw new InputError(`${path}: expected at most ${max_bytes} bytes, found ${size}; ${remedy}`);
    }
    const bytes = new Uint8Array(size);
    let done = 0;
    while (done < size) {
      const { bytesRead } = await handle.read(bytes, done, size - done, done);
      if (bytesRead === 0) break; // being written, or cut short: its reader sees half of it
      done += bytesRead;
    }
    return decoded(path, bytes.subarray(0, done), remedy);
  } finally {
    await handle.close();
  }
}

/** Appends to a regular file, new or old; never through a symbolic link. */
export async function append_text(path: string, text: string): Promise<void> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
  const handle = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o666);
  try {
    check_regular(path, await handle.stat(), 'move it elsewhere');
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}

async function open_range_reader(path: string): Promise<RangeReader> {
  const { handle, size } = await open_regular(path, 'check the path').catch((error) => {
    throw file_error(error, path, 'a readable file');
  });

  const read_piece = async (offset: number, into: Uint8Array) => {
    for (let done = 0; done < into.length; ) {
      const { bytesRead } = await handle.read(into, done, into.length - done, offset + done);
      if (bytesRead === 0) {
        throw new InputError(
          `${path}: expected ${size} bytes, found its end at ${offset + done}; is it being written?`,
        );
      }
      done += bytesRead;
    }
  };
  return {
    name: path,
    size,
    read: async (offset, into) => {
      if (!Number.isSafeInteger(offset) || offset < 0 || offset + into.length > size) {
        throw new InputError(`${path}: expected a range within ${size} bytes, found ${into.length} bytes at ${offset}`);
      }
      let next = 0;
      const worker = async () => {
        while (next < into.length) {
          const at = next;
          next += piece_bytes;
          await read_piece(offset + at, into.subarray(at, at + piece_bytes));
        }
      };
      // All settle before an error goes up: no read may still write into memory that the caller lets go.
      const results = await Promise.allSettled(Array.from({ length: pieces_at_once }, worker));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) throw file_error(failed.reason, path, `${into.length} bytes at ${offset}`);
    },
    close: () => handle.close(),
  };
}

async function read_text(reader: RangeReader, max_bytes: number): Promise<string> {
  if (reader.size > max_bytes) {
    throw new InputError(
      `${reader.name}: expected at most ${max_bytes} bytes of text, found ${reader.size}; check the file`,
    );
  }
  const bytes = new Uint8Array(reader.size);
  await reader.read(0, bytes);
  return decoded(reader.name, bytes, 'check the file');
}

function decoded(path: string, bytes: Uint8Array, remedy: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${path}: expected text in UTF-8, found other bytes; ${remedy}`);
  }
}

/** The folder and what it lies in. Node's own recursive mkdir never returns where a parent refuses with ENOENT (/proc). */
export async function make_folders(path: string, tried = false): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path || tried) throw error;
    // A parent that is there may have been made by another process just now, or be one that refuses.
    const there = await exists(dirname(path));
    if (!there) await make_folders(dirname(path));
    await make_folders(path, there);
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Refuses a place where `write_atomic` could not leave a file, before the work whose result it is. */
export async function check_place(path: string): Promise<void> {
  try {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory()) throw new InputError(`${path}: expected a file, found a folder; name a file in it`);
    if (found !== undefined && !found.isFile()) {
      throw new InputError(`${path}: expected a file or nothing yet, found a pipe or device; choose another place`);
    }
    const trial = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
    await (await open(trial, 'wx')).close();
    await rm(trial, { force: true });
  } catch (error) {
    throw file_error(error, path, 'a file that can be written');
  }
}

/** The file appears whole or not at all: written beside its place, flushed, then renamed. What is large comes in pieces. */
export async function write_atomic(path: string, data: string | Uint8Array | Iterable<Uint8Array>): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      const pieces = typeof data === 'string' || data instanceof Uint8Array ? [data] : data;
      for (const piece of pieces) await handle.writeFile(piece);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw file_error(error, path, 'a file that can be written');
  }
}
