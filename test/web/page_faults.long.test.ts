import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { no_browser } from '../support/browser.ts';
import { ask, idle, type Live, open_live, ready, see, trouble } from './page_browser.ts';

/** A PNG's first bytes, of this size. */
function png_head(width: number, height: number): Buffer {
  const head = Buffer.alloc(33);
  head.write('\x89PNG\r\n\x1a\n', 'latin1');
  head.writeUInt32BE(13, 8);
  head.write('IHDR', 12);
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return head;
}

const SENTENCE = /^[A-Z<].*[.!?]$/;

describe.skipIf(no_browser)(`what goes wrong on the live page${no_browser ? ` (skipped: ${no_browser})` : ''}`, () => {
  let live: Live;
  let page: Page;
  beforeAll(async () => {
    live = await open_live();
  });
  afterAll(async () => live?.close());

  const refused = async (file: { name: string; buffer: Buffer }, label: string): Promise<string> => {
    await page.getByLabel(label).setInputFiles({ ...file, mimeType: 'application/octet-stream' });
    await page.locator('.trouble').waitFor();
    await idle(page);
    return trouble(page);
  };

  it('refuses files in a sentence each, and goes on', async () => {
    page = await live.open();
    await ready(page);
    const own = 'Your own picture';
    expect(await refused({ name: 'words.png', buffer: Buffer.from('hello') }, own)).toMatch(
      /^Words\.png: expected a PNG/,
    );
    expect(await refused({ name: 'bomb.png', buffer: png_head(30_000, 30_000) }, own)).toBe(
      'Bomb.png: expected at most 100 million pixels, found 30000x30000; scale it down.',
    );
    expect(await refused({ name: 'cut.png', buffer: png_head(20, 20) }, own)).toMatch(
      /expected a picture that can be decoded/,
    );
    await see(page, 'Measure');
    const theirs = "Somebody else's file";
    const other = { schema: 'molmoe.run/1' };
    for (const [text, expected] of [
      ['{', /found JSON that is cut off or broken/],
      [JSON.stringify(other), /expected schema molmoe\.results\/1, found "molmoe\.run\/1"/],
      [JSON.stringify({ schema: 'molmoe.results/9' }), /a newer version wrote it/],
    ] as const) {
      const said = await refused({ name: 'r.json', buffer: Buffer.from(text) }, theirs);
      expect(said).toMatch(expected);
      expect(said).toMatch(SENTENCE);
    }
    for (const word of ['low', 'medium']) await page.locator(`#regime-${word}`).uncheck();
    await page.getByRole('button', { name: 'Measure', exact: true }).click();
    expect(await trouble(page)).toContain('tick one of each');
    await see(page, 'Ask');
    expect(await ask(page)).toBe('orange');
    await page.context().close();
  });

  it('takes from a link only what there is', async () => {
    page = await live.open({
      path: '#nowhere?model=evil&picture=-3&tokens=9e9&crops=99&topk=8;alert(1)&dtype=__proto__',
    });
    await ready(page);
    expect(await page.getByRole('heading', { level: 2 }).innerText()).toBe('Ask about a picture');
    expect(await page.getByLabel('Tokens at most').inputValue()).toBe('16');
    await page.context().close();
  });

  it('goes on with a download that breaks, and says where it broke', async () => {
    page = await live.open({ path: 'icon.svg' });
    let broken = 0;
    await page.context().route('**/nano/model.safetensors', (route) => {
      broken += 1;
      return broken <= 4 ? route.abort('connectionreset') : route.continue();
    });
    await page.goto(live.url);
    await page.locator('.trouble').waitFor();
    expect(await trouble(page)).toMatch(
      /^Nano\/model\.safetensors: expected 4\.0 MB, found 0\.0 MB before the connection broke/,
    );
    expect(await ask(page)).toBe('orange');
    await page.context().close();
  });

  it('outlives a lost device', async () => {
    page = await live.open();
    await ready(page);
    const session = await live.browser.newBrowserCDPSession();
    await session.send('Browser.crashGpuProcess').catch(() => undefined);
    await page.locator('.trouble').waitFor();
    expect(await trouble(page)).toMatch(/^The GPU was lost .* press "Start again"/);
    await page.getByRole('button', { name: 'Start again' }).click();
    await ready(page);
    expect(await ask(page)).toBe('orange');
    await page.context().close();
  });

  it('tells a second tab that it is one', async () => {
    page = await live.open();
    await ready(page);
    const second = await page.context().newPage();
    await second.goto(live.url);
    await second.locator('.other-tab').waitFor();
    expect(await second.locator('.other-tab').innerText()).toMatch(/^Another tab of this page is open: .*\.$/);
    await page.context().close();
  });
});

/** What the worker's script begins with: how a browser without something is tried. */
const without = (page: Page, patch: string): Promise<unknown> =>
  page.context().route('**/worker.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${patch};\n${await response.text()}` });
  });

describe.skipIf(no_browser)(`a browser that lacks something${no_browser ? ` (skipped: ${no_browser})` : ''}`, () => {
  it('no adapter, or no WebGPU: one sentence, and the page stays', async () => {
    const live = await open_live('none');
    try {
      const page = await live.open();
      await page.locator('.trouble').waitFor();
      expect(await trouble(page)).toMatch(/^WebGPU: expected (an adapter|a browser that has it), found none.*\.$/);
      await see(page, 'This device');
      expect(await page.locator('dl.card').first().innerText()).toContain('not open');
      expect(await page.getByRole('button', { name: 'Start again' }).isVisible()).toBe(true);
      await page.context().close();
      const other = await live.open({ path: 'icon.svg' });
      await without(other, "Object.defineProperty(Object.getPrototypeOf(navigator), 'gpu', { value: undefined })");
      await other.goto(live.url);
      await other.locator('.trouble').waitFor();
      expect(await trouble(other)).toMatch(/^WebGPU: expected a browser that has it, found none; .*\.$/);
    } finally {
      await live.close();
    }
  });

  it('no time stamps: kernels are timed by the host, and it is said', async () => {
    const live = await open_live();
    try {
      const page = await live.open({ path: 'icon.svg' });
      const patch = `const found = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, 'features');
        Object.defineProperty(GPUAdapter.prototype, 'features', {
          get() { return new Set([...found.get.call(this)].filter((name) => name !== 'timestamp-query')); },
        })`;
      await without(page, patch);
      await page.goto(live.url);
      await ready(page);
      expect(await ask(page)).toBe('orange');
      await page.getByRole('button', { name: 'See all kernels' }).click();
      await page.locator('#kernels tbody tr').first().waitFor();
      expect(await page.locator('.honest').innerText()).toMatch(
        /host clock around fenced submits.*This adapter has no stamps/,
      );
      await see(page, 'This device');
      expect(await page.locator('dl.card').first().innerText()).toContain('none: kernels are timed by the host');
    } finally {
      await live.close();
    }
  });
});
