/** Written into the bundles by tools/build.mjs; outside a bundle (in a test) they are not defined: ask with `typeof`. */
declare const __VERSION__: string;
/** The git commit, or `unknown`. */
declare const __COMMIT__: string;
/** True where the working tree differed from the commit. */
declare const __DIRTY__: boolean;
/** Digest of all sources and packages. */
declare const __BUILD__: string;
