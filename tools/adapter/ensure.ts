import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cache_folders, fallback_adapter, is_private } from '../../engine/node/adapter_env.ts';
import { install_lavapipe } from './apt.ts';
import { run } from './command.ts';
import { fallback_steps, install_advice, type Machine, parse_os_release } from './plan.ts';
import { fetch_swiftshader } from './swiftshader.ts';

type Say = (line: string) => void;

/** Makes sure that this machine has an adapter, or says in one line what to install. */
export function ensure_adapter(say: Say): void {
  const cache = writable_cache();
  const stamp = join(cache, 'probe.json');
  if (read_json(stamp)?.key === probe_key()) return;
  const adapter = find_adapter(cache, say);
  if (adapter === undefined) return;
  write_json(stamp, { key: probe_key(), adapter });
  say(`WebGPU adapter: ${adapter}`);
}

/** The name of an adapter: the machine's own, the fallback fetched before, or what can be had now. */
function find_adapter(cache: string, say: Say): string | undefined {
  const own = probe('own');
  if (own.adapter !== undefined) {
    for (const folder of Object.values(cache_folders())) rmSync(join(folder, 'adapter.json'), { force: true });
    return own.adapter;
  }
  const kept = fallback_adapter() && probe('fallback').adapter;
  if (kept !== undefined) return kept;

  let why = own.why;
  const machine = this_machine();
  for (const step of fallback_steps(machine)) {
    try {
      if (step.kind === 'apt') {
        const from = step.backports ? `, from ${machine.os.codename}-backports` : '';
        say(`no WebGPU adapter on this machine: installing Mesa's software Vulkan driver (apt-get${from})`);
        install_lavapipe(machine.os, step.backports);
      } else {
        say(`no WebGPU adapter on this machine: fetching the SwiftShader software driver into ${cache} (68 MB, npm)`);
        write_json(join(cache, 'adapter.json'), fetch_swiftshader(cache));
      }
      const found = probe(step.kind === 'apt' ? 'own' : 'fallback');
      if (found.adapter !== undefined) return found.adapter;
      why = found.why;
    } catch (error) {
      why = (error as Error).message;
    }
    if (step.kind === 'swiftshader') rmSync(join(cache, 'adapter.json'), { force: true });
  }
  say(`no WebGPU adapter (${why}): ${install_advice(machine.platform, machine.os)}`);
  return undefined;
}

/** Asks for an adapter in a child process: of the machine's own drivers, or of the fallback that was fetched. */
function probe(which: 'own' | 'fallback'): { adapter?: string; why: string } {
  const script = fileURLToPath(new URL('./probe.js', import.meta.url));
  const asked = run(process.execPath, [script, which], { seconds: 20 });
  if (!asked.ok) return { why: asked.why };
  const adapter = JSON.parse(asked.stdout.trim().split('\n').at(-1) ?? 'null') as string | null;
  return { adapter: adapter ?? undefined, why: 'no Vulkan driver that can be used' };
}

function this_machine(): Machine {
  const root = process.getuid?.() === 0;
  const path = ['/etc/os-release', '/usr/lib/os-release'].find((file) => existsSync(file));
  return {
    platform: process.platform,
    arch: process.arch,
    os: parse_os_release(path ? readFileSync(path, 'utf8') : ''),
    may_install: root || (process.platform === 'linux' && run('sudo', ['-n', 'true'], { seconds: 5 }).ok),
    has_apt: existsSync('/usr/bin/apt-get'),
  };
}

/** The first folder that can be written: a home may be read-only. */
function writable_cache(): string {
  const { user, temp } = cache_folders();
  for (const folder of [user, temp]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      accessSync(folder, constants.W_OK);
      if (folder === user || is_private(folder)) return folder;
    } catch {
      // Try the next one.
    }
  }
  throw new Error(`cannot write ${user} or ${temp}: set XDG_CACHE_HOME to a folder that can be written`);
}

/** Changes when a driver, a device, the binding or the environment does: only then is an adapter asked for again. */
function probe_key(): string {
  const env = process.env;
  const share = (env.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(':');
  const watched = [
    ...['/etc', '/usr/local/etc', join(env.HOME || homedir(), '.local/share'), ...share].map(
      (dir) => `${dir}/vulkan/icd.d`,
    ),
    ...['/usr/lib', '/usr/lib64', '/usr/local/lib', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].map(
      (dir) => `${dir}/libvulkan.so.1`,
    ),
    '/dev/dri',
    ...list('/dev').filter((path) => /\/nvidia\d+$/.test(path)),
    ...(names(env.VK_ICD_FILENAMES) ?? []),
    ...(names(env.VK_DRIVER_FILES) ?? []),
  ];
  const seen = watched.flatMap((path) => [path, ...list(path)]).map((path) => `${path} ${stamp_of(path)}`);
  const binding = fileURLToPath(new URL('../node_modules/webgpu/package.json', import.meta.url));
  const facts = [process.platform, process.arch, stamp_of(binding), env.LD_LIBRARY_PATH, fallback_adapter(), seen];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

const names = (paths: string | undefined): string[] | undefined => paths?.split(':').filter(Boolean);

function list(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function stamp_of(path: string): string {
  try {
    const stat = statSync(path);
    return stat.isFile() ? `${stat.size} ${stat.mtimeMs}` : 'there';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'absent';
  }
}

function read_json(path: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // absent or damaged: found out anew
  }
}

function write_json(path: string, value: unknown): void {
  const part = `${path}.${process.pid}`;
  writeFileSync(part, `${JSON.stringify(value)}\n`);
  renameSync(part, path);
}
