import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cache_folders, fallback_adapter, is_private } from '../../engine/node/adapter_env.ts';
import {
  backports_source,
  fallback_steps,
  install_advice,
  type Machine,
  parse_apt_sources,
  parse_os_release,
} from '../../tools/adapter/plan.ts';
import { untar } from '../../tools/adapter/swiftshader.ts';
import { repo_root } from '../support/golden.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-setup-'));
chmodSync(scratch, 0o755);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const bookworm = parse_os_release(
  'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n',
);
const trixie = parse_os_release('VERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\n');
const bullseye = parse_os_release('VERSION_ID="11"\nVERSION_CODENAME=bullseye\nID=debian\n');
const noble = parse_os_release('VERSION_ID="24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n');
const focal = parse_os_release('VERSION_ID="20.04"\nVERSION_CODENAME=focal\nID=ubuntu\nID_LIKE=debian\n');
const mint = parse_os_release('VERSION_ID="22"\nVERSION_CODENAME=wilma\nID=linuxmint\nID_LIKE="ubuntu debian"\n');
const fedora = parse_os_release('VERSION_ID=42\nID=fedora\n');

describe('what to do where there is no adapter', () => {
  const machine = (os: Machine['os'], change: Partial<Machine> = {}): Machine => ({
    platform: 'linux',
    arch: 'x64',
    os,
    may_install: true,
    has_apt: true,
    ...change,
  });
  const names = (m: Machine): string[] =>
    fallback_steps(m).map((step) => (step.kind === 'apt' ? (step.backports ? 'backports' : 'apt') : 'swiftshader'));

  it.each([
    ['Debian 12 as root', machine(bookworm), ['backports', 'swiftshader']],
    ['Debian 13 as root', machine(trixie), ['apt', 'swiftshader']],
    ['Debian 11, whose Mesa is too old', machine(bullseye), ['swiftshader']],
    ['Debian 12 without rights', machine(bookworm, { may_install: false }), ['swiftshader']],
    ['Debian 12 on ARM without rights', machine(bookworm, { may_install: false, arch: 'arm64' }), []],
    ['Ubuntu 24.04', machine(noble), ['apt', 'swiftshader']],
    ['Ubuntu 20.04, whose Mesa is too old', machine(focal), ['swiftshader']],
    ['a child of Ubuntu', machine(mint), ['apt', 'swiftshader']],
    ['Fedora', machine(fedora, { has_apt: false }), ['swiftshader']],
    ['a Mac', machine(parse_os_release(''), { platform: 'darwin' }), []],
    ['Windows', machine(parse_os_release(''), { platform: 'win32' }), []],
  ])('%s', (_name, m, steps) => expect(names(m)).toEqual(steps));

  it.each([
    ['linux', bookworm, 'apt-get install -t bookworm-backports mesa-vulkan-drivers libvulkan1'],
    ['linux', noble, 'apt-get install mesa-vulkan-drivers libvulkan1'],
    ['linux', fedora, 'dnf install mesa-vulkan-drivers vulkan-loader'],
    ['darwin', parse_os_release(''), 'update the graphics driver'],
  ])('advises on %s %o', (platform, os, advice) => {
    expect(install_advice(platform, os)).toContain(advice);
    expect(install_advice(platform, os)).not.toContain('\n');
  });
});

