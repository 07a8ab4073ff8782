import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBES_VERSION } from '../../engine/meter/ceilings.ts';
import { cache_folder } from '../../engine/node/cache.ts';
import { repo_root } from './golden.ts';

const KEPT = join('molmoe', 'ceilings');

/** Once before all tests: ceilings of this adapter take ten seconds to measure, and many tests want them. */
export default function warm_cache(): void {
  const kept = join(cache_folder(), KEPT);
  const files = existsSync(kept) ? readdirSync(kept).map((name) => readFileSync(join(kept, name), 'utf8')) : [];
  const is_known = files.some((text) => text.includes(`"probes": ${PROBES_VERSION},`));
  if (is_known || !existsSync(join(repo_root, 'dist/.stamp'))) return;
  // Where there is no adapter the tests say so themselves.
  spawnSync(process.execPath, [join(repo_root, 'dist/cli.js'), 'ceilings']);
}

/** A cache folder of a test's own, with the ceilings that are known. */
export function own_cache(folder: string): { readonly XDG_CACHE_HOME: string } {
  const own = join(folder, 'cache');
  const kept = join(cache_folder(), KEPT);
  mkdirSync(own, { recursive: true });
  if (existsSync(kept)) cpSync(kept, join(own, KEPT), { recursive: true });
  return { XDG_CACHE_HOME: own };
}
