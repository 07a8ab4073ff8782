import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { vite_bundle } from './tools/inline_bundle.mjs';

/** WGSL files are imported as text, as esbuild does in the build. */
const wgsl = {
  name: 'wgsl',
  load(id: string): string | undefined {
    return id.endsWith('.wgsl') ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))}` : undefined;
  },
};

export default defineConfig({
  plugins: [wgsl, vite_bundle],
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
