import { expect, it } from 'vitest';
import { build_index } from '../../experiments/lab/report.ts';
import { FAKE_RUN, fake_configuration, fake_configurations } from '../support/records.ts';
import { fits, in_browser, nameless, open, open_index, page, picture, see_all, show, tip } from './report_browser.ts';
import { FIGURES } from './report_figures.ts';
import { bare, emptied, index_entry, page_input, thinned } from './report_input.ts';
import { overlaps } from './report_text.ts';

in_browser(() => {
  const SCREENS = [
    [390, 'dark'],
    [800, 'light'],
    [1400, 'dark'],
  ] as const;

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
    expect(await page.locator('#stages tbody th').allTextContents()).toEqual([
      'prefill',
      'first token',
      'whole request',
      'prefill',
    ]);
    expect(await page.locator('#stages .teach').textContent()).toContain('no interval can be given');
    expect(await page.locator('main').textContent()).not.toMatch(/NaN|undefined|Infinity/);
    expect(await nameless()).toEqual([]);
  });

  it('draws what there is of charts without data', async () => {
    const nothing = FIGURES.map((one) => ({ ...one, panels: one.panels.map(emptied) }));
    const once = FIGURES.map((one) => ({ ...one, name: `${one.name}_once`, panels: one.panels.map(thinned) }));
    await open({ figures: [...nothing, ...once] });
    await see_all();
    expect(await page.locator('.plot').count()).toBe(2 * FIGURES.flatMap(({ panels }) => panels).length + 5);
    expect(await page.locator('#figures').textContent()).not.toMatch(/NaN|undefined|Infinity/);
    for (const chart of await page.locator('#figures .chart').all()) await chart.press('ArrowRight');
  });

  it('shows a configuration that was counted, not timed', async () => {
    const one = bare(fake_configuration('low', 'short', 'short', 1));
    await open({ configurations: [{ ...one, clean: { clock: 'not timed', samples: [] } }] });
    expect(await page.locator('#stages .missing').textContent()).toContain('Not timed');
    expect(await page.locator('#cells tbody td').last().textContent()).toBe('–');
    expect(await page.locator('main').textContent()).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('says which samples failed, how many of all there are, and which are shown', async () => {
    const small = bare(fake_configuration('low', 'short', 'short', 1));
    const configurations = Array.from({ length: 300 }, (_, i) => ({
      ...small,
      key: `sample=${i}`,
      settings: { sample: i },
    }));
    const failed = Array.from({ length: 60 }, (_, i) => ({
      key: `sample=${300 + i}`,
      settings: {},
      reason: 'cut off',
    }));
    await open({ configurations, failed, skipped: [] });
    const cells = await page.locator('#cells').textContent();
    expect(cells).toContain('The first 200 of 300 configurations');
    expect(cells).toContain('Failed: 60 of 360');
    expect(cells).toContain('sample=300: cut off');
    expect(await page.locator('#cells .skipped li').last().textContent()).toBe('and 10 more');
    expect(await page.locator('header').textContent()).toContain('300 configurations');
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

  it('draws 2,000 decode steps and looks closer at some: by drag, by keys, by buttons', async () => {
    const one = fake_configuration('low', 'short', 'short', 3);
    const samples = one.clean.samples.map((sample, run) => ({
      ...sample,
      T_decode_per_step: Array.from({ length: 2000 }, (_, i) => 20 + i / 200 + run + (i % 7) / 5),
    }));
    await open({ configurations: [{ ...one, clean: { ...one.clean, samples } }] });
    const chart = page.locator('#steps .chart');
    const canvas = chart.locator('canvas');
    const range = page.locator('#steps output');
    const whole = 'Steps 1 to 2,000 of 2,000';
    const shows = (text: string) => expect.poll(() => range.textContent()).toBe(text);
    const pressed = async (key: string) => {
      await page.keyboard.press(key);
      return (await tip().isVisible()) ? tip().locator('strong').textContent() : null;
    };
    await chart.scrollIntoViewIfNeeded();
    await shows(whole);
    const drawn = await picture(canvas);

    const { x, y, width } = (await chart.locator('.u-over').boundingBox()) as { x: number; y: number; width: number };
    await page.mouse.move(x + width / 4, y + 40);
    await page.mouse.down();
    await page.mouse.move(x + width / 2, y + 60, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => range.textContent()).toMatch(/^Steps (49|50)\d to (99\d|1,00\d) of 2,000$/);
    expect(await picture(canvas)).not.toBe(drawn);
    const closer = (await range.textContent()) as string;
    await page.setViewportSize({ width: 600, height: 900 });
    await page.setViewportSize({ width: 1280, height: 900 });
    await shows(closer);
    await chart.locator('.u-over').dblclick();
    await shows(whole);
    await expect.poll(() => picture(canvas)).toBe(drawn);

    await page.mouse.move(0, 0);
    await chart.focus();
    expect(await pressed('ArrowRight')).toBe('Decode step 1');
    expect(await pressed('ArrowRight')).toBe('Decode step 2');
    expect(await pressed('End')).toBe('Decode step 2,000');
    expect(await pressed('+')).toBe('Decode step 2,000');
    await shows('Steps 1,001 to 2,000 of 2,000');
    expect(await pressed('ArrowLeft')).toBe('Decode step 1,999');
    expect(await pressed('Home')).toBe('Decode step 1');
    await shows('Steps 1 to 1,000 of 2,000');
    expect(await pressed('Escape')).toBeNull();
    await page.locator('#steps [aria-label="zoom in"]').click();
    await shows('Steps 251 to 750 of 2,000');
    await page.locator('#steps [aria-label="show the whole"]').click();
    await shows(whole);

    await page.locator('#steps [data-series="slowest of 3 runs"]').click();
    await expect.poll(() => picture(canvas)).not.toBe(drawn);
    await chart.focus();
    await pressed('ArrowRight');
    expect(await tip().textContent()).toMatch(/mean.*fastest/);
    expect(await tip().textContent()).not.toContain('slowest');
    await page.locator('#steps [data-series="slowest of 3 runs"]').click();
    await expect.poll(() => picture(canvas)).toBe(drawn);
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(() => picture(canvas)).not.toBe(drawn);
    await page.locator('#steps summary').click();
    await expect.poll(() => page.locator('#steps tbody tr').count()).toBe(2000);
  });

  it.each(SCREENS)('the index fits %i pixels, %s: nothing overlaps, nothing is cut', async (width, colorScheme) => {
    const basis = 'Scaled to molmoe-1b from molmoe-slice (2 of 16 blocks)';
    const { head } = index_entry();
    await open_index([index_entry({ head: { ...head, basis } }), index_entry({ folder: '', page: undefined })], {
      width,
      colorScheme,
    });
    await see_all();
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
        './core/e%201/report.html',
        './core/e%201/figures/scaling.svg',
        './core/e%201/run.json',
        './core/e%201/traces/high%20short.json',
      ]),
    );
    expect(await links(3)).toEqual(expect.arrayContaining(['./report.html', './figures/scaling.png', './run.json']));
    expect(await page.locator('#experiment-3 .badge').count()).toBe(3);
  });

  it('the index of ten experiments of 27 configurations is small and opens at once', async () => {
    const entries = Array.from({ length: 10 }, (_, i) => index_entry({ folder: `core/${i}` }));
    const html = build_index(entries);
    expect(html.length).toBeLessThan(3e6);
    await show(html, { width: 1400 });
    const panels = index_entry().figures.flatMap((one) => one.panels).length;
    // Nobody scrolls: what is out of sight is drawn too, though later.
    await expect.poll(() => page.locator('.chart svg:has(text)').count(), { timeout: 30_000 }).toBe(10 * panels);
    const opened_ms = await page.evaluate(() => performance.getEntriesByType('navigation')[0]?.duration);
    expect(opened_ms).toBeLessThan(10_000);
  });
});
