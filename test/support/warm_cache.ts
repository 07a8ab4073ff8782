import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cache_folder } from '../../engine/node/cache.ts';
import { repo_root } from './golden.ts';

const KEPT = join('molmoe', 'ceilings');

/** Once before all tests: ceilings of this adapter take ten seconds to measure, and many tests want them. */
export default function warm_cache(): void {
  const kept = join(cache_folder(), KEPT);
  if ((existsSync(kept) && readdirSync(kept).length > 0) || !existsSync(join(repo_root, 'dist/.stamp'))) return;
  // Where there is no adapter the tests say so themselves.
  spawnSync(process.execPath, [join(repo_root, 'dist/cli.js'), 'explain', '--model', 'molmoe-tiny', '--decode', '2']);
}

/** A cache folder of a test's own, with the ceilings that are known. */
export function own_cache(folder: string): { readonly XDG_CACHE_HOME: string } {
  const own = join(folder, 'cache');
  const kept = join(cache_folder(), KEPT);
  mkdirSync(own, { recursive: true });
  if (existsSync(kept)) cpSync(kept, join(own, KEPT), { recursive: true });
  return { XDG_CACHE_HOME: own };
}
