import { expect, it } from 'vitest';
import { fake_configuration, fake_configurations } from '../support/records.ts';
import {
  column,
  drawing,
  falling,
  figure,
  fits,
  in_browser,
  nameless,
  numbers,
  open,
  page,
  picture,
  see_all,
  sweep,
  tip,
} from './report_browser.ts';
import { FIGURES } from './report_figures.ts';
import { full_grid } from './report_input.ts';
import { overlaps } from './report_text.ts';

in_browser(() => {
  it('draws every kind of chart, read by mouse, by keyboard and as a table', async () => {
    await open({ figures: FIGURES });
    for (const { name, panels, title } of FIGURES) {
      const article = figure(name);
      await article.scrollIntoViewIfNeeded();
      await article.locator('.chart svg text, .chart canvas').first().waitFor();
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
        await plot.locator('tbody tr').first().waitFor();
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
    await see_all();
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
      /Decode step \d+.*mean of 10 runs.*ms.*fastest of 10 runs.*ms.*slowest of 10 runs.*ms.*Position \d+/,
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
    await see_all();
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
    await open({ figures: FIGURES }, { width: 1000, colorScheme: 'dark' }); // as wide on paper: no change of size redraws
    await page.locator('#roofline svg text').first().waitFor();
    await see_all();
    /** Pixels of the steps' chart in the colour that lines have on paper. */
    const paper_lines = () =>
      page.locator('#steps canvas').evaluate((node) => {
        const { width, height } = node as HTMLCanvasElement;
        const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
        copy?.drawImage(node as HTMLCanvasElement, 0, 0);
        const pixels = copy?.getImageData(0, 0, width, height).data ?? [];
        let found = 0;
        for (let i = 0; i < pixels.length; i += 4)
          if (pixels[i] === 0xd8 && pixels[i + 1] === 0xdd && pixels[i + 2] === 0xe3) found += 1;
        return found;
      });
    expect(await paper_lines()).toBe(0);
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await expect.poll(paper_lines).toBeGreaterThan(300);
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    const widths = await page
      .locator('.chart svg, .chart canvas')
      .evaluateAll((all) => all.map((one) => Number(one.getAttribute('width'))));
    expect(Math.max(...widths)).toBeLessThanOrEqual(660);
    expect(Math.min(...widths)).toBeGreaterThan(300); // those that were never seen too
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)');
    const ink = await page
      .locator('#roofline .ink, #parts .ink')
      .first()
      .evaluate((node) => getComputedStyle(node).fill);
    expect(ink).toBe('rgb(28, 33, 40)');
    expect(await page.locator('.plot [fill^="url"]').count()).toBe(0); // patterns are printed as pictures
    await page.evaluate(() => dispatchEvent(new Event('afterprint')));
    expect(await page.locator('#parts .chart [fill^="url"]').count()).toBeGreaterThan(0);
    expect((await page.pdf()).length).toBeLessThan(2e6);
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    expect(await nameless()).toEqual([]); // printed again: still one of each id
    await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  });
});
