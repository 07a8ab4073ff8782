import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { vite_bundle } from './tools/inline_bundle.mjs';

/** WGSL files are imported as text, as esbuild does in the build. */
const wgsl = {
  name: 'wgsl',
  load(id: string): string | undefined {
    return id.endsWith('.wgsl') ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))}` : undefined;
  },
};

/** Tests that move the cache folder leave the driver's compiled shaders where they are: compiling is most of a cold start. */
const { MESA_SHADER_CACHE_DIR = join(homedir(), '.cache') } = process.env;

export default defineConfig({
  plugins: [wgsl, vite_bundle],
  test: {
    env: { MESA_SHADER_CACHE_DIR },
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/warm_cache.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
