import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { cached_folder } from '../../engine/browser/cached_folder.ts';
import { type Fetch, open_http_folder } from '../../engine/browser/http_folder.ts';
import { memory_store } from '../../engine/browser/store.ts';

const bytes = Uint8Array.from({ length: 900_000 }, (_, i) => (i * 31) & 255);
const sha256 = createHash('sha256').update(bytes).digest('hex');
const listing = (files: readonly unknown[]) => JSON.stringify({ schema: 'molmoe.folder/1', files });
const FILE = { name: 'w.bin', bytes: bytes.length, sha256 };

interface Behaviour {
  readonly files?: readonly unknown[];
  /** Bytes after which an answer breaks off, one an answer; none: whole. */
  readonly breaks?: number[];
  readonly ranges?: boolean;
  readonly body?: Uint8Array;
}

/** A server that lists one file, and what was asked of it. */
function server({ files = [FILE], breaks = [], ranges = true, body = bytes }: Behaviour) {
  const asked: (string | null)[] = [];
  const fetch_it: Fetch = async (url, init) => {
    if (url.endsWith('files.json')) return new Response(listing(files));
    const range = new Headers(init?.headers).get('range');
    asked.push(range);
    const [, from = '0', to = ''] = /bytes=(\d+)-(\d*)/.exec(ranges ? (range ?? '') : '') ?? [];
    const part = body.slice(Number(from), to === '' ? undefined : Number(to) + 1);
    const end = breaks.shift();
    let sent = false;
    const stream = new ReadableStream<Uint8Array>({
      pull(out) {
        if (sent) out.error(new TypeError('network error'));
        else out.enqueue(part.slice(0, end));
        sent = true;
        if (end === undefined) out.close();
      },
    });
    return new Response(stream, { status: ranges && range !== null ? 206 : 200 });
  };
  return { asked, fetch_it };
}

/** Comparing element by element takes seconds. */
const same = (found: Uint8Array): boolean => Buffer.compare(found, bytes) === 0;

const read = async (folder: Awaited<ReturnType<typeof cached_folder>>) => {
  const reader = await folder.open('w.bin');
  const into = new Uint8Array(reader.size);
  await reader.read(0, into);
  return into;
};

describe('a folder that is kept', () => {
  it('downloads once, and goes on from where a connection broke', async () => {
    const { asked, fetch_it } = server({ breaks: [400_000, 100_000] });
    const store = { ...memory_store(), lasting: true };
    const from = await open_http_folder('http://x/n', 'n', fetch_it);
    const seen: number[] = [];
    const options = { fetch: fetch_it, on_progress: ({ done_bytes }: { done_bytes: number }) => seen.push(done_bytes) };
    expect(same(await read(await cached_folder(from, ['w.bin'], store, options)))).toBe(true);
    expect(asked).toEqual([null, 'bytes=400000-', 'bytes=500000-']);
    expect(seen.at(-1)).toBe(bytes.length);
    expect(same(await read(await cached_folder(from, ['w.bin'], store, options)))).toBe(true);
    expect(asked.length).toBe(3);
  });

  it('starts anew where the server has no ranges', async () => {
    const { fetch_it } = server({ breaks: [300_000], ranges: false });
    const from = await open_http_folder('http://x/n', 'n', fetch_it);
    expect(same(await read(await cached_folder(from, ['w.bin'], memory_store(), { fetch: fetch_it })))).toBe(true);
  });

  it('says how far it came, and takes that up at the next try', async () => {
    const { asked, fetch_it } = server({ breaks: [100_000, 100_000, 100_000, 100_000] });
    const store = { ...memory_store(), lasting: true };
    const from = await open_http_folder('http://x/n', 'n', fetch_it);
    await expect(cached_folder(from, ['w.bin'], store, { fetch: fetch_it })).rejects.toThrow(
      'n/w.bin: expected 0.9 MB, found 0.4 MB before the connection broke (the connection broke); try again: it goes on from there',
    );
    expect(same(await read(await cached_folder(from, ['w.bin'], store, { fetch: fetch_it })))).toBe(true);
    expect(asked.at(-1)).toBe('bytes=400000-');
  });

  it('believes no bytes of another digest', async () => {
    const { fetch_it } = server({ body: bytes.map((x) => x ^ 1) });
    const from = await open_http_folder('http://x/n', 'n', fetch_it);
    await expect(cached_folder(from, ['w.bin'], memory_store(), { fetch: fetch_it })).rejects.toThrow(
      'n/w.bin: expected the bytes of its digest, found others',
    );
  });
});

describe('a folder over HTTP', () => {
  it('reads ahead in ranges', async () => {
    const { asked, fetch_it } = server({});
    const folder = await open_http_folder('http://x/n', 'n', fetch_it);
    const reader = await folder.open('w.bin');
    for (const [offset, length] of [
      [10, 5],
      [100, 1000],
      [0, 3],
    ] as const) {
      const into = new Uint8Array(length);
      await reader.read(offset, into);
      expect(into).toEqual(bytes.slice(offset, offset + length));
    }
    expect(asked).toEqual(['bytes=10-899999', 'bytes=0-899999']);
    await expect(reader.read(bytes.length, new Uint8Array(1))).rejects.toThrow('expected a range within 900000 bytes');
  });

  it.each([
    ['../up', 3, sha256],
    ['.hidden', 3, sha256],
    ['a//b', 3, sha256],
    ['ok', -1, sha256],
    ['ok', 3, 'no digest'],
  ])('refuses a listing with %s', async (name, size, digest) => {
    const { fetch_it } = server({ files: [{ name, bytes: size, sha256: digest }] });
    await expect(open_http_folder('http://x/n', 'n', fetch_it)).rejects.toThrow(
      'expected names, sizes and digests of files',
    );
  });

  it('says that a page is offline, and that a file is missing', async () => {
    await expect(open_http_folder('http://x/n', 'n', () => Promise.reject(new TypeError('failed')))).rejects.toThrow(
      'expected an answer, found no connection; are you offline?',
    );
    await expect(open_http_folder('http://x/n', 'n', async () => new Response('', { status: 404 }))).rejects.toThrow(
      'found HTTP 404',
    );
  });
});
