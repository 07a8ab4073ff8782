import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import { type PageServer, serve_folder } from '../../src/page_server.ts';
import { build_page } from '../../tools/page.mjs';
import { open_gpu_browser, scratch_folder } from './gpu_browser.ts';

export interface Live {
  readonly url: string;
  readonly bytes: number;
  readonly folder: string;
  /** A page that complains into `complaints`: console errors, faults, requests elsewhere, dialogs. */
  readonly open: (screen?: { width?: number; colorScheme?: 'light' | 'dark'; path?: string }) => Promise<Page>;
  readonly browser: Browser;
  complaints: string[];
  readonly close: () => Promise<void>;
}

/** The page as it is built, served, in a Chromium with this adapter. */
export async function open_live(adapter: 'swiftshader' | 'none' = 'swiftshader'): Promise<Live> {
  const folder = scratch_folder({});
  const { bytes } = await build_page(folder.path);
  const server: PageServer = await serve_folder(folder.path, 0);
  const browser = await open_gpu_browser(adapter);
  const live: Live = {
    url: server.url,
    bytes,
    folder: folder.path,
    browser,
    complaints: [],
    open: async ({ width = 1400, colorScheme = 'light', path = '' } = {}) => {
      const context = await browser.newContext({
        viewport: { width, height: 900 },
        colorScheme,
        acceptDownloads: true,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      live.complaints = [];
      const complain = (text: string) => live.complaints.push(text);
      page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complain(message.text()));
      page.on('pageerror', (error) => complain(String(error)));
      page.on('dialog', (dialog) => {
        complain(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      page.on('request', (request) => {
        if (!request.url().startsWith(server.url) && !/^(blob|data):/.test(request.url())) {
          complain(`asked for ${request.url()}`);
        }
      });
      await page.goto(`${server.url}${path}`);
      return page;
    },
    close: async () => {
      await browser.close();
      await server.close();
      folder.remove();
    },
  };
  return live;
}

export const ready = (page: Page, model = 'nano'): Promise<unknown> =>
  page.waitForFunction((name) => document.querySelector('.chip')?.textContent?.includes(name), model);
export const idle = (page: Page): Promise<unknown> =>
  page.waitForFunction(() => (document.querySelector('.doing') as HTMLElement).hidden);
export const trouble = (page: Page): Promise<string> => page.locator('.trouble').innerText();
export const see = (page: Page, view: string) =>
  page.getByRole('navigation').getByRole('link', { name: view, exact: true }).click();

export async function ask(page: Page, prompt?: string): Promise<string> {
  if (prompt !== undefined) await page.getByLabel('Question').fill(prompt);
  await page.getByRole('button', { name: /^Ask/ }).click();
  await page.waitForFunction(() => document.querySelector('.answer')?.textContent !== '');
  return page.locator('.answer').innerText();
}

/** What a screen reader would stumble over, in what is shown. */
export const nameless = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const found: string[] = [];
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    for (const id of new Set(ids.filter((one, i) => ids.indexOf(one) !== i))) found.push(`two of #${id}`);
    const shown = (node: Element) => node.checkVisibility();
    for (const node of document.querySelectorAll('button, a, input, select, [tabindex], [role=img], [role=group]')) {
      if (!shown(node)) continue;
      const labels = [...((node as HTMLInputElement).labels ?? [])].map(({ textContent }) => textContent).join('');
      const by = document.getElementById(node.getAttribute('aria-labelledby') ?? '')?.textContent;
      if (!(node.getAttribute('aria-label') || labels || by || node.textContent)?.trim()) {
        found.push(`no name: ${node.outerHTML.slice(0, 120)}`);
      }
    }
    for (const node of document.querySelectorAll('[aria-describedby], [for]')) {
      const id = node.getAttribute('aria-describedby') ?? node.getAttribute('for') ?? '';
      if (document.getElementById(id) === null) found.push(`nothing is #${id}`);
    }
    for (const node of document.querySelectorAll('table')) {
      if (shown(node) && !node.querySelector('caption')?.textContent) found.push('a table without a caption');
    }
    let level = 0;
    for (const node of document.querySelectorAll('h1, h2, h3, h4')) {
      if (!shown(node)) continue;
      const next = Number(node.tagName[1]);
      if (next > level + 1) found.push(`${node.tagName} after H${level}: ${node.textContent}`);
      level = next;
    }
    return found;
  });

/** Controls of what is shown that Tab never comes to. */
export async function out_of_reach(page: Page): Promise<string[]> {
  const count = await page.evaluate(() => {
    const controls = [...document.querySelectorAll('button, a[href], input, select, summary')].filter(
      (node) => node.checkVisibility() && !(node as HTMLButtonElement).disabled,
    );
    for (const node of controls) node.setAttribute('data-unreached', '');
    (document.activeElement as HTMLElement | null)?.blur();
    document.body.focus();
    return controls.length;
  });
  for (let i = 0; i < 2 * count + 20; i++) {
    await page.keyboard.press('Tab');
    const left = await page.evaluate(() => {
      document.activeElement?.removeAttribute('data-unreached');
      return document.querySelectorAll('[data-unreached]').length;
    });
    if (left === 0) return [];
  }
  return page.evaluate(() =>
    [...document.querySelectorAll('[data-unreached]')].map((node) => node.outerHTML.slice(0, 120)),
  );
}

export async function fits(page: Page): Promise<void> {
  // Charts are drawn anew when the width has changed: a busy machine takes a moment for that.
  const too_wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await expect.poll(too_wide, { timeout: 5000 }).toBeLessThanOrEqual(0);
}

export const text_of = (path: string): string => readFileSync(path, 'utf8');
