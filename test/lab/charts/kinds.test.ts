import { describe, expect, it } from 'vitest';
import type { Chart } from '../../../experiments/lab/charts.ts';
import { PARTS, STAGES } from '../../../experiments/lab/schema.ts';
import { words_of } from '../../../experiments/lab/style.ts';
import { box_of } from '../../../experiments/lab/vega/distribution.ts';
import { hatched } from '../../../experiments/lab/vega/theme.ts';
import { bars_of, figure_of, SAMPLES, series_of, stack_of } from '../../support/sample_charts.ts';
import { type Drawn, drawn, expect_tidy, ticks, value_at, words } from './support.ts';

type Plot = Drawn['plots'][number];
const first = <T>(list: readonly T[]): T => list[0] as T;

describe.each(Object.entries(SAMPLES))('%s', (_, figure) => {
  it('stands on its page, no text on text, nothing cut off', async () => {
    const page = await drawn(figure);
    expect_tidy(page);
    expect(words(page)).toContain(figure.title);
    expect(words(page).join(' ')).toContain('molmoe-mini, synthetic weights, f16; software adapter llvmpipe');
    const framed = figure.panels.filter(({ kind }) => kind !== 'pie');
    expect(page.plots.length).toBe(framed.length);
    for (const plot of page.plots) expect(plot.right - plot.left).toBeGreaterThan(80);
  });
});

describe('lines and points', () => {
  it('stand where their axes say', async () => {
    const points = [1, 3, 7, 12].map((x) => ({ x, y: 5 * x + 2 }));
    const chart: Chart = {
      kind: 'lines',
      x: { label: 'X' },
      y: { label: 'Y' },
      series: [{ name: 'a', look: 0, points }],
    };
    const page = await drawn(figure_of('straight', [chart]));
    const plot = first(page.plots);
    const [xs, ys] = [ticks(page, 'x', plot), ticks(page, 'y', plot)];
    expect(xs.length).toBeGreaterThan(2);
    expect(page.points.map(({ left }) => value_at(xs, left).toFixed(1))).toEqual(points.map(({ x }) => x.toFixed(1)));
    for (const [i, { top }] of page.points.entries()) expect(value_at(ys, top)).toBeCloseTo(points[i]?.y as number, 0);
  });

  it('have ten series told apart, each in the legend once', async () => {
    const page = await drawn(SAMPLES.lines_ten as never);
    const legend = page.texts.filter(({ role }) => role === 'role-legend-label').map(({ text }) => text);
    expect(legend).toEqual(series_of(10).map(({ name }) => name));
    expect(new Set(page.points.map(({ fill }) => fill)).size).toBe(10);
  });

  it('have one entry for a second, hollow reading of a series', async () => {
    const [one] = series_of(1);
    const twins = [one, { ...one, hollow: true }] as never;
    const chart: Chart = { kind: 'scatter', x: { label: 'X' }, y: { label: 'Y' }, series: twins };
    const page = await drawn(figure_of('twins', [chart]));
    expect(words(page).filter((text) => text === 'series 1').length).toBe(1);
    expect(page.points.filter(({ fill }) => fill === 'white').length).toBe(6);
  });

  it('write powers on logarithmic axes, rising', async () => {
    const page = await drawn(SAMPLES.lines_log as never);
    expect(words(page)).toEqual(expect.arrayContaining(['10⁷', '10⁸', '10⁹', '10¹⁰', '1', '10']));
  });

  it('label roofs, speeds and points', async () => {
    const text = words(await drawn(SAMPLES.scatter as never));
    expect(text).toEqual(
      expect.arrayContaining(['stream 12 GB/s', 'f32 multiply-adds 110 GFLOP/s', '100 GFLOP/s', '33']),
    );
  });

  it('say the fit in the heading', async () => {
    expect(words(await drawn(SAMPLES.lines as never)).join(' ')).toContain('dashed: ms = 0.035 × tokens + 17');
  });
});

