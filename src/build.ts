/** What the build wrote into the bundle; a run from sources has none of it. */
export const version: string = typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-source';
export const commit: string = typeof __COMMIT__ === 'string' ? __COMMIT__ : 'unknown';
export const dirty: boolean = typeof __DIRTY__ === 'boolean' ? __DIRTY__ : true;
/** Digest of all sources and packages that the bundle was made from. */
const digest: string = typeof __BUILD__ === 'string' ? __BUILD__ : 'source';
export const build = { version, commit, dirty, digest };
