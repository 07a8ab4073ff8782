import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { repo_root } from './golden.ts';

/** Nothing is left out silently. */
export default function say_what_is_left_out(): void {
  const files = readdirSync(join(repo_root, 'test'), { recursive: true, encoding: 'utf8' });
  const long = files.filter((name) => name.endsWith('.long.test.ts')).length;
  process.stdout.write(`${long} long files of tests are left out (*.long.test.ts); npm run test:all runs them too\n`);
}
