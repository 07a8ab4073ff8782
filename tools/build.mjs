/**
 * Bundles the command line, the library and the benches into dist/. `--types` writes the type declarations too,
 * which takes seconds and is only for a release and for CI.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { esbuild_bundle } from './inline_bundle.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

const entries = {
  cli: './src/cli.ts',
  index: './src/index.ts',
  bench: './bench/main.ts',
  ensure_adapter: './tools/adapter/ensure.ts',
  probe: './tools/adapter/probe.ts',
  quality_table: './tools/quality_table.ts',
};

/** Changes with every source, with the packages and with the commit. */
export function source_digest() {
  const hash = createHash('sha256');
  for (const folder of ['src', 'web', 'engine', 'kernels', 'experiments', 'tools', 'bench', 'test/reference']) {
    if (!existsSync(join(root, folder))) continue;
    for (const name of readdirSync(join(root, folder), { recursive: true }).sort()) {
      if (!/\.(ts|mjs|wgsl|css|html|svg|json)$/.test(name) || name.includes('node_modules')) continue;
      hash.update(`${folder}/${name}\0`).update(readFileSync(join(root, folder, name)));
    }
  }
  for (const name of ['package.json', 'package-lock.json']) hash.update(readFileSync(join(root, name)));
  return hash.update(JSON.stringify(commit())).digest('hex');
}

/** A project inside somebody else's repository has no commit of its own. */
export function commit() {
  const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    if (git('rev-parse', '--show-cdup') !== '') return { hash: 'unknown', dirty: false };
    return { hash: git('rev-parse', 'HEAD'), dirty: git('status', '--porcelain') !== '' };
  } catch {
    return { hash: 'unknown', dirty: false };
  }
}

async function build(with_types) {
  const { build: bundle } = await import('esbuild');
  const { hash, dirty } = commit();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const digest = source_digest();
  rmSync(join(root, 'dist/.stamp'), { force: true });
  const shared = {
    absWorkingDir: root,
    outdir: 'dist',
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    loader: { '.wgsl': 'text' },
    plugins: [esbuild_bundle],
    // A command's packages load when it is called. Chunks lie beside the entries: paths are relative to either.
    splitting: true,
    chunkNames: '[name]-[hash]',
    metafile: true,
    sourcemap: true,
    logLevel: 'warning',
    define: {
      __VERSION__: JSON.stringify(version),
      __COMMIT__: JSON.stringify(hash),
      __DIRTY__: JSON.stringify(dirty),
      __BUILD__: JSON.stringify(digest.slice(0, 16)),
    },
  };
  const { cli, bench, quality_table, ...others } = entries;
  if (existsSync(join(root, bench))) others.bench = bench;
  if (existsSync(join(root, 'experiments'))) others.quality_table = quality_table;
  const built = await Promise.all([
    bundle({ ...shared, entryPoints: { cli }, banner: { js: '#!/usr/bin/env node' } }),
    bundle({ ...shared, entryPoints: others }),
  ]);
  remove_stale(built.flatMap(({ metafile }) => Object.keys(metafile.outputs)));
  chmodSync(join(root, 'dist/cli.js'), 0o755);
  if (with_types) {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const typed = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
    if (typed.status !== 0) process.exit(1);
  }
  writeFileSync(join(root, 'dist/.stamp'), digest);
}

/** Chunks of earlier builds: their names hold digests, so nothing overwrites them. */
function remove_stale(outputs) {
  const current = new Set(outputs.map((path) => basename(path)));
  for (const name of readdirSync(join(root, 'dist'))) {
    if (/\.js(\.map)?$/.test(name) && !current.has(name)) rmSync(join(root, 'dist', name));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await build(process.argv.includes('--types')).catch((error) => {
    // esbuild has printed where and why; anything else has not.
    if (!error.errors) process.stderr.write(`build: ${error.message}\n`);
    process.exit(1);
  });
}
