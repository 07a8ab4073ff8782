/**
 * The live page's own numbers, in a headless Chromium on its software adapter: how soon it shows, how soon nano is ready, and
 * what drawing costs an answer. The page's worker and one that nobody draws for answer the same question in turns.
 * CHROMIUM_PATH names the browser; an argument says how many turns.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('..', import.meta.url));
const turns = Number(process.argv[2] ?? 20);
const visits = 5;

const server = spawn(process.execPath, [join(root, 'dist/cli.js'), 'serve', '--port', '0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise((resolve) => server.stdout.once('data', (data) => resolve(String(data).trim())));
const places = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const browser = await chromium.launch({
  executablePath: places.find((path) => path && existsSync(path)),
  args: [
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ...['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--disable-vulkan-surface'],
    ...['--use-angle=vulkan', '--use-vulkan=swiftshader', '--use-webgpu-adapter=swiftshader'],
  ],
});

const sorted = (values) => values.toSorted((a, b) => a - b);
const at = (values, share) => sorted(values)[Math.round(share * (values.length - 1))];
const said = (values, digits = 0) =>
  `median ${at(values, 0.5).toFixed(digits)}, from ${at(values, 0).toFixed(digits)} to ${at(values, 1).toFixed(digits)}, n = ${values.length}`;

const ready = (page) =>
  page.waitForFunction(() => document.querySelector('.chip')?.textContent?.includes('nano'), null, { timeout: 60_000 });

try {
  const first = [];
  const again = [];
  const bytes_to_ready = [];
  for (let i = 0; i < visits; i++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    let arrived = 0;
    page.on('requestfinished', (request) => {
      if (request.url().endsWith('nano/model.safetensors')) arrived = performance.now();
    });
    await page.goto(url);
    await ready(page);
    bytes_to_ready.push(performance.now() - arrived);
    // Of the page's own clock: from the navigation to the first content.
    const paint = () => page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
    first.push(await paint());
    await page.reload();
    const reloaded = performance.now();
    await ready(page);
    again.push(performance.now() - reloaded);
    await context.close();
  }
  console.log(`first view, ms after the navigation: ${said(first)}`);
  console.log(`nano ready, ms after its bytes: ${said(bytes_to_ready)}`);
  console.log(`nano ready at a second visit, ms after the page: ${said(again)}`);

  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  await ready(page);
  // A worker of the same script whose answers nobody draws.
  await page.evaluate(async () => {
    const worker = new Worker('worker.js', { type: 'module' });
    let id = 0;
    globalThis.undrawn = (call, ...args) =>
      new Promise((resolve, reject) => {
        const mine = id++;
        const hear = ({ data }) => {
          if (data.id !== mine || 'told' in data) return;
          worker.removeEventListener('message', hear);
          if ('error' in data) reject(new Error(data.error));
          else resolve(data.value);
        };
        worker.addEventListener('message', hear);
        worker.postMessage({ id: mine, call, args });
      });
    await globalThis.undrawn('open', { without_stamps: false });
    await globalThis.undrawn('load', 'nano', undefined);
  });
  const request = await page.evaluate(() => {
    const canvas = document.querySelector('.picture canvas');
    const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const rgb = new Uint8Array(data.filter((_, i) => i % 4 < 3));
    globalThis.asked = {
      prompt: document.querySelector('#prompt').value,
      picture: { name: 'the same', width, height, rgb },
      knobs: {},
      max_new_tokens: 16,
    };
    return globalThis.asked.prompt;
  });
  const drawn_ms = [];
  const undrawn_ms = [];
  const by_page = async () => {
    await page.evaluate(() => document.querySelector('.asking button').click());
    await page.waitForFunction(() => document.querySelector('.facts')?.textContent.includes('in all'));
    const ms = await page.evaluate(() =>
      Number.parseFloat(document.querySelector('.facts').textContent.replace(',', '')),
    );
    await page.waitForFunction(() => document.querySelector('.inside').textContent.includes('longest'));
    return ms;
  };
  const alone = () =>
    page.evaluate(async () => {
      const { total_ms, preprocess_ms } = await globalThis.undrawn('ask', globalThis.asked);
      return total_ms + preprocess_ms;
    });
  for (let i = -2; i < turns; i++) {
    const [a, b] = i % 2 === 0 ? [await by_page(), await alone()] : [await alone(), await by_page()].reverse();
    if (i < 0) continue; // to warm up
    drawn_ms.push(a);
    undrawn_ms.push(b);
  }
  const ratios = drawn_ms.map((ms, i) => ms / undrawn_ms[i]);
  console.log(`"${request}" on the page, ms: ${said(drawn_ms)}`);
  console.log(`"${request}" undrawn, ms: ${said(undrawn_ms)}`);
  console.log(
    `drawing: ${(at(drawn_ms, 0.5) / at(undrawn_ms, 0.5)).toFixed(3)} times, the ratio of medians; of turns, quartiles ${at(ratios, 0.25).toFixed(3)} and ${at(ratios, 0.75).toFixed(3)}`,
  );
} finally {
  await browser.close();
  server.kill();
}
