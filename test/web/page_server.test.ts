import { symlinkSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTENT_POLICY, type PageServer, serve_folder } from '../../src/page_server.ts';
import { scratch_folder } from './gpu_browser.ts';

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

describe("the page's server", () => {
  const folder = scratch_folder({
    'index.html': '<p>page</p>',
    'a/b.json': '{"x":1}',
    '.secret': 'no',
    'empty.js': '',
  });
  const outside = scratch_folder({ 'secret.txt': 'no' });
  let server: PageServer;
  beforeAll(async () => {
    symlinkSync(join(outside.path, 'secret.txt'), join(folder.path, 'link.txt'));
    server = await serve_folder(folder.path, 0);
  });
  afterAll(async () => {
    await server.close();
    folder.remove();
    outside.remove();
  });

  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(server.url);
      const asked = request({
        host: '127.0.0.1',
        port,
        path,
        method,
        headers: { host: `${hostname}:${port}`, ...headers },
      });
      asked.on('error', reject);
      asked.on('response', (response) => {
        let body = '';
        response.on('data', (piece) => {
          body += piece;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      asked.end();
    });

  it('serves files with the policy and the headers that isolate the page', async () => {
    const { status, headers, body } = await ask('/');
    expect([status, body]).toEqual([200, '<p>page</p>']);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': CONTENT_POLICY,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'x-content-type-options': 'nosniff',
    });
    expect((await ask('/a/b.json?x#y')).headers['content-type']).toBe('application/json');
    expect((await ask('/empty.js')).body).toBe('');
  });

  it('serves ranges', async () => {
    const { status, headers, body } = await ask('/a/b.json', { range: 'bytes=1-3' });
    expect([status, headers['content-range'], body]).toEqual([206, 'bytes 1-3/7', '"x"']);
    expect((await ask('/a/b.json', { range: 'bytes=4-' })).body).toBe(':1}');
    expect((await ask('/a/b.json', { range: 'bytes=-2' })).body).toBe('1}');
    expect((await ask('/a/b.json', { range: 'bytes=9-' })).status).toBe(416);
    expect((await ask('/a/b.json', { range: 'bytes=0-1,3-4' })).status).toBe(200);
  });

  it.each([
    ['/../secret.txt'],
    ['/..%2f..%2fetc/passwd'],
    ['/%2e%2e/%2e%2e/etc/passwd'],
    ['/a/../../x'],
    ['/a\\..\\b'],
    ['/%00'],
    ['/%'],
    ['//etc/passwd'],
    ['/.secret'],
    ['/link.txt'],
    ['/a'],
    ['/a/'],
    ['/none.js'],
  ])('has nothing at %s', async (path) => {
    const { status, body } = await ask(path);
    expect([status, body]).toEqual([404, '404\n']);
  });

  it('answers neither other methods nor other names of this machine', async () => {
    expect((await ask('/', {}, 'POST')).status).toBe(405);
    expect((await ask('/', { host: 'evil.example' })).status).toBe(403);
    expect((await ask('/', {}, 'HEAD')).body).toBe('');
  });

  it('says that a port is taken', async () => {
    const port = Number(new URL(server.url).port);
    await expect(serve_folder(folder.path, port)).rejects.toThrow(
      `port ${port}: expected a free port, found one that is taken`,
    );
  });
});
