import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { cpus, homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { z } from 'zod';
import type { Executor } from '../../engine/gpu/executor.ts';
import { measure_ceilings, PROBES_VERSION } from '../../engine/meter/ceilings.ts';
import { make_folders, write_atomic } from '../../engine/node/files.ts';
import { type Ceilings, ceilings_schema } from './schema.ts';

export interface CeilingsOptions {
  /** Digest of the build that measures. */
  readonly build: string;
  /** Graphics API; one adapter may have different ceilings under each. */
  readonly backend?: string;
  /** Measures even where ceilings are kept. */
  readonly recalibrate?: boolean;
  readonly on_progress?: (done: number, total: number) => void;
}

/** What ceilings hold for. A software adapter is as fast as its host, and homes are shared between hosts. */
const key_schema = z.strictObject({
  probes: z.int(),
  adapter: z.string(),
  backend: z.string(),
  mode: z.string(),
  cpu: z.string(),
  cores: z.int(),
});
const kept_schema = z.strictObject({ key: key_schema, ceilings: ceilings_schema });
type Key = z.infer<typeof key_schema>;

/** The ceilings of this adapter: kept from an earlier run under the user's cache folder, else measured now and kept. */
export async function ceilings_for(executor: Executor, options: CeilingsOptions): Promise<Ceilings> {
  const key = key_of(executor, options.backend ?? '');
  const file = ceilings_file(key);
  const kept = options.recalibrate ? undefined : await read_kept(file, key);
  if (kept !== undefined) return kept;
  const ceilings: Ceilings = {
    schema: 'molmoe.ceilings/1',
    adapter: key.adapter,
    date: new Date().toISOString(),
    build: options.build,
    ...(await measure_ceilings(executor, options.on_progress)),
  };
  await keep(file, { key, ceilings });
  return ceilings;
}

function key_of({ device }: Executor, backend: string): Key {
  const { description, vendor, architecture, device: name } = device.facts;
  const processors = cpus();
  return {
    probes: PROBES_VERSION,
    adapter: description || [vendor, architecture, name].filter((part) => part !== '').join(' '),
    backend,
    mode: device.mode,
    cpu: processors[0]?.model ?? '',
    cores: processors.length,
  };
}

function ceilings_file(key: Key): string {
  const slug = key.adapter
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '')
    .slice(0, 60);
  const digest = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 8);
  return join(cache_folder(), 'molmoe', 'ceilings', `${slug || 'adapter'}_${digest}.json`);
}

/** Where this system keeps what can be made again. */
export function cache_folder(env: NodeJS.ProcessEnv = process.env, platform: string = process.platform): string {
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return env.XDG_CACHE_HOME;
  if (platform === 'win32') return env.LOCALAPPDATA || join(homedir(), 'AppData', 'Local');
  return platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache');
}

/** Undefined where there is no such file, or one that cannot be read or is of something else. */
async function read_kept(file: string, key: Key): Promise<Ceilings | undefined> {
  try {
    const { success, data } = kept_schema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return success && JSON.stringify(data.key) === JSON.stringify(key) ? data.ceilings : undefined;
  } catch {
    return undefined;
  }
}

/** Where the folder cannot be written, the next run measures again: no reason to fail this one. */
async function keep(file: string, kept: z.infer<typeof kept_schema>): Promise<void> {
  try {
    await make_folders(dirname(file));
    await write_atomic(file, `${JSON.stringify(kept, null, 2)}\n`);
  } catch {
    // measured, used, not kept
  }
}
