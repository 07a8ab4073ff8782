import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { InputError } from '../engine/errors.ts';

/** Of what a page is made; whatever else lies in the folder is bytes. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

/** The page asks only its own folder, runs only its own script, and takes no text for markup. */
export const CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Opener and embedder policies isolate the page: then browsers give it a clock of 5 us instead of 100. */
const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CONTENT_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
  'Accept-Ranges': 'bytes',
};

export interface PageServer {
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** Serves a folder to this machine alone: files by their names, no listing, nothing outside of it. Port 0: any free one. */
export async function serve_folder(folder: string, port: number): Promise<PageServer> {
  const root = await realpath(folder);
  const server = createServer((request, response) => {
    answer(root, request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else refuse(response, 500);
    });
  });
  const bound = await listen(server, port);
  return {
    url: `http://localhost:${bound}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const found = error.code === 'EADDRINUSE' ? 'one that is taken' : error.code;
      reject(new InputError(`port ${port}: expected a free port, found ${found}; choose another with --port`));
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : port);
    });
  });
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  // A foreign name that was pointed at this machine must not read what is served to it.
  if (!/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(request.headers.host ?? '')) return refuse(response, 403);
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405);
  const path = file_of(root, request.url ?? '/');
  const found = path === undefined ? undefined : await within(root, path);
  if (found === undefined) return refuse(response, 404);
  const { size, real } = found;
  response.setHeader('Content-Type', TYPES[extname(real)] ?? 'application/octet-stream');
  const range = range_of(request.headers.range, size);
  if (range === null) {
    response.setHeader('Content-Range', `bytes */${size}`);
    return refuse(response, 416);
  }
  const [from, to] = range ?? [0, size - 1];
  response.setHeader('Content-Length', to - from + 1);
  if (range !== undefined) response.setHeader('Content-Range', `bytes ${from}-${to}/${size}`);
  response.writeHead(range === undefined ? 200 : 206);
  if (request.method === 'HEAD' || size === 0) return void response.end();
  // A reader that leaves in the middle is no fault of ours.
  await pipeline(createReadStream(real, { start: from, end: to }), response).catch(() => undefined);
}

function refuse(response: ServerResponse, status: number): void {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.writeHead(status).end(`${status}\n`);
}

/** The file that a request names; undefined where the name could lead elsewhere, or is one of those that are hidden. */
function file_of(root: string, url: string): string | undefined {
  let path: string;
  try {
    path = decodeURIComponent((url.split(/[?#]/, 1)[0] as string).slice(1));
  } catch {
    return undefined;
  }
  const parts = (path === '' ? 'index.html' : path).split('/');
  const plain = parts.every((part) => part !== '' && !part.startsWith('.') && !/[\\\0:]/.test(part));
  return plain ? join(root, ...parts) : undefined;
}

/** Links may not lead out, and a folder is no file. */
async function within(root: string, path: string): Promise<{ real: string; size: number } | undefined> {
  try {
    const real = await realpath(path);
    const stats = await stat(real);
    return stats.isFile() && real.startsWith(root + sep) ? { real, size: stats.size } : undefined;
  } catch {
    return undefined;
  }
}

/** undefined: the whole file. null: a range that lies outside. Of several ranges none is taken: the whole file is right too. */
function range_of(header: string | undefined, size: number): [number, number] | undefined | null {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || (first === '' && last === '')) return undefined;
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return from <= to && from < size ? [from, to] : null;
}
