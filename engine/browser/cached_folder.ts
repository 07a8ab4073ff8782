import { InputError } from '../errors.ts';
import type { Folder, RangeReader } from '../weights/source.ts';
import { asked, type Fetch, type HttpFolder, type ListedFile } from './http_folder.ts';
import type { Store } from './store.ts';

/** A broken connection is taken up again so often, from where it broke. */
const TRIES = 4;
const PAUSE_MS = 400;
/** Read at once, and kept until the next. */
const AHEAD_BYTES = 4 * 2 ** 20;
/** What has come is kept in pieces of about this size. */
const PIECE_BYTES = 2 ** 18;

export interface Download {
  readonly done_bytes: number;
  readonly total_bytes: number;
}

export interface CacheOptions {
  readonly fetch?: Fetch;
  readonly signal?: AbortSignal;
  readonly on_progress?: (download: Download) => void;
}

/**
 * Some files of a web server's folder as files of this browser: what is not there yet is downloaded, from where an earlier
 * visit left off, and believed only if its digest is the listed one.
 */
export async function cached_folder(
  from: HttpFolder,
  names: readonly string[],
  store: Store,
  { fetch: fetch_it = (...asks) => fetch(...asks), signal, on_progress }: CacheOptions = {},
): Promise<Folder> {
  const files = from.files.filter(({ name }) => names.includes(name));
  const missing = names.find((name) => !files.some((file) => file.name === name));
  if (missing !== undefined) throw new InputError(`${from.label}: expected ${missing} among its files, found none`);
  const total_bytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let before = 0;
  for (const file of files) {
    const tell = (bytes: number) => on_progress?.({ done_bytes: before + bytes, total_bytes });
    await fetched(file, { from, store, fetch_it, signal, tell });
    before += file.bytes;
    tell(0);
  }
  return store_folder(from.label, files, store);
}

interface Work {
  readonly from: HttpFolder;
  readonly store: Store;
  readonly fetch_it: Fetch;
  readonly signal: AbortSignal | undefined;
  readonly tell: (bytes: number) => void;
}

/** A file's own name says that it was whole when it was checked; until then it is called .part. */
async function fetched(file: ListedFile, work: Work): Promise<void> {
  const { from, store } = work;
  const stored = stored_name(file);
  if ((await store.size(stored)) === file.bytes) return;
  await store.remove(stored);
  const part = `${stored}.part`;
  for (let tried = 1; ; tried++) {
    try {
      await take_rest(file, part, work);
      break;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const have = await store.size(part);
      if (tried < TRIES) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * tried));
        continue;
      }
      const kept = store.lasting && have > 0 ? 'try again: it goes on from there' : 'try again';
      throw new InputError(
        `${from.label}/${file.name}: expected ${megabytes(file.bytes)}, found ${megabytes(have)} before the connection broke (${error.message}); ${kept}`,
      );
    }
  }
  const bytes = await store.read(part, 0, file.bytes);
  await store.remove(part);
  if ((await hex_digest(bytes)) !== file.sha256) {
    throw new InputError(
      `${from.label}/${file.name}: expected the bytes of its digest, found others; what came is thrown away: try again`,
    );
  }
  await store.append(stored, bytes);
}

async function take_rest(file: ListedFile, part: string, { from, store, fetch_it, signal, tell }: Work): Promise<void> {
  let have = await store.size(part);
  if (have > file.bytes) {
    await store.remove(part);
    have = 0;
  }
  tell(have);
  if (have === file.bytes) return;
  const headers: Record<string, string> = have > 0 ? { Range: `bytes=${have}-` } : {};
  const response = await asked(from.url_of(file.name), fetch_it, { headers, signal });
  if (have > 0 && response.status !== 206) {
    await store.remove(part); // no ranges here: from the start
    have = 0;
  }
  const reader = response.body?.getReader();
  if (reader === undefined) throw new InputError(`${file.name}: expected bytes, found none`);
  let waiting: Uint8Array[] = [];
  let waiting_bytes = 0;
  const keep = async () => {
    await store.append(part, joined(waiting, waiting_bytes));
    waiting = [];
    waiting_bytes = 0;
  };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      waiting.push(value);
      waiting_bytes += value.length;
      have += value.length;
      if (waiting_bytes >= PIECE_BYTES) await keep();
      tell(Math.min(have, file.bytes));
    }
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new InputError('the connection broke');
  } finally {
    if (waiting_bytes > 0) await keep();
  }
  if (have < file.bytes) throw new InputError('the answer was cut off');
}

function joined(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

async function hex_digest(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Flat: folders inside become part of the name. */
const stored_name = ({ name, sha256 }: ListedFile): string => `${sha256.slice(0, 12)}-${name.replaceAll('/', '-')}`;

function store_folder(label: string, files: readonly ListedFile[], store: Store): Folder {
  const open = async (name: string): Promise<RangeReader> => {
    const file = files.find((one) => one.name === name);
    if (file === undefined) throw new InputError(`${label}: expected one of its files, found ${name}`);
    let ahead: { from: number; bytes: Uint8Array } = { from: 0, bytes: new Uint8Array() };
    return {
      name,
      size: file.bytes,
      read: async (offset, into) => {
        const end = offset + into.length;
        if (offset < ahead.from || end > ahead.from + ahead.bytes.length) {
          // Tensors are small and many, and follow each other.
          const bytes = await store.read(stored_name(file), offset, Math.max(end, offset + AHEAD_BYTES));
          ahead = { from: offset, bytes };
        }
        const bytes = ahead.bytes.subarray(offset - ahead.from, end - ahead.from);
        if (bytes.length !== into.length) {
          throw new InputError(`${label}/${name}: expected ${into.length} bytes at ${offset}, found ${bytes.length}`);
        }
        into.set(bytes);
      },
      close: async () => {
        ahead = { from: 0, bytes: new Uint8Array() };
      },
    };
  };
  return {
    label,
    list: async () => files.map(({ name }) => name),
    open,
    text: async (name, max_bytes) => {
      const reader = await open(name);
      if (reader.size > max_bytes) {
        throw new InputError(`${label}/${name}: expected at most ${max_bytes} bytes, found ${reader.size}`);
      }
      const bytes = new Uint8Array(reader.size);
      await reader.read(0, bytes);
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    },
  };
}
