/** Installs the peers where their lock changed, bundles this bench, and runs it: `npm run bench:peers`. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = join(folder, '../..');

/** npm's own record of what it installed holds the same packages as the lock, but for the project itself. */
function installed() {
  const record = join(folder, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const packages = (path) => {
    const { '': _, ...all } = JSON.parse(readFileSync(path, 'utf8')).packages;
    return JSON.stringify(Object.entries(all).map(([name, { version, integrity }]) => [name, version, integrity]));
  };
  return packages(record) === packages(join(folder, 'package-lock.json'));
}

if (!installed()) {
  process.stderr.write('peers: installing onnxruntime and TensorFlow.js into bench/peers (360 MB)\n');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  execFileSync(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
}

/** A comparison's own records make no difference to what it compares. */
function commit() {
  const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    if (git('rev-parse', '--show-cdup') !== '') return { hash: 'unknown', dirty: false };
    const changed = git('status', '--porcelain', '--', ':/', ':(exclude,top)bench/history');
    return { hash: git('rev-parse', 'HEAD'), dirty: changed !== '' };
  } catch {
    return { hash: 'unknown', dirty: false };
  }
}

const { hash, dirty } = commit();
// Beside the peers: from there both their packages and the engine's are found.
const outfile = join(folder, 'node_modules/.bench/main.mjs');
await build({
  entryPoints: [join(folder, 'main.ts')],
  outfile,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  loader: { '.wgsl': 'text', '.py': 'text' },
  define: {
    __VERSION__: JSON.stringify(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version),
    __COMMIT__: JSON.stringify(hash),
    __DIRTY__: JSON.stringify(dirty),
  },
  logLevel: 'warning',
});
await import(pathToFileURL(outfile).href);
