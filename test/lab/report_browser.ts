import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { build_index, build_page, type IndexEntry, type PageInput } from '../../experiments/lab/report.ts';
import { no_browser, open_browser } from '../support/browser.ts';
import { fake_configuration } from '../support/records.ts';
import { page_input } from './report_input.ts';
import { record_text } from './report_text.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-report-'));
let browser: Browser;
/** The page that is open. */
export let page: Page;
/** What the console said, what was asked of a network, dialogs: all must stay empty. */
let complaints: string[] = [];

export interface Screen {
  readonly width?: number;
  readonly colorScheme?: 'light' | 'dark';
}

export async function show(html: string, { width = 1280, colorScheme = 'light' }: Screen): Promise<void> {
  const file = join(folder, 'report.html');
  writeFileSync(file, html);
  page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  page.setDefaultTimeout(20_000);
  complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) complaints.push(`asked for ${request.url()}`);
  });
  await page.addInitScript(record_text);
  await page.goto(pathToFileURL(file).href);
  await page.locator('main').waitFor();
}

/** Few enough to be summed up quickly, for each page that is opened. */
export const FEW = [
  fake_configuration('low', 'short', 'short'),
  fake_configuration('high', 'medium', 'short'),
  fake_configuration('high', 'long', 'short'),
];

export const open = (changes: Partial<PageInput> = {}, screen: Screen = {}): Promise<void> =>
  show(build_page(page_input({ configurations: FEW, figures: [], ...changes })), screen);
export const open_index = (entries: readonly IndexEntry[], screen: Screen = {}): Promise<void> =>
  show(build_index(entries), screen);

export const column = (id: string): Promise<string[]> =>
  page.locator(`#kernels [data-column="${id}"]`).allTextContents();
export const numbers = async (id: string): Promise<number[]> =>
  (await column(id)).map((text) => Number.parseFloat(text.replace(/[^\d.e-]/g, '')));
export const falling = (values: readonly number[]) => values.every((x, i) => i === 0 || x <= (values[i - 1] as number));
export const picture = (canvas: Locator): Promise<string> =>
  canvas.evaluate((node) => (node as HTMLCanvasElement).toDataURL());
export const drawing = (chart: Locator): Promise<string> => chart.locator('svg').evaluate((node) => node.innerHTML);
export const tip = () => page.locator('.tip');
export const figure = (name: string) => page.locator(`[data-figure="${name}"]`);

export async function fits(): Promise<void> {
  const [scrolled, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(scrolled).toBeLessThanOrEqual(inner as number);
}

/** Charts are drawn when they come near the window: all of them, from top to bottom. */
export const see_all = (): Promise<void> =>
  page.evaluate(async () => {
    const frame = () => new Promise(requestAnimationFrame);
    for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
      scrollTo(0, y);
      await frame();
      await frame();
    }
  });

/** Moves over a grid of points until the tooltip shows. */
export async function sweep(target: Locator, step: number): Promise<string> {
  await target.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await target.boundingBox()) as NonNullable<
    Awaited<ReturnType<Locator['boundingBox']>>
  >;
  for (let dy = step / 2; dy < height; dy += step) {
    for (let dx = step / 2; dx < width; dx += step) {
      await page.mouse.move(x + dx, y + dy);
      if (await tip().isVisible()) return (await tip().textContent()) ?? '';
    }
  }
  return '';
}

/** What a screen reader would stumble over. */
export const nameless = (): Promise<string[]> =>
  page.evaluate(() => {
    const found: string[] = [];
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    for (const id of new Set(ids.filter((one, i) => ids.indexOf(one) !== i))) found.push(`two of #${id}`);
    for (const node of document.querySelectorAll('[aria-labelledby], label[for], output[for]')) {
      const id = node.getAttribute('aria-labelledby') ?? node.getAttribute('for') ?? '';
      if (document.getElementById(id) === null) found.push(`nothing is #${id}`);
    }
    for (const node of document.querySelectorAll('button, a, [tabindex], [role=img], [role=group], [role=region]')) {
      if (!(node.getAttribute('aria-label') ?? node.textContent)?.trim())
        found.push(`no name: ${node.outerHTML.slice(0, 80)}`);
    }
    for (const node of document.querySelectorAll('select')) {
      if (document.querySelector(`label[for="${node.id}"]`) === null) found.push(`no label: #${node.id}`);
    }
    for (const node of document.querySelectorAll('table')) {
      if (!node.querySelector('caption')?.textContent) found.push('a table without a caption');
      if (node.querySelector('tbody th[scope=row]') === null) found.push('a table without row heads');
    }
    let level = 0;
    for (const node of document.querySelectorAll('h1, h2, h3, h4')) {
      const next = Number(node.tagName[1]);
      if (next > level + 1) found.push(`${node.tagName} after H${level}: ${node.textContent}`);
      level = next;
    }
    return found;
  });

/** Tests of pages: each closes its page, of which nothing may complain. */
export function in_browser(tests: () => void): void {
  describe.skipIf(no_browser)(`in a browser${no_browser ? ` (skipped: ${no_browser})` : ''}`, () => {
    beforeAll(async () => {
      browser = await open_browser();
    });
    afterEach(async () => {
      await page.close();
      expect(complaints).toEqual([]);
    });
    afterAll(async () => {
      await browser?.close();
      rmSync(folder, { recursive: true, force: true });
    });
    tests();
  });
}
