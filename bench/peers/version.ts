import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The version of an installed package, of this bench's own or of the engine's. */
export function version_of(name: string): string {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return (JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')) as { version: string }).version;
    } catch {
      // Not in this folder: the next one up.
    }
  }
  throw new Error(`${name}: expected an installed package, found none; run npm run bench:peers`);
}