describe('stack', () => {
  const sum = (fields: Drawn['fields']): number => fields.reduce((all, { top, bottom }) => all + bottom - top, 0);

  it.each([1, 3, 15, 27])('is as high as its total, with its whisker around it: %i bars', async (count) => {
    const page = await drawn(figure_of('bars', [stack_of(count)]));
    const plot = first(page.plots);
    const marks = ticks(page, 'y', plot);
    const bars = bars_of(count);
    const columns = new Map<string, Drawn['fields']>();
    for (const field of page.fields) {
      const at = field.left.toFixed(1);
      columns.set(at, [...(columns.get(at) ?? []), field]);
    }
    expect(columns.size).toBe(count);
    [...columns.values()].forEach((fields, i) => {
      const top = Math.min(...fields.map((field) => field.top));
      expect(value_at(marks, top) / (bars[i]?.total?.value as number)).toBeCloseTo(1, 1);
      expect(sum(fields)).toBeCloseTo(plot.bottom - top, 0);
      const label = page.texts.find(({ text }) => text === bars[i]?.total?.label);
      expect(label?.bottom, 'label above its bar').toBeLessThan(top);
    });
    const left_to_right = [...columns.values()].map((fields) => first(fields).left);
    expect(left_to_right).toEqual(left_to_right.toSorted((a, b) => a - b));
  });

  it('hatches every stage and part', async () => {
    const fills = async (name: string) => new Set((await drawn(SAMPLES[name] as never)).fields.map(({ fill }) => fill));
    expect(await fills('stack_15')).toEqual(new Set(STAGES.map(hatched)));
    expect(await fills('stack_shares')).toEqual(new Set(PARTS.map(hatched)));
  });

  it('writes what neighbours share once', async () => {
    const text = words(await drawn(SAMPLES.stack_27 as never));
    const count = (word: string) => text.filter((one) => one === word).length;
    // Images once each, prompts once an image, answers once a bar.
    expect([count('low'), count('high'), count('short'), count('long')]).toEqual([1, 1, 3 + 9, 3 + 9]);
    expect(text).toEqual(expect.arrayContaining(['image', 'prompt', 'answer', 'Configuration']));
  });

  it('labels panels with the same bars once', async () => {
    const text = words(await drawn(SAMPLES.stack_shares as never));
    expect(text.filter((one) => one === 'low · short · short').length).toBe(1);
    expect(text.filter((one) => one === 'GPU time (%)').length).toBe(4);
  });

  it('makes shares of a bar a hundred', async () => {
    const page = await drawn(SAMPLES.stack_shares as never);
    for (const plot of page.plots) {
      const ends = page.fields
        .filter(({ left }) => left >= plot.left - 1 && left <= plot.right)
        .map(({ right }) => right);
      expect(Math.max(...ends)).toBeCloseTo(plot.right, 0);
    }
  });
});

describe('distribution', () => {
  it('counts every value into a bin', async () => {
    const values = [1, 1, 2, 2, 2, 3, 9, 10];
    const groups = [{ name: 'a', look: 0, values }];
    const chart: Chart = { kind: 'distribution', shape: 'histogram', value: { label: 'V (ms)' }, groups, bins: 3 };
    const page = await drawn(figure_of('counts', [chart]));
    const marks = ticks(page, 'y', first(page.plots));
    expect(page.fields.map(({ top }) => Math.round(value_at(marks, top)))).toEqual([6, 2]);
  });

  it('rises to a hundred percent', async () => {
    const text = words(await drawn(SAMPLES.cdf as never));
    expect(text).toEqual(expect.arrayContaining(['100', 'Share of values (%)', '25 tokens a second', 'group 4']));
  });

  it('boxes quartiles, whiskers within one and a half of their distance, the rest by themselves', () => {
    expect(box_of([1, 2, 3, 4, 5, 30])).toEqual({
      low: 2.25,
      middle: 3.5,
      high: 4.75,
      least: 1,
      most: 5,
      beyond: [30],
    });
    expect(box_of([4])).toEqual({ low: 4, middle: 4, high: 4, least: 4, most: 4, beyond: [] });
  });

  it('writes how many values a box is of', async () => {
    expect(words(await drawn(SAMPLES.box as never)).join(' ')).toContain('n\u00a0=\u00a0121');
  });
});

describe('pie', () => {
  it('names every slice with its share, and the total', async () => {
    const text = words(await drawn(SAMPLES.pie as never));
    expect(text).toContain('1,234 ms');
    for (const part of PARTS) expect(text.some((one) => one.startsWith(`${words_of(part)} · `))).toBe(true);
    expect(text).toContain('MoE experts · 50 %');
  });
});

describe('pareto', () => {
  it('names the points of the front and says which way is better', async () => {
    const text = words(await drawn(SAMPLES.pareto as never));
    expect(text).toEqual(expect.arrayContaining(['f16', 'q8', 'q4', 'q8, top-k 4', 'q4, top-k 1', '↖ better']));
  });
});

describe('heat', () => {
  const within = (fields: Drawn['fields'], plot: Plot) => fields.filter(({ left }) => left >= plot.left - 1);

  it('has a cell for each value, also for none', async () => {
    const page = await drawn(SAMPLES.heat as never);
    expect(within(page.fields, first(page.plots)).length).toBe(16 * 64);
    expect(page.fields.filter(({ fill }) => fill === '#E4E4E4').length).toBe(8);
  });

  it('writes values where they fit and the larger darker', async () => {
    const page = await drawn(SAMPLES.heat_written as never);
    expect(words(page)).toEqual(expect.arrayContaining(['640', '6,400', 'high,', 'portrait', 'Latency (ms)']));
    expect(page.fields.map(({ fill }) => fill)).toContain('#08306b');
  });
});

describe('strip', () => {
  it('lays spans along time, a track below the other', async () => {
    const page = await drawn(SAMPLES.strip as never);
    const marks = ticks(page, 'x', first(page.plots));
    const attention = page.fields.filter(({ fill }) => fill === hatched('attention'));
    expect(attention.length).toBe(16);
    attention.forEach(({ left, right, top }, i) => {
      expect(value_at(marks, left)).toBeCloseTo(20 * i + 1, 0);
      expect(value_at(marks, right)).toBeCloseTo(20 * i + 8, 0);
      if (i > 0) expect(top).toBeGreaterThan(attention[i - 1]?.top as number);
    });
    expect(words(page)).toEqual(expect.arrayContaining(['block 0', 'block 15', 'MoE routing', 'Time (ms)']));
  });
});
