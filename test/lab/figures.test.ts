import { crc32 } from 'node:zlib';
import { Resvg } from '@resvg/resvg-js';
import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Figure } from '../../experiments/lab/charts.ts';
import { draw, render } from '../../experiments/lab/figures.ts';
import { FONT, font_file, text_width, wrap } from '../../experiments/lab/font.ts';
import { draw_page } from '../../experiments/lab/vega/page.ts';
import { HEAD } from '../support/sample_charts.ts';
import { boxes_of } from '../support/svg_text.ts';

const VALUES = [
  { name: 'a', ms: 1 },
  { name: 'b', ms: 2 },
  { name: 'c', ms: 2 },
];
const figure = (title: string, values: readonly { name: string; ms: number }[], width_in = 6): Figure => ({
  name: 'test',
  title,
  notes: ['one line', 'another'],
  width_in,
  height_in: 5,
  panels: [
    {
      kind: 'stack',
      categories: 'Name (word)',
      value: { label: 'Time (ms)' },
      bars: values.map(({ name, ms }) => ({
        label: [name],
        segments: [{ look: 'prefill', name: 'prefill', value: ms }],
      })),
    },
  ],
});

describe('render', () => {
  let drawn: Awaited<ReturnType<typeof render>>;
  beforeAll(async () => {
    drawn = await render(figure('Title', VALUES), HEAD);
  });

  it('fills the page at 300 pixels an inch', async () => {
    const { width, height, density } = await sharp(drawn.png).metadata();
    expect([width, height]).toEqual([1800, 1500]);
    expect(density).toBe(300);
    // Ink near all four edges: the panel was sized, not just placed.
    const { info } = await sharp(drawn.png).trim().toBuffer({ resolveWithObject: true });
    expect(info.width).toBeGreaterThan(1650);
    expect(info.height).toBeGreaterThan(1300);
  });

  it('writes a resolution that PNG readers accept', () => {
    const png = Buffer.from(drawn.png);
    expect(png.toString('latin1', 12, 16)).toBe('IHDR');
    expect(png.readUInt32BE(33)).toBe(9);
    expect(png.toString('latin1', 37, 41)).toBe('pHYs');
    expect([png.readUInt32BE(41), png.readUInt32BE(45), png.readUInt8(49)]).toEqual([11811, 11811, 1]);
    for (let at = 8; at < png.length; ) {
      const length = png.readUInt32BE(at);
      expect(png.readUInt32BE(at + 8 + length)).toBe(crc32(png.subarray(at + 4, at + 8 + length)));
      at += 12 + length;
    }
  });

  it('draws the same bytes again', async () => {
    await render(figure('Another', [{ name: 'c', ms: 5 }], 8), HEAD);
    const again = await render(figure('Title', VALUES), HEAD);
    expect(again.svg).toBe(drawn.svg);
    expect(Buffer.compare(again.png, drawn.png)).toBe(0);
  });

  it('says what times were scaled to, but not on a figure that has none', async () => {
    const basis = 'Times are scaled to molmoe-1b';
    const timed = figure('Title', VALUES);
    const [with_times, without] = await Promise.all(
      [timed, { ...timed, untimed: true } as const].map((one) => draw(one, { ...HEAD, basis })),
    );
    expect(with_times).toContain(basis);
    expect(without).not.toContain(basis);
  });

  it('gives text that stands alone', () => {
    expect(drawn.svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="6in" height="5in" viewBox="/);
    expect(drawn.svg).not.toMatch(/href|<image|<script|@import/);
    expect([...drawn.svg.matchAll(/https?:/g)].length).toBe(1);
    const families = new Set([...drawn.svg.matchAll(/font-family="([^"]*)"/g)].map((match) => match[1]));
    expect([...families]).toEqual([`${FONT}, Arial, sans-serif`]);
    const wanted = new Set([...drawn.svg.matchAll(/url\(#([^)]*)\)/g)].map((match) => match[1]));
    for (const id of wanted) expect(drawn.svg).toContain(`id="${id}"`);
  });

  it('draws hatches, not black boxes', async () => {
    const { data, info } = await sharp(drawn.png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    let green = 0;
    for (let i = 0; i < data.length; i += info.channels) {
      if (data[i] === 0x2c && data[i + 1] === 0xa0 && data[i + 2] === 0x2c) green += 1;
    }
    expect(green / (1800 * 1500)).toBeGreaterThan(0.1);
  });

  it('shrinks what does not fit instead of cutting it off', async () => {
    const word = 'one_word_of_a_title_that_no_page_of_this_size_can_hold_on_one_line';
    const { svg, png } = await render(figure(word, VALUES, 3), HEAD);
    const { page, texts } = boxes_of(svg);
    expect(texts.map(({ text }) => text)).toContain(word);
    for (const { left, right } of texts) {
      expect(left).toBeGreaterThanOrEqual(page.left);
      expect(right).toBeLessThanOrEqual(page.right);
    }
    expect((await sharp(png).metadata()).width).toBe(900);
  });

  it('refuses a description that vega-lite would draw otherwise', async () => {
    const layer = [{ data: { values: VALUES }, mark: 'bar', encoding: { size: { field: 'name', type: 'nominal' } } }];
    const page = { width_in: 4, height_in: 3, title: { text: ['T'], subtitle: [] }, legends: 'own' as const };
    await expect(draw_page({ ...page, panels: () => [{ layer: layer as never }] })).rejects.toThrow(/^figure: .*size/);
  });
});

describe('text', () => {
  it.each([
    ['normal', 'Prompt, vision and text (tokens)'],
    ['normal', 'R² 0.9987 · 1,024 × 336 − 12.5 %'],
    ['bold', 'Latency by stage'],
  ] as const)('is as wide as it is drawn: %s, %s', (weight, text) => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="99"><text x="9" y="60" font-family="${FONT}" font-weight="${weight}" font-size="32">${text}</text></svg>`;
    const fontFiles = [font_file('normal'), font_file('bold')];
    const drawn = new Resvg(svg, { font: { loadSystemFonts: false, fontFiles } }).getBBox();
    const width = text_width(text, 32, weight);
    // A box of ink lacks the bearings of the first and last letter; kerning narrows.
    expect(drawn?.width).toBeLessThanOrEqual(width);
    expect(drawn?.width).toBeGreaterThan(width * 0.96);
  });

  it('wraps at spaces and loses nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[!-~]{1,12}$/), { minLength: 1 }),
        fc.integer({ min: 1, max: 400 }),
        (words, width) => {
          const lines = wrap(words.join(' '), 11, width);
          expect(lines.join(' ')).toBe(words.join(' '));
          for (const line of lines) {
            if (line.includes(' ')) expect(text_width(line, 11)).toBeLessThanOrEqual(width);
          }
        },
      ),
    );
  });
});
