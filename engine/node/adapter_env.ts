import { closeSync, existsSync, fstatSync, lstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { constants, homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

/** A Vulkan driver unpacked by the setup for a machine that has none of its own. */
export interface FallbackAdapter {
  /** The driver's manifest, what VK_ICD_FILENAMES wants. */
  icd: string;
  /** The Vulkan loader that goes with it. */
  loader: string;
}

/** Keeps a library loaded after dlopen's caller has closed it; Node names only some of dlopen's flags. */
const rtld_nodelete = 0x1000;

/** Where the setup keeps what it fetched or found out: the user's cache, or the temp folder where that cannot be written. */
export function cache_folders(env: NodeJS.ProcessEnv = process.env): { user: string; temp: string } {
  const user = join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'molmoe-lab');
  return { user, temp: join(tmpdir(), `molmoe-lab-${process.getuid?.() ?? 'user'}`) };
}

/** The temp folder is open to all users: what lies there is believed only if this user alone can write it. */
export function is_private(folder: string): boolean {
  try {
    const stat = lstatSync(folder);
    return stat.isDirectory() && stat.uid === (process.getuid?.() ?? stat.uid) && (stat.mode & 0o022) === 0;
  } catch {
    return false; // absent, or out of this user's reach
  }
}

/** The driver that the setup chose because the machine had none, if its files are still there. */
export function fallback_adapter(env: NodeJS.ProcessEnv = process.env): FallbackAdapter | undefined {
  const { user, temp } = cache_folders(env);
  for (const folder of is_private(temp) ? [user, temp] : [user]) {
    try {
      const found = JSON.parse(readFileSync(join(folder, 'adapter.json'), 'utf8')) as FallbackAdapter;
      if (existsSync(found.icd) && existsSync(found.loader)) return found;
    } catch {
      // No such file, or one that cannot be read: this machine has a driver of its own, or the setup will find one anew.
    }
  }
  return undefined;
}

/** The driver list that the user asked for, unless none of its files exists. */
function names_a_driver(list: string | undefined): boolean {
  return list?.split(':').some((path) => path !== '' && existsSync(path)) === true;
}

/** Loads the fallback driver's own Vulkan loader, so that a later dlopen("libvulkan.so.1") finds it by its name. */
export function use_fallback(fallback: FallbackAdapter): void {
  process.env.VK_ICD_FILENAMES = fallback.icd;
  process.env.VK_DRIVER_FILES = fallback.icd;
  try {
    process.dlopen({ exports: {} }, fallback.loader, constants.dlopen.RTLD_NOW | rtld_nodelete);
  } catch {
    // Always thrown: the library is loaded, but is no Node module. Where it did not load, no adapter will be found.
  }
}

/** Call before the first adapter is asked for; calling it again changes nothing. Must run on the main thread. */
export function prepare_adapter_env(): void {
  if (process.platform !== 'linux') return;
  if (!process.env.XDG_RUNTIME_DIR) {
    // Mesa complains on stderr where there is none.
    const { temp } = cache_folders();
    try {
      mkdirSync(temp, { recursive: true, mode: 0o700 });
      if (is_private(temp)) process.env.XDG_RUNTIME_DIR = temp;
    } catch {
      // A temp folder that cannot be written costs a line of noise, no more.
    }
  }
  if (names_a_driver(process.env.VK_ICD_FILENAMES) || names_a_driver(process.env.VK_DRIVER_FILES)) return;
  const fallback = fallback_adapter();
  if (fallback) use_fallback(fallback);
}

/**
 * Runs one synchronous call into a driver with file descriptor 2 leading to nowhere: drivers, the Vulkan loader and Dawn
 * write their remarks there from inside the call. Nothing of JavaScript's own can be lost, since none runs meanwhile.
 *
 * Node has no dup2, but the lowest free number is what open() returns. The way back is to open the same terminal, pipe
 * or file again. A file that is not appended to would get a second write position, and a socket cannot be opened twice:
 * those are left alone, as is a process in which another thread may be opening a file at this moment.
 */
export function hushed<T>(call: () => T): T {
  let kept: number;
  try {
    if (!can_be_hushed()) return call();
    kept = openSync('/proc/self/fd/2', 'a');
  } catch {
    return call(); // stderr is closed, or is another user's: noise is better than a lost message
  }
  try {
    replace_stderr('/dev/null');
    return call();
  } finally {
    replace_stderr(`/proc/self/fd/${kept}`);
    closeSync(kept);
  }
}

const APPEND = 0o2000;
/** Requests under way whose threads open files: one of them could be given the number that is free for a moment. */
const OPENS_FILES = /^(FSReq|FileHandle|Dir|GetAddrInfo|GetNameInfo|Worker|MessagePort)/;

function can_be_hushed(): boolean {
  if (process.platform !== 'linux' || !isMainThread) return false;
  if (process.getActiveResourcesInfo().some((name) => OPENS_FILES.test(name))) return false;
  process.stderr.isTTY; // Node opens its own copy of a terminal on first use: it must not find /dev/null.
  const stat = fstatSync(2);
  if (stat.isCharacterDevice() || stat.isFIFO()) return true;
  const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync('/proc/self/fdinfo/2', 'utf8'))?.[1] ?? '0';
  return stat.isFile() && (Number.parseInt(flags, 8) & APPEND) !== 0;
}

function replace_stderr(path: string): void {
  closeSync(2);
  openSync(path, 'a');
}
