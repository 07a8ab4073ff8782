import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { defineConfig, type TestUserConfig } from 'vitest/config';
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

/** What compares times runs after everything else, a file at a time: other work on the machine slows whichever it meets. */
const ALONE = 'test/**/*.alone{,.long}.test.ts';

const plugins = [wgsl, vite_bundle];

const project = (name: string, groupOrder: number, test: TestUserConfig) => ({
  plugins,
  test: {
    ...{ name, env: { MESA_SHADER_CACHE_DIR }, testTimeout: 240_000, hookTimeout: 240_000, pool: 'forks' as const },
    ...{ sequence: { groupOrder }, ...test },
  },
});

export default defineConfig(({ mode }) => {
  const left_out = wants_long(mode) ? [] : [LONG];
  return {
    plugins,
    test: {
      globalSetup: ['test/support/warm_cache.ts', ...left_out.map(() => 'test/support/say_what_is_left_out.ts')],
      projects: [
        project('together', 0, { include: ['test/**/*.test.ts'], exclude: [ALONE, ...left_out], maxWorkers: 3 }),
        project('alone', 1, { include: [ALONE], exclude: left_out, maxWorkers: 1 }),
      ],
    },
  };
});
