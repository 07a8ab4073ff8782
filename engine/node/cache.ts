import { createHash } from 'node:crypto';
import { cpus, homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import type { Device } from '../gpu/device.ts';
import { make_folders, read_file_text, write_atomic } from './files.ts';

/** What a measurement of an adapter holds for. A software adapter is as fast as its host, and homes are shared between hosts. */
export interface AdapterKey {
  readonly adapter: string;
  readonly backend: string;
  readonly mode: string;
  readonly cpu: string;
  readonly cores: number;
}

export function adapter_key({ facts, mode }: Device, backend: string): AdapterKey {
  const { description, vendor, architecture, device } = facts;
  const processors = cpus();
  return {
    adapter: description || [vendor, architecture, device].filter((part) => part !== '').join(' '),
    backend,
    mode,
    cpu: processors[0]?.model ?? '',
    cores: processors.length,
  };
}

/** Where this system keeps what can be made again. */
export function cache_folder(env: NodeJS.ProcessEnv = process.env, platform: string = process.platform): string {
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return env.XDG_CACHE_HOME;
  if (platform === 'win32') return env.LOCALAPPDATA || join(homedir(), 'AppData', 'Local');
  return platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache');
}

const most_bytes = 2 ** 22;

/** Where something of this kind belongs under this key, without an ending. */
export function place_of(kind: string, key: AdapterKey): string {
  const slug = key.adapter
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '')
    .slice(0, 60);
  const digest = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 8);
  return join(cache_folder(), 'molmoe', kind, `${slug || 'adapter'}_${digest}`);
}

const file_of = (kind: string, key: AdapterKey): string => `${place_of(kind, key)}.json`;

/** What was kept under this key; undefined where there is no such file, or one that cannot be read or is of something else. */
export async function read_kept(kind: string, key: AdapterKey): Promise<unknown> {
  try {
    const kept = JSON.parse(await read_file_text(file_of(kind, key), most_bytes));
    return JSON.stringify(kept.key) === JSON.stringify(key) ? kept.value : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the file; undefined where it cannot be written: the next run measures again, no reason to fail this one. */
export async function keep(kind: string, key: AdapterKey, value: unknown): Promise<string | undefined> {
  const file = file_of(kind, key);
  try {
    await make_folders(dirname(file));
    await write_atomic(file, `${JSON.stringify({ key, value }, null, 2)}\n`);
    return file;
  } catch {
    return undefined;
  }
}
