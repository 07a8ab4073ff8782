import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compare_results } from '../../experiments/lab/compare.ts';
import { read_results } from '../../experiments/lab/read.ts';
import { unpack } from '../../experiments/lab/unpack.ts';
import { report } from '../../src/commands/report.ts';
import { no_browser } from '../support/browser.ts';
import {
  ask,
  fits,
  idle,
  type Live,
  nameless,
  open_live,
  out_of_reach,
  ready,
  see,
  text_of,
  trouble,
} from './page_browser.ts';

const VIEWS = ['Ask', 'Kernels', 'Knobs', 'Experts', 'Measure', 'Tour', 'This device'];
const MARKUP = '<img src=x onerror="alert(1)"> what color is the circle?';

describe.skipIf(no_browser)(`the live page${no_browser ? ` (skipped: ${no_browser})` : ''}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'molmoe-live-'));
  let live: Live;
  let page: Page;

  beforeAll(async () => {
    live = await open_live();
  });
  afterEach(async () => {
    await page?.context().close();
    expect(live.complaints).toEqual([]);
  });
  afterAll(async () => {
    await live?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('weighs under 1.5 MB without nano', () => expect(live.bytes).toBeLessThan(1.5e6));

  it('answers a question, with stages, tokens and the kernels behind them', async () => {
    page = await live.open();
    await ready(page);
    expect(await ask(page)).toBe('orange');
    expect(await page.locator('.truth').innerText()).toBe('That is right.');
    const rows = await page.locator('table.stages tbody tr').allInnerTexts();
    for (const [i, stage] of ['preprocess', 'vision encoder', 'projector', 'prefill', 'decode'].entries()) {
      expect(rows[i]).toMatch(new RegExp(`${stage}\\s+[\\d.,]+ ms`));
    }
    expect(await page.locator('.tokens li').allInnerTexts()).toEqual([expect.stringMatching(/^ ?orange\s+[\d.]+ ms$/)]);
    expect(await page.locator('.crops rect').count()).toBe(2);
    expect(await page.locator('.facts').first().innerText()).toContain('on a software adapter');
    await page.getByRole('button', { name: 'See all kernels' }).click();
    await page.locator('#kernels tbody tr').first().waitFor();
    expect(await page.locator('#kernels tbody tr').count()).toBeGreaterThan(20);
    expect(await page.locator('.honest').innerText()).toContain('GPU timestamps, a pass a kernel');
  });

  it('shows markup as text, wherever it comes from', async () => {
    page = await live.open();
    await ready(page);
    await ask(page, MARKUP);
    expect(await page.locator('.warnings li').first().innerText()).toMatch(/nano does not know <, img/);
    await page
      .getByLabel('Your own picture')
      .setInputFiles({ name: '<b onclick=alert(2)>.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
    await idle(page);
    expect(await trouble(page)).toMatch(
      /^<b onclick=alert\(2\)>\.png: expected a PNG, JPEG, WebP or GIF picture, found/,
    );
    await see(page, 'Measure');
    const theirs = { schema: 'molmoe.results/1', run: { experiment: '<script>alert(3)</script>' } };
    await page
      .getByLabel("Somebody else's file")
      .setInputFiles({ name: '<i>.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(theirs)) });
    await idle(page);
    expect(await trouble(page)).toMatch(/^<i>\.json: expected schema molmoe\.results\/1, found/);
    expect(await page.locator('main img, main script, main i, main b').count()).toBe(0);
  });

  it('turns knobs by keyboard, and says whether the answer changed', async () => {
    page = await live.open({ path: '#knobs?picture=8' });
    await ready(page);
    await page.getByLabel('Crops at most').focus();
    await page.keyboard.press('Home');
    await page.locator('.knob-result h3').waitFor();
    const said = await page.locator('.knob-result').innerText();
    expect(said).toContain('maxCrops 1');
    expect(said).toMatch(/95 % interval −?[\d.,]+ to −?[\d.,]+ ms; n = 6 each/);
    expect(said).toMatch(/The answer (stays|changes): "/);
  });

  it('tells picture tokens from text tokens in routing', async () => {
    page = await live.open({ path: '#experts' });
    await ready(page);
    await page.getByRole('button', { name: /Read what every router/ }).click();
    await page.getByText('Picture tokens (40)').waitFor();
    expect(await page.getByText('Text tokens (25)').count()).toBe(1);
    expect(await page.locator('#view-experts figure').count()).toBe(3);
  });

  it('measures E1 into a file that the lab reads, and shows it beside another', async () => {
    page = await live.open({ path: '#measure?regime=low&length=short&answer=short&runs=2' });
    await ready(page);
    await page.getByRole('button', { name: 'Measure', exact: true }).click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save as JSON' }).click(),
    ]);
    const file = join(scratch, 'page.json');
    await download.saveAs(file);
    const results = await read_results(file);
    expect(results.configurations.map(({ key }) => key)).toEqual(['low_short_short']);
    expect(results.run?.fingerprint.provenance).toMatchObject({
      mode: 'validated',
      backend: expect.stringMatching(/^WebGPU of /),
      adapter: { type: 'software', description: 'google swiftshader' },
    });
    expect(results.configurations[0]?.routing?.layers.length).toBe(8);
    expect(compare_results(results, await read_results(file)).configurations[0]?.stages[0]?.ratio).toBe(1);
    expect(await report(file)).toBe(0);
    expect(await unpack(file)).toBe(join(scratch, 'page'));
    expect(text_of(join(scratch, 'page/report.html'))).toContain('low_short_short');
    await page.getByLabel("Somebody else's file").setInputFiles(file);
    await page.locator('.sides.both').waitFor();
    await page.getByRole('heading', { name: 'Side by side' }).waitFor();
    expect(await page.locator('.side').nth(1).innerText()).toContain('The other file: nano, f16');
    const [traces] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save traces for Perfetto' }).click(),
    ]);
    const trace = join(scratch, 'trace.json');
    await traces.saveAs(trace);
    expect(JSON.parse(text_of(trace)).traceEvents.length).toBeGreaterThan(100);
    expect(page.url()).toContain('regime=low&length=short&answer=short&runs=2');
    writeFileSync(join(scratch, 'changed.json'), text_of(file).replace('"cores":', '"cores":1'));
    await expect(unpack(join(scratch, 'changed.json'))).rejects.toThrow('expected the digest of its run');
  });

  it('runs a claim of the tour and tells how it is decided', async () => {
    page = await live.open({ path: '#tour' });
    await ready(page);
    await page.getByRole('button', { name: /Run it here: 5/ }).click();
    await page.locator('.verdict .badge').waitFor();
    expect(await page.locator('.verdict').nth(4).innerText()).toMatch(
      /of 18 differences are negative[\s\S]*How it is decided/,
    );
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`every control has a name and is reached by Tab, and nothing is cut: ${colorScheme}`, async () => {
      page = await live.open({ colorScheme, width: colorScheme === 'light' ? 1400 : 390 });
      await ready(page);
      await ask(page);
      await page.getByRole('button', { name: 'See all kernels' }).waitFor();
      for (const view of VIEWS) {
        await see(page, view);
        expect(await nameless(page), view).toEqual([]);
        if (view !== 'Kernels') expect(await out_of_reach(page), view).toEqual([]);
        for (const width of [390, 1400]) {
          await page.setViewportSize({ width, height: 900 });
          await fits(page);
        }
      }
    });
  }
});
