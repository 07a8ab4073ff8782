import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { append_text, make_folders, node_folder, read_file_text, write_atomic } from '../../engine/node/files.ts';
import { open_checkpoint } from '../../engine/weights/checkpoint.ts';
import { safetensors_header } from '../../engine/weights/safetensors.ts';
import type { TensorSpec } from '../../engine/weights/source.ts';
import { input_error } from './memory_folder.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'molmoe-files-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('a folder on disk', () => {
  it('refuses what is no directory', () => {
    writeFileSync(join(dir, 'plain'), '');
    expect(() => node_folder(join(dir, 'none'))).toThrow(
      /none: expected a directory, found no such file or directory; check/,
    );
    expect(() => node_folder(join(dir, 'plain'))).toThrow(/plain: expected a directory, found a file/);
    expect(() => node_folder(join(dir, 'plain/x'))).toThrow(/found a path through something that is not a directory/);
    expect(() => node_folder('a\0b')).toThrow();
  });

  it('lists, follows links, and reads text up to its cap', async () => {
    const folder_dir = join(dir, 'texts');
    mkdirSync(folder_dir);
    writeFileSync(join(folder_dir, 'a.txt'), '\ufeffé 1');
    symlinkSync('a.txt', join(folder_dir, 'link'));
    writeFileSync(join(folder_dir, 'bad'), new Uint8Array([0xff]));
    const folder = node_folder(folder_dir);
    expect((await folder.list()).sort()).toEqual(['a.txt', 'bad', 'link']);
    expect(await folder.text('link', 10)).toBe('é 1');
    expect(await input_error(folder.text('a.txt', 6))).toMatch(/a\.txt: expected at most 6 bytes of text, found 7/);
    expect(await input_error(folder.text('bad', 6))).toMatch(/bad: expected text in UTF-8/);
    expect(await input_error(folder.open('none'))).toMatch(/none: expected a readable file, found no such file/);
    for (const name of ['../plain', '/etc/passwd', '..', '', 'a\0', 'b\\c']) {
      expect(await input_error(folder.open(name))).toMatch(/expected the plain name of a file/);
    }
  });

  it('refuses directories and pipes instead of waiting for them', async () => {
    mkdirSync(join(dir, 'sub'));
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const folder = node_folder(dir);
    expect(await input_error(folder.open('sub'))).toMatch(/sub: expected a file, found a directory; check the path/);
    expect(await input_error(folder.open('pipe'))).toMatch(/pipe: expected a file, found a pipe; check the path/);
    expect(await input_error(node_folder('/dev').open('zero'))).toMatch(/zero: expected a file, found a device/);
  });

  it('reports a range past the end, and a file that shrinks while it is open', async () => {
    const path = join(dir, 'shrinks');
    writeFileSync(path, new Uint8Array(100));
    const reader = await node_folder(dir).open('shrinks');
    for (const offset of [99, -1, 0.5]) {
      expect(await input_error(reader.read(offset, new Uint8Array(2)))).toMatch(/expected a range within 100 bytes/);
    }
    truncateSync(path, 50);
    expect(await input_error(reader.read(0, new Uint8Array(100)))).toMatch(/expected 100 bytes, found its end at 50/);
    await reader.close();
  });

  it('reads a large range in pieces into the given view', async () => {
    const size = 20 * 2 ** 20 + 13;
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 13)) & 255;
    writeFileSync(join(dir, 'large'), bytes);
    const reader = await node_folder(dir).open('large');
    const memory = new Uint8Array(size + 100).fill(7);
    await reader.read(5, memory.subarray(50, 50 + size - 5));
    expect(Buffer.compare(memory.subarray(50, 50 + size - 5), bytes.subarray(5))).toBe(0);
    expect([memory[49], memory[50 + size - 5]]).toEqual([7, 7]);
    await reader.close();
  });

  it('reads beyond 4 GiB', async () => {
    // A sparse file: two tensors of 2.5 GiB, with marks where 32-bit positions would go astray.
    const specs: TensorSpec[] = ['p', 'q'].map((name) => ({ name, shape: [1280, 2 ** 20], role: 'linear' }));
    const header = safetensors_header(specs.map((spec) => ({ ...spec, dtype: 'F16' })));
    const tensor_bytes = 1280 * 2 ** 21;
    const folder_dir = join(dir, 'sparse');
    mkdirSync(folder_dir);
    const handle = await open(join(folder_dir, 'model.safetensors'), 'w');
    await handle.truncate(header.length + 2 * tensor_bytes);
    await handle.write(header, 0, header.length, 0);
    const marks = [0, 2 ** 31 - 4, 2 ** 32 - tensor_bytes - 4, tensor_bytes - 8];
    for (const mark of marks) {
      await handle.write(new Uint8Array(8).fill(1 + marks.indexOf(mark)), 0, 8, header.length + tensor_bytes + mark);
    }
    await handle.close();
    const source = await open_checkpoint(node_folder(folder_dir), specs);
    const found = new Uint8Array(8);
    for (const [i, mark] of marks.entries()) {
      await source.read('q', mark, found);
      expect(found).toEqual(new Uint8Array(8).fill(1 + i));
      await source.read('p', mark, found);
      expect(found).toEqual(new Uint8Array(8));
    }
    const pieces = new Uint8Array(2 ** 24);
    await source.read('q', tensor_bytes - pieces.length, pieces);
    expect(pieces.subarray(-8)).toEqual(new Uint8Array(8).fill(4));
    await source.close();
  });
});