describe("the backports source, from the machine's own", () => {
  const deb822 = `# a mirror of ours
Types: deb deb-src
URIs: http://mirror.example/debian
# in the middle
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`;

  it('keeps mirror and key of a deb822 file', () => {
    expect(backports_source(parse_apt_sources('debian.sources', deb822), 'bookworm')).toBe(
      'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm-backports\nComponents: main\n' +
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n',
    );
  });

  it('keeps mirror and options of one-line files', () => {
    const list = `deb-src http://mirror.example/debian bookworm main
# deb http://off.example/debian bookworm main
deb [arch=amd64 trusted=yes] http://mirror.example/debian/ bookworm main non-free # ours
deb http://mirror.example/debian-security bookworm-security main
`;
    expect(backports_source(parse_apt_sources('sources.list', list), 'bookworm')).toBe(
      'Types: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm-backports\nComponents: main\nTrusted: yes\n',
    );
  });

  it("prefers Debian's own mirror to a vendor who names suites alike", () => {
    const vendor = 'deb [signed-by=/v.gpg] https://vendor.example/deb bookworm main\n';
    const entries = [...parse_apt_sources('a.list', vendor), ...parse_apt_sources('debian.sources', deb822)];
    expect(backports_source(entries, 'bookworm')).toContain('URIs: http://mirror.example/debian\n');
    expect(backports_source(parse_apt_sources('a.list', vendor), 'bookworm')).toContain('http://deb.debian.org/debian');
  });

  it('adds none where there is one, but does not count one that is switched off', () => {
    const backports = 'Types: deb\nURIs: http://x.example/debian\nSuites: bookworm-backports\nComponents: main\n';
    const with_it = parse_apt_sources('b.sources', `${deb822}\n${backports}`);
    expect(backports_source(with_it, 'bookworm')).toBeUndefined();
    const off = parse_apt_sources('b.sources', `${deb822}\nEnabled: no\n${backports}`);
    expect(backports_source(off, 'bookworm')).toContain('http://mirror.example/debian');
  });

  it('keeps a key that is written into the file', () => {
    const key = 'Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----\n';
    const text = `Types: deb\nURIs: http://m.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n${key}`;
    expect(backports_source(parse_apt_sources('d.sources', text), 'bookworm')).toContain(key);
  });

  it('never throws on what it finds in /etc/apt, and always says one source', () => {
    const word = fc.constantFrom(
      'deb',
      'Types:',
      'URIs:',
      'Suites:',
      '[',
      ']',
      'bookworm',
      'main',
      '\n',
      ' ',
      '#',
      '\n\n',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(word).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(text, fc.constantFrom('x.list', 'x.sources'), (content, name) => {
        const source = backports_source(parse_apt_sources(name, content), 'bookworm');
        expect(source ?? 'Suites: bookworm-backports').toContain('Suites: bookworm-backports');
      }),
    );
  });
});

describe('untar', () => {
  const header = (name: string, size: number, type = '0'): Buffer => {
    const block = Buffer.alloc(512);
    block.write(name, 0);
    block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    block.write(type, 156);
    return block;
  };
  const padded = (text: string): Buffer => Buffer.concat([Buffer.from(text)], Math.ceil(text.length / 512) * 512);

  it('finds files, skips folders, and stops at the end mark', () => {
    const body = 'x'.repeat(600);
    const tar = Buffer.concat([
      header('bin/', 0, '5'),
      header('./bin/a', 600),
      padded(body),
      header('b', 0),
      Buffer.alloc(1024),
    ]);
    const files = untar(tar);
    expect([...files.keys()]).toEqual(['bin/a', 'b']);
    expect(files.get('bin/a')?.toString()).toBe(body);
  });

  it('refuses an archive that was cut off', () => {
    expect(() => untar(Buffer.concat([header('a', 5000), Buffer.alloc(512)]))).toThrow(
      'a damaged archive: a ends early',
    );
  });

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2048 }), (bytes) => {
        try {
          untar(Buffer.from(bytes));
        } catch (error) {
          expect((error as Error).message).toContain('a damaged archive');
        }
      }),
    );
  });
});

