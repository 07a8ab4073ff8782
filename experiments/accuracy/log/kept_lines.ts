import { closeSync, readSync } from 'node:fs';
import { InputError } from '../../../engine/errors.ts';
import { file_error } from '../../../engine/node/files.ts';
import { type Line, open_to_read } from './lines.ts';

/** Where the line of each slot lies: some twenty bytes a slot, and the lines stay in their files. */
export interface KeptLines {
  has(slot: number): boolean;
  keep(slot: number, file: string, line: Line): void;
  file(slot: number): string;
  text(slot: number): string;
  close(): void;
}

export function keep_lines(slots: number): KeptLines {
  const files: string[] = [];
  const numbers = new Map<string, number>();
  const open = new Map<number, number>();
  const [of_file, offset, bytes] = [new Uint32Array(slots), new Float64Array(slots), new Uint32Array(slots)];
  let buffer = Buffer.allocUnsafe(2 ** 16);

  const number_of = (file: string): number => {
    const known = numbers.get(file);
    if (known !== undefined) return known;
    numbers.set(file, files.push(file) - 1);
    return files.length - 1;
  };
  const opened = (number: number): number => {
    const known = open.get(number);
    if (known !== undefined) return known;
    const handle = open_to_read(files[number] as string);
    open.set(number, handle);
    return handle;
  };
  return {
    has: (slot) => bytes[slot] !== 0,
    keep: (slot, file, line) => {
      of_file[slot] = number_of(file);
      offset[slot] = line.offset;
      bytes[slot] = line.bytes;
    },
    file: (slot) => files[of_file[slot] as number] as string,
    text: (slot) => {
      const [number, length] = [of_file[slot] as number, bytes[slot] as number];
      const path = files[number] as string;
      if (buffer.length < length) buffer = Buffer.allocUnsafe(2 * length);
      let read: number;
      try {
        read = readSync(opened(number), buffer, 0, length, offset[slot] as number);
      } catch (error) {
        throw file_error(error, path, 'a readable file');
      }
      if (read < length)
        throw new InputError(`${path}: expected what was there before, found a shorter file; merge again`);
      return buffer.toString('utf8', 0, length);
    },
    close: () => {
      for (const handle of open.values()) closeSync(handle);
    },
  };
}
