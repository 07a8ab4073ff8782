import { InputError } from '../errors.ts';
import type { Folder, RangeReader } from '../weights/source.ts';
import { shown } from '../weights/text.ts';

/** Servers list no folders: this file beside the others says which there are. */
export const LISTING = 'files.json';
const MOST_LISTING_BYTES = 2 ** 22;
const MOST_FILES = 10_000;

export interface ListedFile {
  readonly name: string;
  readonly bytes: number;
  /** Of the whole file, in hex. */
  readonly sha256: string;
}

/** A folder on a web server. */
export interface HttpFolder extends Folder {
  readonly files: readonly ListedFile[];
  readonly url_of: (name: string) => string;
}

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** Reads the folder's listing; its files are read when they are asked for, in ranges. */
export async function open_http_folder(
  url: string,
  label: string,
  fetch_it: Fetch = (...asked) => fetch(...asked),
): Promise<HttpFolder> {
  const base = url.endsWith('/') ? url : `${url}/`;
  const listing = `${base}${LISTING}`;
  const text = decoded(await whole(listing, fetch_it, MOST_LISTING_BYTES), listing);
  const files = parse_listing(text, listing);
  const file_of = (name: string): ListedFile => {
    const found = files.find((file) => file.name === name);
    if (found === undefined) throw new InputError(`${label}: expected a file of ${LISTING}, found ${shown(name)}`);
    return found;
  };
  const url_of = (name: string): string => base + name.split('/').map(encodeURIComponent).join('/');
  return {
    label,
    files,
    url_of,
    list: async () => files.map(({ name }) => name),
    open: async (name) => range_reader(url_of(file_of(name).name), file_of(name), fetch_it),
    text: async (name, max_bytes) => {
      const { bytes } = file_of(name);
      if (bytes > max_bytes)
        throw new InputError(`${label}/${name}: expected at most ${max_bytes} bytes, found ${bytes}`);
      return decoded(await whole(url_of(name), fetch_it, max_bytes), `${label}/${name}`);
    },
  };
}

const is_count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
/** Relative, and never up: a listing may not lead out of its folder. */
const is_inner = (name: unknown): name is string =>
  typeof name === 'string' && name !== '' && name.split('/').every((part) => /^[\w][\w.-]*$/.test(part));

function parse_listing(text: string, where: string): ListedFile[] {
  let json: { schema?: unknown; files?: unknown } | null;
  try {
    json = JSON.parse(text);
  } catch {
    throw new InputError(`${where}: expected a list of files in JSON, found something else; is the page whole?`);
  }
  const files = json?.schema === 'molmoe.folder/1' && Array.isArray(json.files) ? (json.files as ListedFile[]) : [];
  const sound = ({ name, bytes, sha256 }: Partial<ListedFile>) =>
    is_inner(name) && is_count(bytes) && /^[0-9a-f]{64}$/.test(String(sha256));
  if (files.length === 0 || files.length > MOST_FILES || !files.every(sound)) {
    throw new InputError(`${where}: expected names, sizes and digests of files, found others; is the page whole?`);
  }
  return files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 }));
}

/** Offline, a refused connection and a forbidden address are one error to a page. */
export async function asked(url: string, fetch_it: Fetch, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch_it(url, init);
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new InputError(`${url}: expected an answer, found no connection; are you offline?`);
  }
  if (response.ok) return response;
  throw new InputError(`${url}: expected the file, found HTTP ${response.status}; is the page whole?`);
}

async function whole(url: string, fetch_it: Fetch, most: number): Promise<Uint8Array> {
  const response = await asked(url, fetch_it);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length > most) throw new InputError(`${url}: expected at most ${most} bytes, found ${bytes.length}`);
  return bytes;
}

function decoded(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${where}: expected text in UTF-8, found other bytes; check the file`);
  }
}

/** A checkpoint has thousands of small tensors that follow each other: a request each would take longer than their bytes. */
const AHEAD_BYTES = 4 * 2 ** 20;

/** Ranges where the server has them. One that sends the whole file each time is asked once, and the file kept. */
function range_reader(url: string, { name, bytes: size }: ListedFile, fetch_it: Fetch): RangeReader {
  let kept = { from: 0, bytes: new Uint8Array() };
  const fetched = async (from: number, length: number): Promise<typeof kept> => {
    const headers = { Range: `bytes=${from}-${from + length - 1}` };
    const response = await asked(url, fetch_it, { headers });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const partial = response.status === 206;
    const wanted = partial ? length : size;
    if (bytes.length !== wanted) throw cut(url, bytes.length, wanted);
    return { from: partial ? from : 0, bytes };
  };
  return {
    name,
    size,
    async read(offset, into) {
      if (!is_count(offset) || offset + into.length > size) {
        throw new InputError(`${name}: expected a range within ${size} bytes, found ${into.length} bytes at ${offset}`);
      }
      const there = offset >= kept.from && offset + into.length <= kept.from + kept.bytes.length;
      const found = there ? kept : await fetched(offset, Math.min(size - offset, Math.max(into.length, AHEAD_BYTES)));
      into.set(found.bytes.subarray(offset - found.from, offset - found.from + into.length));
      kept = found;
    },
    close: async () => {
      kept = { from: 0, bytes: new Uint8Array() };
    },
  };
}

const cut = (url: string, found: number, size: number): InputError =>
  new InputError(`${url}: expected ${size} bytes, found ${found}; load the page again`);
