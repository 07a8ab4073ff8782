import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Molmoe } from '../../engine/node/load.ts';
import { shapes_sample } from '../../experiments/datasets/shapes.ts';
import { type PageServer, serve_folder } from '../../src/page_server.ts';
import { bundle_text } from '../../tools/inline_bundle.mjs';
import { list_folder } from '../../tools/page.mjs';
import { no_browser } from '../support/browser.ts';
import { repo_root } from '../support/golden.ts';
import { open_gpu_browser, scratch_folder } from './gpu_browser.ts';

const TOLERANCE: Readonly<Record<string, number>> = { 'alpha.png': 1, 'turned.jpg': 12 };
const SETS = ['tiny', 'tiny-f16', 'tiny-bf16', 'geo', 'odd'];
/** Of 200, which MOLMOE_ANSWERS=200 asks: the test alone would take a minute. */
const ANSWERS = Number(process.env.MOLMOE_ANSWERS ?? 40);

describe.skipIf(no_browser)(`the engine in Chromium${no_browser ? ` (skipped: ${no_browser})` : ''}`, () => {
  let browser: Browser;
  let page: Page;
  let server: PageServer;
  const pictures: Record<string, Uint8Array> = {};
  let folder: ReturnType<typeof scratch_folder>;

  const ask = <T>(name: string, ...args: unknown[]): Promise<T> =>
    page.evaluate(
      async ([name, args]) => {
        const worker = new Worker('/worker.js');
        const answer = await new Promise<{ value?: unknown; error?: string }>((resolve) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => resolve({ error: message });
          worker.postMessage({ name, args });
        });
        worker.terminate();
        if (answer.error !== undefined) throw new Error(answer.error);
        return answer.value;
      },
      [name, args] as const,
    ) as Promise<T>;

  beforeAll(async () => {
    await make_pictures(pictures);
    folder = scratch_folder({
      'index.html': '<!doctype html><title>engine</title>',
      'worker.js': await bundle_text(join(import.meta.dirname, 'engine_worker.ts')),
      ...Object.fromEntries(Object.entries(pictures).map(([name, bytes]) => [`pictures/${name}`, bytes])),
    });
    cpSync(join(repo_root, 'test/fixtures/golden/model'), join(folder.path, 'golden'), { recursive: true });
    cpSync(join(repo_root, 'engine/nano'), join(folder.path, 'nano'), { recursive: true });
    list_folder(join(folder.path, 'nano'));
    server = await serve_folder(folder.path, 0);
    browser = await open_gpu_browser();
    page = await browser.newPage();
    await page.goto(server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    folder?.remove();
  });

  it('passes every shipped golden', async () => {
    const { cases, failed, adapter } = await ask<{ cases: number; failed: unknown[]; adapter: string }>('verify', SETS);
    expect(failed).toEqual([]);
    expect(cases).toBe(SETS.reduce((sum, set) => sum + cases_of(set), 0));
    expect(adapter).toMatch(/swiftshader/i);
  });

  it(`answers ${ANSWERS} questions about pictures as in Node, token for token`, async () => {
    const found = await ask<number[][]>('answers', ANSWERS);
    const nano = await Molmoe.load({ model: 'nano' });
    try {
      for (let n = 0; n < ANSWERS; n++) {
        const { picture, question } = shapes_sample('test', n);
        const { tokens } = await nano.generate({ prompt: question, image: picture, maxNewTokens: 16 }).result;
        expect(found[n], `${n}: ${question}`).toEqual(tokens);
      }
    } finally {
      nano.close();
    }
  });

  it.each(['plain.png', 'alpha.png', 'grey.png', 'profile.png', 'plain.webp', 'turned.jpg', 'plain.gif'])(
    'decodes %s as Node does',
    async (name) => {
      for (const orient of [false, true]) {
        const { decode_image } = await import('../../engine/node/decode_image.ts');
        const wanted = await decode_image(pictures[name] as Uint8Array, { orient });
        const found = await ask<{ width: number; height: number; rgb: number[] }>('decode', name, orient);
        expect([found.width, found.height]).toEqual([wanted.width, wanted.height]);
        const off = found.rgb.map((value, i) => Math.abs(value - (wanted.rgb[i] as number)));
        // What is stored without loss is equal; a canvas rounds what is transparent, and two decoders of JPEG their cosines.
        const mean = off.reduce((sum, x) => sum + x, 0) / off.length;
        expect(Math.max(...off), `${name} ${orient}`).toBeLessThanOrEqual(TOLERANCE[name] ?? 0);
        expect(mean).toBeLessThan(1);
      }
    },
  );
});

const cases_of = (set: string): number =>
  JSON.parse(readFileSync(join(repo_root, 'test/fixtures/golden/model', set, 'index.json'), 'utf8')).cases.length;

/** Smooth, as photographs are: at hard edges two JPEG decoders differ by how they enlarge colour. */
async function make_pictures(into: Record<string, Uint8Array>): Promise<void> {
  const [width, height] = [48, 32];
  const raw = Buffer.alloc(width * height * 3);
  for (let i = 0, y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      raw[i++] = 5 * x;
      raw[i++] = 7 * y;
      raw[i++] = 2 * x + 3 * y;
    }
  }
  const plain = () => sharp(raw, { raw: { width, height, channels: 3 } });
  into['plain.png'] = await plain().png().toBuffer();
  into['alpha.png'] = await plain().ensureAlpha(0.5).png().toBuffer();
  into['grey.png'] = await plain().greyscale().png().toBuffer();
  into['profile.png'] = await plain().withIccProfile('p3').png().toBuffer();
  into['plain.webp'] = await plain().webp({ lossless: true }).toBuffer();
  into['turned.jpg'] = await plain()
    .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
    .withMetadata({ orientation: 6 })
    .toBuffer();
  into['plain.gif'] = await plain().gif({ colours: 256, dither: 0 }).toBuffer();
}
