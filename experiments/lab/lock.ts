import { randomBytes } from 'node:crypto';
import { link, lstat, open, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { file_error, read_file_text } from '../../engine/node/files.ts';

/**
 * One run at a time writes to a folder: its lock.json says which. A dead run's lock is never removed to make room:
 * whoever takes over claims it by creating lock.<token of the dead>.json, which only one process can, and then
 * renames that over lock.json. So the holder is always found by following the tokens from lock.json to the end, and
 * a process that was slow, and claims a lock that others replaced meanwhile, sees so when it follows them again.
 */
const lock_schema = z.object({
  pid: z.int32().positive(),
  /** It is shown as it stands. */
  host: z.string().regex(/^[^\p{C}\p{Zl}\p{Zp}]{0,255}$/u),
  started: z.iso.datetime(),
  /** When the process began, by the kernel's count: a later process with the same id is another. null off Linux. */
  process_start: z.string().nullable(),
  token: z.string().regex(/^[0-9a-f]{16}$/),
});
type Lock = z.infer<typeof lock_schema>;

export const LOCK_FILE = 'lock.json';

/** Another run holds the folder, or may: whoever has a second place to write to goes there. */
export class HeldError extends InputError {}

/** What a lock guards, for whoever finds it taken: "results/core/e1: another run (pid 12, ...) writes here; wait ...". */
export interface Guarded {
  readonly place: string;
  readonly other: string;
  readonly does: string;
  readonly remedy: string;
}
const results_of = (folder: string): Guarded => ({
  place: folder,
  other: 'another run',
  does: 'writes here',
  remedy: 'wait for it or choose another --out',
});
/** A lock that cannot be read counts as held for so long: its writer may be about to fill it. */
const grace_ms = 5000;
const most_bytes = 4096;

export async function take_lock(
  folder: string,
  guarded: Guarded = results_of(folder),
): Promise<{ release: () => Promise<void> }> {
  const root = join(folder, LOCK_FILE);
  const mine: Lock = {
    pid: process.pid,
    host: hostname(),
    started: new Date().toISOString(),
    process_start: (await process_facts(process.pid)).start,
    token: randomBytes(8).toString('hex'),
  };
  try {
    for (;;) {
      const end = await follow(folder);
      if (end.holder) throw held_by(guarded, end.path, end.holder);
      if (!(await create(end.path, mine))) continue;
      const { holder } = await follow(folder);
      if (holder !== 'unreadable' && holder?.token === mine.token) {
        if (end.path !== root) await rename(end.path, root);
        break;
      }
      await rm(end.path, { force: true });
    }
  } catch (error) {
    throw file_error(error, folder, 'a folder that can be written');
  }
  return {
    release: async () => {
      const lock = await read_lock(root);
      if (lock?.token === mine.token) await rm(root, { force: true });
    },
  };
}

/** Who holds a lock now, if anybody of this machine does; for a word of warning, not for a decision. */
export async function lock_holder(folder: string): Promise<{ readonly pid: number; readonly started: string } | null> {
  const { holder } = await follow(folder).catch(() => ({ holder: undefined }));
  return holder === undefined || holder === 'unreadable' || holder.host !== hostname() ? null : holder;
}

/** From lock.json along the claims on dead runs: to the run that holds the folder, or to the name a claim would have. */
async function follow(folder: string): Promise<{ path: string; holder?: Lock | 'unreadable' }> {
  let path = join(folder, LOCK_FILE);
  const seen = new Set<string>();
  for (;;) {
    // No run writes a circle; a copied lock may be one.
    if (seen.has(path)) throw new InputError(`${path}: expected the claim of one run, found a circle; delete it`);
    seen.add(path);
    const lock = await read_lock(path);
    if (lock === undefined) return { path };
    if (lock.alive) return { path, holder: lock.content };
    path = join(folder, `lock.${lock.token}.json`);
  }
}

type Found = { content: Lock | 'unreadable'; token: string; alive: boolean };

async function read_lock(path: string): Promise<Found | undefined> {
  const remedy = 'delete it if no other run writes here, or choose another --out';
  try {
    // A link that leads nowhere reads as no file, yet takes the name: claims on it would be tried for ever.
    const stats = await lstat(path);
    if (stats.isSymbolicLink()) throw new InputError(`${path}: expected a file, found a symbolic link; ${remedy}`);
    const content = parse(await read_file_text(path, most_bytes, remedy));
    if (content) return { content, token: content.token, alive: await is_alive(content) };
    const { ino, mtimeMs } = stats;
    return { content: 'unreadable', token: `${ino}-${Math.round(mtimeMs)}`, alive: Date.now() - mtimeMs < grace_ms };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(text: string): Lock | undefined {
  try {
    return lock_schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Whether another machine's process lives cannot be told: it counts as alive. */
async function is_alive({ pid, host, process_start }: Lock): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const { start, ended } = await process_facts(pid);
  return !ended && (start === null || process_start === null || start === process_start);
}

async function process_facts(pid: number): Promise<{ start: string | null; ended: boolean }> {
  try {
    // The name, in brackets, may hold anything; behind it stand the state (field 3) and the start (field 22).
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ');
    return { start: fields[19] ?? null, ended: fields[0] === 'Z' || fields[0] === 'X' };
  } catch {
    return { start: null, ended: false };
  }
}

/** false where the file is there already. It appears with all its content where the file system has hard links. */
async function create(path: string, lock: Lock): Promise<boolean> {
  const temporary = `${path}.${lock.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await write_new(temporary, lock);
    await link(temporary, path).catch(async (error) => {
      if (error.code === 'EEXIST') throw error;
      await write_new(path, lock);
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function write_new(path: string, lock: Lock): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    await handle.writeFile(`${JSON.stringify(lock)}\n`);
  } finally {
    await handle.close();
  }
}

function held_by({ place, other, does, remedy }: Guarded, lock: string, holder: Lock | 'unreadable'): HeldError {
  if (holder === 'unreadable') {
    return new HeldError(
      `${lock}: expected a lock, found one not yet written: ${other} may begin here; ${remedy}, or delete ${lock} if there is none`,
    );
  }
  const { pid, host, started } = holder;
  return new HeldError(
    host === hostname()
      ? `${place}: ${other} (pid ${pid}, since ${started}) ${does}; ${remedy}`
      : `${place}: ${other} (pid ${pid} on ${host}, since ${started}) ${does}; ${remedy}, or delete ${lock} if it has ended`,
  );
}
