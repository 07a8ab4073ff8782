/**
 * Writes the live page to dist/page: a folder that any static host can serve. Script and style from web/, nano and the
 * reference cases that its badge runs beside them.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { commit, source_digest } from './build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What script and style may weigh together, before compression. */
const MOST_BYTES = 1.5e6;
/** Reference cases of the badge: nano's own lie in its folder. */
const GOLDEN_SETS = ['tiny', 'odd'];

/** A web server lists no folder: its files, their sizes and digests, in files.json beside them. */
export function list_folder(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name !== 'files.json' && statSync(join(folder, name)).isFile())
    .sort()
    .map((name) => {
      const content = readFileSync(join(folder, name));
      return { name, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
    });
  writeFileSync(join(folder, 'files.json'), `${JSON.stringify({ schema: 'molmoe.folder/1', files }, null, 1)}\n`);
}

export async function build_page(out) {
  const { build } = await import('esbuild');
  const { hash, dirty } = commit();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const shared = {
    absWorkingDir: root,
    outdir: out,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome113', 'firefox141', 'safari26'],
    loader: { '.wgsl': 'text' },
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    define: {
      __VERSION__: JSON.stringify(version),
      __COMMIT__: JSON.stringify(hash),
      __DIRTY__: JSON.stringify(dirty),
      __BUILD__: JSON.stringify(source_digest().slice(0, 16)),
    },
  };
  const entryPoints = { page: './web/page.ts', worker: './web/worker/worker.ts', style: './web/style/page.css' };
  const { metafile } = await build({ ...shared, entryPoints });
  const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
  if (bytes > MOST_BYTES) throw new Error(`script and style weigh ${bytes} bytes: expected at most ${MOST_BYTES}`);
  for (const name of ['index.html', 'icon.svg']) cpSync(join(root, 'web', name), join(out, name));
  cpSync(join(root, 'engine/nano'), join(out, 'nano'), { recursive: true });
  list_folder(join(out, 'nano'));
  for (const set of GOLDEN_SETS) {
    cpSync(join(root, 'test/fixtures/golden/model', set), join(out, 'golden', set), { recursive: true });
  }
  return { bytes };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const out = join(root, 'dist/page');
  if (!existsSync(join(root, 'web/index.html'))) throw new Error('expected web/ beside tools/, found none');
  await build_page(out).then(
    ({ bytes }) => process.stdout.write(`dist/page: ${Math.round(bytes / 1000)} kB of script and style, and nano\n`),
    (error) => {
      if (!error.errors) process.stderr.write(`page: ${error.message}\n`); // esbuild has printed its own
      process.exit(1);
    },
  );
}