describe('the fallback that a process uses', () => {
  it('is believed only where its files are', () => {
    const env = { XDG_CACHE_HOME: join(scratch, 'cache-a') };
    const { user } = cache_folders(env);
    mkdirSync(user, { recursive: true });
    const icd = join(user, 'icd.json');
    const loader = join(user, 'libvulkan.so.1');
    writeFileSync(join(user, 'adapter.json'), JSON.stringify({ icd, loader }));
    expect(fallback_adapter(env)).toBeUndefined();
    writeFileSync(icd, '');
    writeFileSync(loader, '');
    expect(fallback_adapter(env)).toEqual({ icd, loader });
    writeFileSync(join(user, 'adapter.json'), '{"icd": "/half');
    expect(fallback_adapter(env)).toBeUndefined();
  });

  it('is not taken from a temp folder that others can write', () => {
    const folder = join(scratch, 'shared');
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    expect(is_private(folder)).toBe(false);
    chmodSync(folder, 0o700);
    expect(is_private(folder)).toBe(true);
    expect(is_private(join(scratch, 'absent'))).toBe(false);
  });
});

/** A small project with the real setup, the real packages and a command line of one line. */
describe('tools/setup.mjs in a project', () => {
  const project = join(scratch, 'project');
  const bin = join(scratch, 'bin');
  const npm_log = join(scratch, 'npm.log');
  const cache = join(scratch, 'cache-b');
  let first: ReturnType<typeof setup>;

  function setup(env: NodeJS.ProcessEnv = {}, as?: number) {
    const start = performance.now();
    const done = spawnSync(process.execPath, [join(project, 'tools/setup.mjs')], {
      encoding: 'utf8',
      ...(as === undefined ? {} : { uid: as, gid: as }),
      env: {
        ...process.env,
        MOLMOE_SETUP: '',
        npm_execpath: '',
        XDG_CACHE_HOME: cache,
        PATH: `${bin}:${process.env.PATH}`,
        ...env,
      },
    });
    return { status: done.status, said: done.stderr.trim().split('\n').filter(Boolean), ms: performance.now() - start };
  }

  beforeAll(() => {
    for (const path of [
      'package.json',
      'package-lock.json',
      'tools',
      'engine/errors.ts',
      'engine/node/adapter_env.ts',
    ]) {
      mkdirSync(dirname(join(project, path)), { recursive: true });
      cpSync(join(repo_root, path), join(project, path), { recursive: true });
    }
    mkdirSync(join(project, 'src'));
    writeFileSync(join(project, 'src/cli.ts'), 'console.log(__VERSION__, __COMMIT__, __DIRTY__);\n');
    writeFileSync(join(project, 'src/index.ts'), 'export const answer = 42;\n');
    mkdirSync(bin);
    // Stands for npm, so that no test touches the packages: notes how it was called, and fails as npm fails.
    writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho "$@" >> ${npm_log}\necho "npm error simulated" >&2\nexit 7\n`);
    chmodSync(join(bin, 'npm'), 0o755);
    symlinkSync(join(repo_root, 'node_modules'), join(project, 'node_modules'));
    const fallback = fallback_adapter(); // a machine without a driver of its own keeps the one fetched for it
    mkdirSync(join(cache, 'molmoe-lab'), { recursive: true });
    if (fallback) writeFileSync(join(cache, 'molmoe-lab/adapter.json'), JSON.stringify(fallback));
    first = setup();
  });

  it('builds and finds an adapter, a line each', () => {
    expect(first.said).toEqual([
      'setup: building dist/ (not built yet)',
      expect.stringMatching(/^setup: WebGPU adapter: \S/),
    ]);
    expect(first.status).toBe(0);
    const cli = spawnSync(process.execPath, [join(project, 'dist/cli.js')], { encoding: 'utf8', cwd: tmpdir() });
    const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
    expect(cli.stdout).toBe(`${version} unknown false\n`);
    expect(readFileSync(join(project, 'dist/cli.js'), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it('does nothing, quickly and silently, the second time', () => {
    const { status, said, ms } = setup();
    expect(said).toEqual([]);
    expect(status).toBe(0);
    expect(ms).toBeLessThan(2000);
  });

  it('builds anew when a source changed, by content and not by time', () => {
    const path = join(project, 'src/index.ts');
    const before = readFileSync(path, 'utf8');
    writeFileSync(path, before);
    expect(setup().said).toEqual([]);
    writeFileSync(path, 'export const answer = 43;\n');
    expect(setup().said).toEqual(['setup: building dist/ (the sources changed)']);
    expect(readFileSync(join(project, 'dist/index.js'), 'utf8')).toContain('43');
  });

  it('says why a build failed, and fails', () => {
    const path = join(project, 'src/index.ts');
    writeFileSync(path, 'export const answer = ;\n');
    const { status, said } = setup();
    writeFileSync(path, 'export const answer = 43;\n');
    expect(status).toBe(1);
    expect(said.join('\n')).toContain('src/index.ts:1:22');
    expect(said.at(-1)).toBe('setup: the build failed (exit 1)');
  });

  it('installs the packages when the lock file changed, without their scripts, and shows npm only when it fails', () => {
    const path = join(project, 'package-lock.json');
    const before = readFileSync(path, 'utf8');
    const lock = JSON.parse(before);
    lock.packages['node_modules/commander'].version = '0.0.1';
    writeFileSync(path, JSON.stringify(lock));
    const { status, said } = setup();
    writeFileSync(path, before);
    expect(said).toEqual([
      'setup: installing the packages (package-lock.json changed)',
      'npm error simulated',
      'setup: npm ci failed (exit 7)',
    ]);
    expect(status).toBe(1);
    expect(readFileSync(npm_log, 'utf8')).toMatch(/^ci --ignore-scripts/m);
  });

  it('does nothing at all with MOLMOE_SETUP=off', () => {
    const dist = join(project, 'dist');
    rmSync(dist, { recursive: true });
    const { status, said } = setup({ MOLMOE_SETUP: 'off' });
    expect([status, said, existsSync(dist)]).toEqual([0, [], false]);
    expect(setup().said).toEqual(['setup: building dist/ (not built yet)']);
  });

  /** What the setup needs of the packages, in place of the link: the checkout may lie where that user cannot read. */
  function readable_packages(): void {
    const packages = join(project, 'node_modules');
    rmSync(packages);
    mkdirSync(packages);
    copyFileSync(join(repo_root, 'node_modules/.package-lock.json'), join(packages, '.package-lock.json'));
    const other_platform = (path: string) =>
      /webgpu\/dist\/./.test(path) && !path.includes(`/${process.platform}-${process.arch}`);
    const filter = (path: string) => !other_platform(path);
    cpSync(join(repo_root, 'node_modules/webgpu'), join(packages, 'webgpu'), { recursive: true, filter });
  }

  // As root the setup would install a driver; it must not from a test, so this runs as a user without rights.
  const nobody = process.getuid?.() === 0 ? 65534 : undefined;
  it.skipIf(process.platform !== 'linux')('says what to install where there is no driver and no way to one', () => {
    const home = join(scratch, 'home');
    mkdirSync(home);
    chmodSync(home, 0o777);
    writeFileSync(join(bin, 'sudo'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    writeFileSync(npm_log, '');
    chmodSync(npm_log, 0o666);
    readable_packages();
    const none = { VK_ICD_FILENAMES: '/nonexistent', VK_DRIVER_FILES: '/nonexistent', XDG_CACHE_HOME: home };
    const { status, said } = setup(none, nobody);
    expect(status).toBe(0);
    const calls = readFileSync(npm_log, 'utf8');
    if (process.arch === 'x64') {
      expect(calls).toMatch(/^pack @sparticuz\/chromium@[\d.]+ /);
      expect(said.shift()).toMatch(
        /^setup: no WebGPU adapter on this machine: fetching the SwiftShader software driver/,
      );
    }
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /^setup: no WebGPU adapter \(.+\): install the GPU's Vulkan driver, or the software one: \S/,
    );
    expect(existsSync(join(home, 'molmoe-lab/adapter.json'))).toBe(false);
    expect(existsSync(join(home, 'molmoe-lab/probe.json'))).toBe(false);
  });
});
