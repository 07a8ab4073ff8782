import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { build_report, type ReportInput } from '../../experiments/lab/report.ts';
import { no_browser, open_browser } from '../support/browser.ts';
import { FAKE_RUN, fake_configuration, fake_configurations } from '../support/records.ts';
import { bare, report_input } from './report_input.ts';
import { overlaps, record_text } from './report_text.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-report-'));
let browser: Browser;
let page: Page;
/** What the console said, what was asked of a network, dialogs: all must stay empty. */
let complaints: string[] = [];

async function open(
  changes: Partial<ReportInput> = {},
  { width = 1280, colorScheme = 'light' }: { width?: number; colorScheme?: 'light' | 'dark' } = {},
): Promise<void> {
  const file = join(folder, 'report.html');
  writeFileSync(file, build_report(report_input(changes)));
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
  await page.locator('#stages .uplot').waitFor();
}

const column = (id: string): Promise<string[]> => page.locator(`#kernels td[data-column="${id}"]`).allTextContents();
const numbers = async (id: string): Promise<number[]> =>
  (await column(id)).map((text) => Number.parseFloat(text.replace(/[^\d.e-]/g, '')));
const falling = (values: readonly number[]) => values.every((x, i) => i === 0 || x <= (values[i - 1] as number));
const picture = (canvas: Locator): Promise<string> =>
  canvas.evaluate((node) => (node as HTMLCanvasElement).toDataURL());
const tip = () => page.locator('.tip');

