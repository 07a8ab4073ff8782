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

/** Browsers, killed processes, every option, the documents' commands: two thirds of the time. Left out unless all or one is asked for. */
const LONG = '**/*.long.test.ts';
const wants_long = (mode: string): boolean => mode === 'all' || process.argv.some((word) => word.includes('.long'));

export default defineConfig(({ mode }) => ({
  plugins: [wgsl, vite_bundle],
  test: {
    env: { MESA_SHADER_CACHE_DIR },
    include: ['test/**/*.test.ts'],
    exclude: wants_long(mode) ? [] : [LONG],
    globalSetup: ['test/support/warm_cache.ts', ...(wants_long(mode) ? [] : ['test/support/say_what_is_left_out.ts'])],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
}));