describe('read_file_text and append_text', () => {
  it('read and append what is a file', async () => {
    const path = join(dir, 'list.txt');
    await append_text(path, 'é');
    await append_text(path, '\n2');
    expect(await read_file_text(path, 4)).toBe('é\n2');
    expect(await input_error(read_file_text(path, 3, 'delete it'))).toBe(
      `${path}: expected at most 3 bytes, found 4; delete it`,
    );
    await expect(read_file_text(join(dir, 'none'), 4)).rejects.toMatchObject({ code: 'ENOENT' });
    writeFileSync(path, new Uint8Array([0xff]));
    expect(await input_error(read_file_text(path, 4))).toContain('expected text in UTF-8, found other bytes');
  });

  it('neither wait for a pipe, nor read a device, a folder or a huge hole', async () => {
    const pipe = join(dir, 'waiting');
    execFileSync('mkfifo', [pipe]);
    for (const [path, found] of [
      [pipe, 'a pipe'],
      [dir, 'a directory'],
      ['/dev/zero', 'a device'],
    ] as const) {
      expect(await input_error(read_file_text(path, 1e6))).toBe(
        `${path}: expected a file, found ${found}; check the path`,
      );
    }
    await expect(append_text(pipe, 'x')).rejects.toThrow();
    const hole = join(dir, 'hole');
    writeFileSync(hole, '');
    truncateSync(hole, 2 ** 42);
    expect(await input_error(read_file_text(hole, 1e6))).toContain('at most 1000000 bytes, found 4398046511104');
  });

  it('append through no symbolic link', async () => {
    writeFileSync(join(dir, 'precious'), 'mine');
    symlinkSync('precious', join(dir, 'appears'));
    await expect(append_text(join(dir, 'appears'), 'x')).rejects.toMatchObject({ code: 'ELOOP' });
    expect(readFileSync(join(dir, 'precious'), 'utf8')).toBe('mine');
  });
});

describe('write_atomic', () => {
  it('replaces a file whole', async () => {
    const path = join(dir, 'out.json');
    await write_atomic(path, 'first');
    await write_atomic(path, new TextEncoder().encode('second'));
    expect(readFileSync(path, 'utf8')).toBe('second');
    expect(readdirSync(dir).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('takes a large file in pieces, and leaves the old one where they end in an error', async () => {
    const path = join(dir, 'pieces.txt');
    const pieces = function* (fault?: Error) {
      yield Buffer.from('first, ');
      if (fault) throw fault;
      yield Buffer.from('second');
    };
    await write_atomic(path, pieces());
    await expect(write_atomic(path, pieces(new InputError('no more')))).rejects.toThrow('no more');
    expect(readFileSync(path, 'utf8')).toBe('first, second');
    expect(readdirSync(dir).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('says where it could not write, and leaves nothing behind', async () => {
    expect(await input_error(write_atomic(join(dir, 'none/out.json'), 'x'))).toMatch(
      /none\/out\.json: expected a file that can be written, found no such file or directory/,
    );
    mkdirSync(join(dir, 'taken'));
    await expect(write_atomic(join(dir, 'taken'), 'x')).rejects.toThrow(InputError);
    expect(readdirSync(dir).filter((name) => name.includes('tmp'))).toEqual([]);
  });
});

describe('make_folders', () => {
  it('makes what is missing on the way, and ends with an error where nothing can be made', async () => {
    const root = mkdtempSync(join(tmpdir(), 'molmoe-folders-'));
    try {
      const deep = join(root, 'a', 'b', 'c');
      await make_folders(deep);
      await make_folders(deep);
      expect(statSync(deep).isDirectory()).toBe(true);
      writeFileSync(join(root, 'file'), '');
      await expect(make_folders(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
      await expect(make_folders(join(root, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
  it.skipIf(process.platform !== 'linux')('does not hang in /proc', async () => {
    await expect(make_folders('/proc/molmoe/results')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