/** Moves over a grid of points until the tooltip shows. */
async function sweep(target: Locator, step: number): Promise<string> {
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

  it('sorts and filters the kernel table, by mouse and by keyboard', async () => {
    await open();
    const head = (id: string) => page.locator(`#kernels th:has([data-sort="${id}"])`);
    expect(await head('gpu_ms').getAttribute('aria-sort')).toBe('descending');
    expect(falling(await numbers('gpu_ms'))).toBe(true);
    for (const id of ['flops_per_s', 'bytes_per_s', 'dispatches', 'flops', 'bytes', 'efficiency', 'floor_ms']) {
      await page.locator(`[data-sort="${id}"]`).click();
      expect(await head(id).getAttribute('aria-sort')).toBe('descending');
      expect(falling(await numbers(id))).toBe(true);
    }
    await page.locator('[data-sort="gpu_ms"]').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    expect(await head('gpu_ms').getAttribute('aria-sort')).toBe('ascending');
    expect(falling((await numbers('gpu_ms')).reverse())).toBe(true);
    await page.locator('[data-sort="kernel"]').click();
    const names = await column('kernel');
    expect(names).toEqual([...names].sort((a, b) => a.localeCompare(b)));
    await page.locator('#kernels [data-value="prefill"]').click();
    expect(new Set(await column('stage'))).toEqual(new Set(['prefill']));
    expect(await page.locator('#kernels tfoot th').textContent()).toBe('5 rows');
  });

  it('hides a stage and shows it again, but never the last', async () => {
    await open();
    const canvas = page.locator('#stages .uplot canvas');
    const buttons = page.locator('#stages .legend button');
    const before = await picture(canvas);
    await page.locator('[data-series="decode"]').first().click();
    await expect.poll(() => picture(canvas)).not.toBe(before);
    expect(await page.locator('#stages [data-series="decode"]').getAttribute('aria-pressed')).toBe('false');
    await page.locator('#stages [data-series="decode"]').click();
    await expect.poll(() => picture(canvas)).toBe(before);
    for (const button of await buttons.all()) await button.click();
    expect(await page.locator('#stages .legend [aria-pressed="true"]').count()).toBe(1);
  });

  it('tells of what is under the pointer', async () => {
    await open();
    const stages = await sweep(page.locator('#stages .u-over'), 30);
    for (const word of ['low_short_short', 'vision encoder', 'whole request', 'GFLOP', '95 % interval'])
      expect(stages).toContain(word);
    await page.mouse.move(0, 0);
    expect(await tip().isVisible()).toBe(false);
    expect(await sweep(page.locator('#scaling .u-over').first(), 24)).toMatch(/prompt positions.*95 % interval/);
    await page.mouse.move(0, 0);
    expect(await sweep(page.locator('#steps .u-over'), 60)).toMatch(/Decode step.*mean.*fastest.*slowest/);
    await page.mouse.move(0, 0);
    expect(await sweep(page.locator('#parts .u-over'), 30)).toMatch(/vision encoder.*attention.*ms/);
    await page.mouse.move(0, 0);
    expect(await sweep(page.locator('#roofline .u-over'), 24)).toMatch(/rate.*FLOP\/s.*intensity.*FLOP\/byte/);
    await page.mouse.move(0, 0);
    expect(await sweep(page.locator('#routing canvas'), 20)).toMatch(/Layer \d+, expert \d+.*tokens/);
  });

  it('shows the configuration that is picked', async () => {
    await open();
    const before = await column('gpu_ms');
    await page.locator('#configuration').selectOption({ label: 'high_long_short' });
    expect(await column('gpu_ms')).not.toEqual(before);
    const wanted = fake_configuration('high', 'long', 'short').instrumented?.kernels.length;
    expect((await column('gpu_ms')).length).toBe(wanted);
    expect(await page.locator('.picker output').textContent()).toContain('picture 1008x784, 13 views');
    expect(await page.locator('[aria-label="next configuration"]').isDisabled()).toBe(true);
    await page.locator('[aria-label="previous configuration"]').click();
    expect(await page.locator('#configuration option:checked').textContent()).toBe('high_medium_short');
  });

  it('zooms the timeline by drag, wheel, keys and buttons', async () => {
    await open();
    const canvas = page.locator('#timeline .chart canvas');
    const range = page.locator('#timeline output');
    await canvas.scrollIntoViewIfNeeded();
    const whole = (await range.textContent()) as string;
    const changed = async (act: () => Promise<unknown>): Promise<void> => {
      const before = await range.textContent();
      await act();
      await expect.poll(() => range.textContent()).not.toBe(before);
    };
    const whole_again = async () => {
      await page.keyboard.press('0');
      await expect.poll(() => range.textContent()).toBe(whole);
    };
    const box = (await canvas.boundingBox()) as { x: number; y: number; width: number };
    await page.mouse.move(box.x + 400, box.y + 20);
    const scrolled = await page.evaluate(() => scrollY);
    await page.mouse.wheel(0, 40);
    await expect.poll(() => page.evaluate(() => scrollY)).not.toBe(scrolled); // not clicked yet: the page moves
    expect(await range.textContent()).toBe(whole);
    await canvas.scrollIntoViewIfNeeded();
    const { x, y } = (await canvas.boundingBox()) as { x: number; y: number };
    await changed(async () => {
      await page.mouse.move(x + 300, y + 20);
      await page.mouse.down();
      await page.mouse.move(x + 500, y + 20, { steps: 4 });
      await page.mouse.up();
    });
    await changed(() => page.mouse.wheel(0, -200));
    await changed(() => page.keyboard.press('ArrowRight'));
    await whole_again();
    await changed(() => page.keyboard.press('+'));
    await whole_again();
    await changed(() => page.locator('#timeline [aria-label="show decode alone"]').click());
    await page.mouse.move(x + 300, y + 200);
    expect(await sweep(canvas, 20)).toMatch(/decode: .*layer.*took.*ms/);
    await changed(() => canvas.dblclick());
    expect(await range.textContent()).toBe(whole);
    const parts = await picture(canvas);
    await page.locator('#timeline [data-value="stage"]').click();
    await expect.poll(() => picture(canvas)).not.toBe(parts);
  });

  it.each([
    [400, 'light'],
    [1280, 'light'],
    [1280, 'dark'],
    [2200, 'light'],
  ] as const)('fits %i pixels, %s: nothing overlaps', async (width, colorScheme) => {
    const long = {
      ...fake_configuration('high', 'long', 'long', 1),
      key: 'a_configuration_with_a_very_long_name_of_its_own',
    };
    await open({ configurations: [...fake_configurations(), long] }, { width: 900, colorScheme });
    await page.locator('#routing canvas').waitFor();
    await page.setViewportSize({ width, height: 900 });
    await page.locator('#roofline .uplot').waitFor();
    await page.locator('#configuration').selectOption({ label: 'high_short_long' });
    await page.locator('#roofline .uplot').waitFor();
    await page.locator('#timeline [aria-label="show prefill alone"]').click();
    await page.locator('#timeline [aria-label="zoom in"]').click({ clickCount: 2 });
    const sizes = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(sizes[0]).toBeLessThanOrEqual(sizes[1] as number);
    const { canvases, texts, found } = await page.evaluate(overlaps);
    expect(canvases).toBe(8);
    expect(texts).toBeGreaterThan(80);
    expect(found).toEqual([]);
  });

  it('says what is missing where a run lacks it', async () => {
    const configurations = [bare(fake_configuration('low', 'short', 'short', 1))];
    await open({ configurations, run: { ...FAKE_RUN, ceilings: null }, findings: [], figures: [], files: [] });
    for (const id of ['clocks', 'parts', 'kernels', 'roofline', 'timeline'])
      expect(await page.locator(`#${id} .missing`).textContent()).toContain('run without instruments');
    expect(await page.locator('#steps .missing').textContent()).toContain('no decode steps');
    expect(await page.locator('#routing .missing').textContent()).toContain('Not counted');
    expect(await page.locator('#stages .legend').textContent()).not.toContain('vision encoder');
    expect(await page.locator('#stages .teach').textContent()).toContain('no interval can be given');
    expect(await page.locator('body').textContent()).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('has no roofs without ceilings, and marks what is faster than its floor', async () => {
    const one = fake_configuration('low', 'short', 'short', 2);
    const { instrumented } = one;
    if (instrumented === null) throw new Error('the made-up configuration has instruments');
    const kernels = instrumented.kernels.map((row, i) => ({
      ...row,
      floor_ms: i === 2 ? 2 * row.gpu_ms : row.floor_ms,
    }));
    await open({
      configurations: [{ ...one, instrumented: { ...instrumented, kernels } }],
      run: { ...FAKE_RUN, ceilings: null },
    });
    expect(await page.locator('#roofline .missing').textContent()).toContain('no measured ceilings');
    expect(await page.locator('#kernels tr.fault').count()).toBe(1);
    expect(await page.locator('#kernels .fault-note').textContent()).toContain('1 row lies below the floor');
  });

  it('shows hostile text as text', async () => {
    const evil = '</script><img src=x onerror="alert(1)"><!--<script>';
    const [first, ...rest] = fake_configurations();
    if (first === undefined) throw new Error('there are made-up configurations');
    const { fingerprint } = FAKE_RUN;
    const { provenance } = fingerprint;
    const adapter = { ...provenance.adapter, description: evil };
    await open({
      title: evil,
      run: { ...FAKE_RUN, fingerprint: { ...fingerprint, provenance: { ...provenance, adapter } } },
      configurations: [{ ...first, key: evil, warnings: [evil] }, ...rest],
      findings: [{ expectation: evil, outcome: 'refuted', because: evil }],
      figures: [{ name: evil, svg: '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(2)</script></svg>' }],
      files: ['javascript:alert(3)', evil],
    });
    expect(await page.title()).toBe(evil);
    for (const place of ['h1', '#findings strong >> nth=0', '#findings li p', '#provenance .warnings strong'])
      expect(await page.locator(place).textContent()).toBe(evil);
    expect(await page.locator('img[onerror]').count()).toBe(0);
    const links = await page
      .locator('.files a')
      .evaluateAll((nodes) => nodes.map((node) => (node as HTMLAnchorElement).href));
    expect(links.every((link) => link.startsWith('file:///'))).toBe(true);
  });

  it('takes 27 configurations and a strip of 20,000 passes', async () => {
    const one = fake_configuration('high', 'long', 'long', 2);
    const { instrumented } = one;
    if (instrumented === null) throw new Error('the made-up configuration has instruments');
    const rows = Array.from({ length: 20_000 }, (_, i): [number, number, number, number, number] => [
      i % 4,
      i % 16,
      i % 8,
      i * 0.05,
      0.04,
    ]);
    const long = { ...one, instrumented: { ...instrumented, strip: { ...instrumented.strip, rows } } };
    await open({ configurations: [long, ...Array.from({ length: 26 }, (_, i) => ({ ...one, key: `cell ${i}` }))] });
    const canvas = page.locator('#timeline .chart canvas');
    await canvas.focus();
    const frame_ms = await canvas.evaluate(async (node) => {
      const begin = performance.now();
      for (let i = 0; i < 20; i++) {
        node.dispatchEvent(new KeyboardEvent('keydown', { key: i % 2 ? '-' : '+' }));
        await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
      }
      return (performance.now() - begin) / 20;
    });
    expect(frame_ms).toBeLessThan(200);
  });
});
