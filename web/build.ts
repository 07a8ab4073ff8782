import type { Build } from '../experiments/lab/origin.ts';

/** What tools/page.mjs wrote into the bundle; a run from sources has none of it. */
export const BUILD: Build = {
  version: typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-source',
  commit: typeof __COMMIT__ === 'string' ? __COMMIT__ : 'unknown',
  dirty: typeof __DIRTY__ === 'boolean' ? __DIRTY__ : true,
  digest: typeof __BUILD__ === 'string' ? __BUILD__ : 'source',
};
