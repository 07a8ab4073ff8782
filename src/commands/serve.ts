import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError, UsageError } from '../../engine/errors.ts';
import { interruptible } from '../options.ts';
import { serve_folder } from '../page_server.ts';
import { note, out } from '../print.ts';

export interface ServeFlags {
  readonly port: number;
}

/** Beside the bundle: what `npm run page` writes. */
const PAGE = join(dirname(fileURLToPath(import.meta.url)), 'page');

/** Serves the live page to this machine until it is interrupted. */
export async function serve({ port }: ServeFlags): Promise<undefined> {
  if (port > 65_535) throw new UsageError(`--port ${port}: expected a port of at most 65535; 0 takes any free one`);
  if (!existsSync(join(PAGE, 'index.html'))) {
    throw new InputError(`${PAGE}: expected the live page, found none; build it with \`npm run page\``);
  }
  const server = await serve_folder(PAGE, port);
  const signal = interruptible();
  out(`${server.url}\n`);
  note('serving the live page to this machine alone; Ctrl+C ends it');
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await server.close();
}
