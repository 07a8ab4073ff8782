/**
 * `import text from './page.ts?bundle'`: the file with all it imports, bundled and minified for a browser, as a string.
 * Takes TypeScript (one script) and CSS alike. For pages that must live in a single file.
 */
import { dirname, resolve } from 'node:path';

const QUERY = /\?bundle$/;

export async function bundle_text(path) {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [path],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: ['chrome110', 'firefox115', 'safari16'],
    loader: { '.wgsl': 'text' },
    legalComments: 'none',
    logLevel: 'warning',
  });
  return outputFiles[0].text.trim();
}

export const esbuild_bundle = {
  name: 'bundle',
  setup(build) {
    build.onResolve({ filter: QUERY }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.replace(QUERY, '')),
      namespace: 'bundle',
    }));
    build.onLoad({ filter: /.*/, namespace: 'bundle' }, async ({ path }) => ({
      contents: await bundle_text(path),
      loader: 'text',
    }));
  },
};

/** A virtual name that ends in .js keeps Vite's own CSS and TypeScript steps away. */
const VIRTUAL = /^\0bundle:(.*)\.js$/;

export const vite_bundle = {
  name: 'bundle',
  enforce: 'pre',
  resolveId(source, importer) {
    if (!QUERY.test(source) || importer === undefined) return undefined;
    return `\0bundle:${resolve(dirname(importer), source.replace(QUERY, ''))}.js`;
  },
  async load(id) {
    const path = VIRTUAL.exec(id)?.[1];
    return path === undefined ? undefined : `export default ${JSON.stringify(await bundle_text(path))}`;
  },
};
