import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { build_index, build_page, type IndexEntry, type PageInput } from '../../experiments/lab/report.ts';
import { no_browser, open_browser } from '../support/browser.ts';
import { FAKE_RUN, fake_configuration, fake_configurations } from '../support/records.ts';
import { FIGURES } from './report_figures.ts';
import { bare, emptied, full_grid, index_entry, page_input, thinned } from './report_input.ts';
import { overlaps, record_text } from './report_text.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-report-'));
let browser: Browser;
let page: Page;
/** What the console said, what was asked of a network, dialogs: all must stay empty. */
let complaints: string[] = [];

interface Screen {
  readonly width?: number;
  readonly colorScheme?: 'light' | 'dark';
}

async function show(html: string, { width = 1280, colorScheme = 'light' }: Screen): Promise<void> {
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

const open = (changes: Partial<PageInput> = {}, screen: Screen = {}): Promise<void> =>
  show(build_page(page_input({ figures: [], ...changes })), screen);
const open_index = (entries: readonly IndexEntry[], screen: Screen = {}): Promise<void> =>
  show(build_index(entries), screen);

const column = (id: string): Promise<string[]> => page.locator(`#kernels [data-column="${id}"]`).allTextContents();
const numbers = async (id: string): Promise<number[]> =>
  (await column(id)).map((text) => Number.parseFloat(text.replace(/[^\d.e-]/g, '')));
const falling = (values: readonly number[]) => values.every((x, i) => i === 0 || x <= (values[i - 1] as number));
const picture = (canvas: Locator): Promise<string> =>
  canvas.evaluate((node) => (node as HTMLCanvasElement).toDataURL());
const drawing = (chart: Locator): Promise<string> => chart.locator('svg').evaluate((node) => node.innerHTML);
const tip = () => page.locator('.tip');
const figure = (name: string) => page.locator(`[data-figure="${name}"]`);

async function fits(): Promise<void> {
  const [scrolled, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(scrolled).toBeLessThanOrEqual(inner as number);
}

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

/** What a screen reader would stumble over. */
const nameless = (): Promise<string[]> =>
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

  it('draws every kind of chart, read by mouse, by keyboard and as a table', async () => {
    await open({ figures: FIGURES });
    for (const { name, panels, title } of FIGURES) {
      const article = figure(name);
      expect(await article.locator('h3').textContent()).toBe(title);
      expect(await article.locator('a').evaluateAll((all) => all.map((one) => one.getAttribute('href')))).toEqual([
        `./figures/${name}.svg`,
        `./figures/${name}.png`,
      ]);
      for (const [i, { kind }] of panels.entries()) {
        const plot = article.locator('.plot').nth(i);
        expect(await plot.getAttribute('data-kind')).toBe(kind);
        const chart = plot.locator('.chart');
        if (kind === 'strip') {
          await chart.locator('canvas').evaluate((node) => {
            const { width, height } = node as HTMLCanvasElement;
            const pixels = (node as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height).data ?? [];
            if (!pixels.some((value) => value > 0)) throw new Error('an empty timeline');
          });
        } else {
          const mark = { lines: '.mark', scatter: '.mark', pareto: '.mark', stack: '.piece', pie: '.piece' }[
            kind as string
          ];
          expect(await chart.locator(mark ?? 'rect, path').count()).toBeGreaterThan(2);
          await chart.focus();
          await page.keyboard.press('ArrowRight');
          const first = await tip().textContent();
          await page.keyboard.press('End');
          expect(await tip().textContent()).not.toBe(first);
          expect(await chart.locator('.outline > *').count()).toBe(1);
          await page.keyboard.press('Escape');
          expect(await tip().isVisible()).toBe(false);
        }
        expect(await sweep(chart, 22)).toMatch(/\d/);
        await page.mouse.move(0, 0);
        await plot.locator('summary').click();
        expect(await plot.locator('tbody tr').count()).toBeGreaterThan(0);
      }
    }
    expect(await nameless()).toEqual([]);
    expect(await figure('flops').textContent()).toContain('S1 and S4 are FLOP formulas');
    expect(await page.locator('#tables').textContent()).toContain('S1 and S4 are FLOP formulas');
    expect(await figure('front').textContent()).toContain('Better: less Latency, more Accuracy.');
    expect(await page.locator('main').textContent()).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('hides a series and shows it again, but never the last; bars also as shares', async () => {
    await open({ figures: FIGURES });
    await figure('scaling').locator('[data-series="8"]').click(); // with the fit that is its own
    expect(await figure('scaling').locator('.fit').count()).toBe(0);
    const plot = figure('stages').locator('.plot').first();
    expect(await plot.textContent()).toContain('Configuration (image, prompt, answer)');
    const chart = plot.locator('.chart');
    const before = await drawing(chart);
    await plot.locator('[data-series="decode"]').click();
    expect(await drawing(chart)).not.toBe(before);
    expect(await plot.locator('[data-series="decode"]').getAttribute('aria-pressed')).toBe('false');
    await plot.locator('[data-series="decode"]').click();
    expect(await drawing(chart)).toBe(before);
    await plot.locator('[data-value="share"]').click();
    expect(await chart.textContent()).toContain('Share (%)');
    expect(await chart.textContent()).toContain('1,936'); // the total is written still
    for (const button of await plot.locator('.legend button').all()) await button.click();
    expect(await plot.locator('.legend [aria-pressed="true"]').count()).toBe(1);
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

  it.each([1400, 1280, 800, 390])('at %i pixels shows what matters of a kernel without scrolling', async (width) => {
    await open({}, { width });
    const wanted = width < 640 ? (await page.locator('#kernels tbody tr').first().locator('td').count()) + 1 : 7;
    const ends = await page
      .locator('#kernels tbody tr')
      .first()
      .locator('th, td')
      .evaluateAll((cells) =>
        cells.map((cell) => ({ id: cell.getAttribute('data-column'), right: cell.getBoundingClientRect().right })),
      );
    const seen = ends.filter(({ right }) => right <= width).map(({ id }) => id);
    expect(seen.length).toBeGreaterThanOrEqual(wanted);
    expect(seen).toEqual(expect.arrayContaining(['kernel', 'gpu_ms', 'share', 'efficiency', 'bound']));
    await page.locator('#kernel-order').selectOption('efficiency', { force: true });
    expect(falling(await numbers('efficiency'))).toBe(true);
    expect(await page.locator('#kernel-order').isVisible()).toBe(width < 640);
  });

  it('tells of what is under the pointer', async () => {
    await open();
    expect(await sweep(page.locator('#steps .chart'), 40)).toMatch(
      /mean of 10 runs.*Decode step.*Wall time.*ms.*from, to/,
    );
    await page.mouse.move(0, 0);
    expect(await tip().isVisible()).toBe(false);
    expect(await sweep(page.locator('#parts .chart'), 30)).toMatch(/vision.encoder.*attention.*ms/);
    await page.mouse.move(0, 0);
    expect(await sweep(page.locator('#roofline .chart'), 24)).toMatch(/intensity.*FLOP\/byte.*Rate.*FLOP\/s.*launches/);
    await page.mouse.move(0, 0);
    expect(await sweep(page.locator('#routing .chart'), 40)).toMatch(/\d+.*Layer.*Expert/);
  });

  it('shows the configuration that is picked, and one number for a request everywhere', async () => {
    await open();
    const before = await column('gpu_ms');
    await page.locator('#configuration').selectOption({ label: 'high_long_short' });
    expect(await column('gpu_ms')).not.toEqual(before);
    const wanted = fake_configuration('high', 'long', 'short').instrumented?.kernels.length;
    expect((await column('gpu_ms')).length).toBe(wanted);
    expect(await page.locator('.picker output').textContent()).toContain('picture 1008x784, 13 views');
    expect(await page.locator('[aria-label="next configuration"]').isDisabled()).toBe(true);
    const row = (section: string, name: string) => page.locator(`#${section} tbody tr:has(th:text-is("${name}")) td`);
    const listed = await row('cells', 'high_long_short').allTextContents();
    const whole = await row('stages', 'whole request').allTextContents();
    expect(listed.slice(-2)).toEqual(whole.slice(0, 2));
    const clean = await row('clocks', 'whole request, clean').first().textContent();
    expect(clean?.replace(',', '')).toBe(String(Math.round(Number(whole[0]))));
    await page.locator('[aria-label="previous configuration"]').click();
    expect(await page.locator('#configuration option:checked').textContent()).toBe('high_medium_short');
  });

  it('keeps the order that it is given, and says what was left out and why', async () => {
    const configurations = [...fake_configurations()].reverse();
    await open({ configurations });
    const keys = configurations.map(({ key }) => key);
    expect(await page.locator('#configuration option').allTextContents()).toEqual(keys);
    expect(await page.locator('#cells tbody th').allTextContents()).toEqual(keys);
    expect(await page.locator('#cells .skipped').textContent()).toContain('needs 5,000 positions');
  });

  it('calls an interval of few runs a range', async () => {
    await open({ configurations: [fake_configuration('low', 'short', 'short', 3)] });
    expect(await page.locator('#stages thead').first().textContent()).toContain('range (ms)');
    expect(await page.locator('main').textContent()).not.toContain('95 % interval');
    await page.close();
    await open({ configurations: [fake_configuration('low', 'short', 'short', 10)] });
    expect(await page.locator('#stages thead').first().textContent()).toContain('95 % interval (ms)');
  });

  it('says at the top and beside every number what scaled numbers rest on', async () => {
    const basis = 'Scaled to molmoe-1b from molmoe-slice (2 of 16 blocks)';
    await open({ basis, figures: FIGURES });
    expect(await page.locator('header .basis').textContent()).toBe(basis);
    for (const place of ['#findings li p', '.figure h3', '#tables .table']) {
      const all = page.locator(place);
      expect(await all.locator('.badge-scaled').count()).toBe(await all.count());
    }
    expect(await page.locator('#cells .lead').textContent()).toContain('nothing here');
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
    expect(await sweep(canvas, 20)).toMatch(/layer \d+.*attention.*decode.*took.*ms/);
    await changed(() => canvas.dblclick());
    expect(await range.textContent()).toBe(whole);
    const parts = await picture(canvas);
    await page.locator('#timeline [data-value="stage"]').click();
    await expect.poll(() => picture(canvas)).not.toBe(parts);
  });

  const SCREENS = [
    [390, 'dark'],
    [800, 'light'],
    [1400, 'dark'],
  ] as const;

  it.each(SCREENS)('fits %i pixels, %s: nothing overlaps, nothing is cut', async (width, colorScheme) => {
    const long = {
      ...fake_configuration('high', 'long', 'long', 1),
      key: 'a_configuration_with_a_very_long_name_of_its_own',
    };
    await open({ configurations: [...full_grid(), long], figures: FIGURES }, { width: 900, colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.locator('#configuration').selectOption({ label: 'high_short_long' });
    await page.locator('#roofline svg text').first().waitFor();
    await page.locator('#timeline [aria-label="show prefill alone"]').click();
    await page.locator('#timeline [aria-label="zoom in"]').click({ clickCount: 2 });
    await fits();
    const { charts, texts, found } = await page.evaluate(overlaps);
    expect(charts).toBe(FIGURES.flatMap(({ panels }) => panels).length + 5);
    expect(texts).toBeGreaterThan(300);
    expect(found).toEqual([]);
    await page.locator('#configuration').selectOption({ label: long.key });
    await page.evaluate(() => {
      for (const node of document.querySelectorAll('details')) node.open = true;
    });
    await page.locator('#stages details table').waitFor();
    await fits();
  });

  it('is printed in light colours and as wide as paper', async () => {
    await open({ figures: FIGURES }, { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    const widths = await page
      .locator('.chart svg')
      .evaluateAll((all) => all.map((one) => Number(one.getAttribute('width'))));
    expect(Math.max(...widths)).toBeLessThanOrEqual(660);
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)');
    const ink = await page
      .locator('#roofline .ink, #parts .ink')
      .first()
      .evaluate((node) => getComputedStyle(node).fill);
    expect(ink).toBe('rgb(28, 33, 40)');
    await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  });

  it('says what is missing where a run lacks it', async () => {
    const configurations = [bare(fake_configuration('low', 'short', 'short', 1))];
    await open({
      configurations,
      run: { ...FAKE_RUN, ceilings: null },
      findings: [],
      tables: [],
      skipped: [],
      files: [],
    });
    for (const id of ['clocks', 'parts', 'kernels', 'roofline', 'timeline'])
      expect(await page.locator(`#${id} .missing`).textContent()).toContain('run without instruments');
    expect(await page.locator('#steps .missing').textContent()).toContain('no decode steps');
    expect(await page.locator('#routing .missing').textContent()).toContain('Not counted');
    expect(await page.locator('#stages tbody th').allTextContents()).toEqual(['prefill', 'whole request', 'prefill']);
    expect(await page.locator('#stages .teach').textContent()).toContain('no interval can be given');
    expect(await page.locator('main').textContent()).not.toMatch(/NaN|undefined|Infinity/);
    expect(await nameless()).toEqual([]);
  });

  it('draws what there is of charts without data', async () => {
    const nothing = FIGURES.map((one) => ({ ...one, panels: one.panels.map(emptied) }));
    const once = FIGURES.map((one) => ({ ...one, name: `${one.name}_once`, panels: one.panels.map(thinned) }));
    await open({ figures: [...nothing, ...once] });
    expect(await page.locator('.plot').count()).toBe(2 * FIGURES.flatMap(({ panels }) => panels).length + 5);
    expect(await page.locator('#figures').textContent()).not.toMatch(/NaN|undefined|Infinity/);
    for (const chart of await page.locator('#figures .chart').all()) await chart.press('ArrowRight');
  });

  it('shows an experiment that timed nothing', async () => {
    await open({ configurations: [], skipped: [], figures: FIGURES });
    expect(await page.locator('section').evaluateAll((all) => all.map(({ id }) => id))).toEqual([
      'findings',
      'figures',
      'tables',
      'provenance',
      'files',
    ]);
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

  it('draws the roof of f32 alone: no kernel computes in less', async () => {
    await open();
    const words = await page.locator('#roofline .chart .note').allTextContents();
    expect(words.filter((text) => /multiply-adds|memory reads/.test(text))).toEqual([
      'memory reads, 12.0 GB/s',
      'f32 multiply-adds, 110 GFLOP/s',
    ]);
    expect(await page.locator('#roofline').textContent()).not.toContain('f16');
  });

  it('shows hostile text as text', async () => {
    const evil = '</script><img src=x onerror="alert(1)"><!--<script>';
    const [first, ...rest] = fake_configurations();
    if (first === undefined) throw new Error('there are made-up configurations');
    const { fingerprint } = FAKE_RUN;
    const { provenance } = fingerprint;
    const adapter = { ...provenance.adapter, description: evil };
    const { experiment } = page_input();
    const findings = [{ expectation: evil, outcome: 'refuted', because: evil }] as const;
    const figures = FIGURES.slice(2, 3).map((one) => ({
      ...one,
      name: evil,
      title: evil,
      panels: one.panels.map((panel) =>
        panel.kind === 'stack' ? { ...panel, bars: panel.bars.map((bar) => ({ ...bar, label: [evil] })) } : panel,
      ),
    }));
    await open({
      experiment: { ...experiment, title: evil, question: evil },
      run: { ...FAKE_RUN, fingerprint: { ...fingerprint, provenance: { ...provenance, adapter } } },
      configurations: [{ ...first, key: evil, warnings: [evil] }, ...rest],
      skipped: [{ key: evil, settings: {}, reason: evil }],
      findings,
      figures,
      tables: [{ title: evil, columns: [{ name: evil, unit: 'text' }], rows: [[evil]], note: evil }],
      files: ['javascript:alert(3)', evil],
      basis: evil,
    });
    expect(await page.title()).toBe(evil);
    for (const place of ['h1', '#findings strong >> nth=0', '#provenance .warnings strong', '#tables tbody th'])
      expect(await page.locator(place).textContent()).toBe(evil);
    expect(await page.locator('img').count()).toBe(0);
    const links = await page.locator('a').evaluateAll((nodes) => nodes.map((node) => (node as HTMLAnchorElement).href));
    expect(links.every((link) => link.startsWith('file:///'))).toBe(true);
    await page.close();
    await open_index([
      index_entry({
        experiment: { ...experiment, title: evil },
        folder: evil,
        findings,
        figures,
        files: [evil],
        fault: undefined,
      }),
      index_entry({ fault: evil, folder: '../..' }),
    ]);
    expect(await page.locator('h2').first().textContent()).toBe(evil);
    expect(await page.locator('.fault-note').textContent()).toContain(evil);
    expect(await page.locator('img').count()).toBe(0);
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

  it.each(SCREENS)('the index fits %i pixels, %s: nothing overlaps, nothing is cut', async (width, colorScheme) => {
    const basis = 'Scaled to molmoe-1b from molmoe-slice (2 of 16 blocks)';
    const { head } = index_entry();
    await open_index([index_entry({ head: { ...head, basis } }), index_entry({ folder: '', page: undefined })], {
      width,
      colorScheme,
    });
    await fits();
    const { charts, found } = await page.evaluate(overlaps);
    expect(charts).toBe(2 * index_entry().figures.flatMap(({ panels }) => panels).length);
    expect(found).toEqual([]);
    expect(await nameless()).toEqual([]);
  });

  it('the index has a section an experiment, and goes on after a folder that could not be read', async () => {
    const fault = 'run.json: expected JSON, found "x"; delete the folder or run the experiment again';
    await open_index([
      index_entry({ folder: 'core/e 1' }),
      index_entry({ folder: 'core/bad', fault }),
      index_entry({ folder: '' }),
    ]);
    expect(await page.locator('nav a').count()).toBe(3);
    expect(await page.locator('.fault-note').textContent()).toBe(`core/bad: could not be read: ${fault}`);
    expect(await page.locator('#experiment-2 .figure').count()).toBe(0);
    const links = (i: number) =>
      page.locator(`#experiment-${i} a`).evaluateAll((all) => all.map((one) => one.getAttribute('href')));
    expect(await links(1)).toEqual(
      expect.arrayContaining([
        './core/e1/report.html',
        './core/e%201/figures/scaling.svg',
        './core/e%201/run.json',
        './core/e%201/traces/high%20short.json',
      ]),
    );
    expect(await links(3)).toEqual(expect.arrayContaining(['./figures/scaling.png', './run.json']));
    expect(await page.locator('#experiment-3 .badge').count()).toBe(3);
  });

  it('the index of ten experiments of 27 configurations is small and opens at once', async () => {
    const entries = Array.from({ length: 10 }, (_, i) => index_entry({ folder: `core/${i}` }));
    const html = build_index(entries);
    expect(html.length).toBeLessThan(3e6);
    await show(html, { width: 1400 });
    const panels = index_entry().figures.flatMap((one) => one.panels).length;
    expect(await page.locator('.chart svg:has(text)').count()).toBe(10 * panels);
    const opened_ms = await page.evaluate(() => performance.getEntriesByType('navigation')[0]?.duration);
    expect(opened_ms).toBeLessThan(10_000);
  });
});
