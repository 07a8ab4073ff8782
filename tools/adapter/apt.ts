import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { type AptEntry, backports_source, type OsRelease, parse_apt_sources } from './plan.ts';

const LISTS = '/etc/apt/sources.list.d';

/** Installs Mesa's software Vulkan driver. Throws with one line. */
export function install_lavapipe(os: OsRelease, backports: boolean): void {
  const root = process.getuid?.() === 0;
  const as_root = (args: readonly string[], seconds: number): ReturnType<typeof run> =>
    root ? run('env', args, { seconds }) : run('sudo', ['-n', 'env', ...args], { seconds });
  const source = backports ? backports_source(read_apt_sources(), os.codename) : undefined;
  if (source !== undefined) {
    const path = `${LISTS}/molmoe-lab-backports.sources`;
    if (root) writeFileSync(path, source);
    else {
      const written = as_root(['sh', '-c', `printf %s "$1" > ${path}`, 'sh', source], 20);
      if (!written.ok) throw new Error(`cannot write ${path}: ${written.why}`);
    }
  }
  const apt = [
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-o',
    'DPkg::Lock::Timeout=120',
    '-o',
    'Acquire::Retries=2',
  ];
  as_root([...apt, '-o', 'Acquire::http::Timeout=30', 'update'], 300); // another source may be broken: the install tells
  const suite = backports ? ['-t', `${os.codename}-backports`] : [];
  const install = ['install', '-y', '--no-install-recommends', ...suite, 'mesa-vulkan-drivers', 'libvulkan1'];
  const installed = as_root([...apt, ...install], 600);
  if (!installed.ok) throw new Error(`apt-get install mesa-vulkan-drivers: ${installed.why}`);
}

function read_apt_sources(): AptEntry[] {
  const lists = existsSync(LISTS) ? readdirSync(LISTS).map((name) => join(LISTS, name)) : [];
  return ['/etc/apt/sources.list', ...lists]
    .filter((path) => /\.(list|sources)$/.test(path) && existsSync(path))
    .flatMap((path) => parse_apt_sources(path, readFileSync(path, 'utf8')));
}
