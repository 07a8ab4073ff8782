/**
 * Makes docs/pictures from the results of a whole E1:
 *   node dist/cli.js e1 --routing --out results/pictures && node tools/pictures.mjs results/pictures
 * Figures are copied; two sections of the report are photographed in Chromium (CHROMIUM_PATH, or Debian's).
 * With --pages, docs/pictures/experiments, what the pages of experiments show, from the results of many:
 *   node dist/cli.js run all --quick && node tools/pictures.mjs --pages results
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const pictures = fileURLToPath(new URL('../docs/pictures', import.meta.url));
if (process.argv[2] === '--pages') {
  pictures_of_pages(process.argv[3] ?? 'results');
  process.exit(0);
}
const results = process.argv[2];
if (results === undefined) {
  process.stderr.write('error: expected the folder of an E1, found none: node tools/pictures.mjs <folder>\n');
  process.exit(2);
}
for (const name of readdirSync(join(results, 'figures'))) {
  if (name.endsWith('.svg')) copyFileSync(join(results, 'figures', name), join(pictures, name));
}
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
const page = await browser.newPage({ viewport: { width: 1200, height: 1000 }, colorScheme: 'light' });
await page.goto(pathToFileURL(resolve(results, 'report.html')).href);
for (const name of ['roofline', 'routing']) {
  const section = page.locator(`section#${name}`);
  await section.scrollIntoViewIfNeeded();
  await section.locator('.chart svg text').first().waitFor();
  const { x, y, width, height } = await section.boundingBox();
  const clip = { x: x - 24, y: y + 24, width: width + 48, height };
  await page.screenshot({ path: join(pictures, `${name}.png`), clip, fullPage: false });
}
await browser.close();

function pictures_of_pages(folder) {
  const drawn = readdirSync(folder, { recursive: true }).filter((name) => /(^|\/)figures\/[^/]+\.svg$/.test(name));
  const target = join(pictures, 'experiments');
  const pages = fileURLToPath(new URL('../docs/experiments', import.meta.url));
  mkdirSync(target, { recursive: true });
  const all = readdirSync(pages);
  const owner = (path) => `${basename(dirname(dirname(path)))}.md`;
  for (const page of all) {
    const text = readFileSync(join(pages, page), 'utf8');
    for (const [, name] of text.matchAll(/\]\(\.\.\/pictures\/experiments\/([^)]+)\)/g)) {
      const same = drawn.filter((path) => basename(path) === name);
      // Two experiments may draw a figure of one name: each page shows its own, or one of a folder that is no page's.
      const from = same.find((path) => owner(path) === page) ?? same.find((path) => !all.includes(owner(path)));
      if (from === undefined) process.stderr.write(`warning: ${page}: no ${name} in ${folder}; the old one stays\n`);
      else copyFileSync(join(folder, from), join(target, name));
    }
  }
}
