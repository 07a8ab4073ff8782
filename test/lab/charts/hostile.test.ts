import { Resvg } from '@resvg/resvg-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../../engine/errors.ts';
import type {
  Chart,
  Distribution,
  Figure,
  Heat,
  Lines,
  Pareto,
  Pie,
  Scatter,
  Stack,
  Strip,
} from '../../../experiments/lab/charts.ts';
import { draw } from '../../../experiments/lab/figures.ts';
import { linear_texts, log_texts, printable, shortened } from '../../../experiments/lab/vega/text.ts';
import { bars_of, figure_of, HEAD, SAMPLES, series_of, stack_of } from '../../support/sample_charts.ts';
import { boxes_of } from '../../support/svg_text.ts';
import { drawn, expect_tidy, words } from './support.ts';

const one = <T extends Chart>(name: string): T => (SAMPLES[name] as Figure).panels[0] as T;
const figure = (chart: Chart): Figure => figure_of('hostile', [chart]);
const NASTY = '<b>&"\' ]]> \x1b[31m\x00\ud800\u202e\ufffe url(#x) {{datum}}';
const SHOWN = '<b>&"\' ]]> \\x1b[31m\\x00\\ud800\\u202e\\ufffe url(#x) {{datum}}';

/** The same chart with every text of it replaced. */
const renamed = (
  value: unknown,
  text: string,
  kept = ['kind', 'look', 'shape', 'scale', 'axis', 'better'],
): unknown => {
  if (typeof value === 'string') return text;
  if (Array.isArray(value)) return value.map((item) => renamed(item, text, kept));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, kept.includes(key) ? item : renamed(item, text, kept)]),
  );
};

describe('names', () => {
  it.each(['lines', 'scatter', 'stack_3', 'stack_lying', 'histogram', 'box', 'pie', 'pareto', 'heat_written', 'strip'])(
    'with markup and control characters are shown as text: %s',
    async (name) => {
      const hostile = { ...(SAMPLES[name] as Figure), title: NASTY, notes: [NASTY] };
      const panels = hostile.panels.map((panel) => renamed(panel, NASTY) as Chart);
      const svg = await draw({ ...hostile, panels }, { ...HEAD, basis: NASTY });
      // Its parser is a strict one.
      expect(() => new Resvg(svg)).not.toThrow();
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
      expect(svg).not.toMatch(/<b>|<script|[\x00-\x08\x0b-\x1f]/);
      expect(boxes_of(svg).texts.filter(({ text }) => text === SHOWN).length).toBeGreaterThanOrEqual(2);
    },
  );

  it('of a model are shown as text', async () => {
    const model = { name: `a\x1b]0;b`, weights_kind: 'checkpoint', dtype: 'q8' } as const;
    const svg = await draw(SAMPLES.pie as Figure, { ...HEAD, model });
    expect(boxes_of(svg).texts[0]).toBeDefined();
    expect(svg).toContain('a\\x1b]0;b, q8; software adapter');
  });

  it('of any characters give a picture that parses', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (text) => {
        const svg = await draw({ ...(SAMPLES.pie as Figure), title: text, notes: [text] }, HEAD);
        expect(() => new Resvg(svg)).not.toThrow();
      }),
      { numRuns: 4, examples: [['toString'], ['__proto__'], ['\\']] },
    );
    expect(printable('plain × 10⁹ ü 漢 😀')).toBe('plain × 10⁹ ü 漢 😀');
  });

  const LONG = 'a category with a label that is far longer than any bar of a figure is ever wide, and then some';
  it.each([1, 3, 15, 27])('however long find room: %i bars', async (count) => {
    const bars = bars_of(count).map((bar, i) => ({ ...bar, label: [`${i}: ${LONG}`] }));
    for (const lying of [false, true]) expect_tidy(await drawn(figure(stack_of(count, { bars, lying, lines: [] }))));
  });

  it('of ten long series stay on the page', async () => {
    const chart = { ...one<Lines>('lines_ten'), series: series_of(10, 4, (i) => `${i}: ${LONG}`) };
    const page = await drawn(figure(chart));
    expect_tidy(page);
    expect(words(page).filter((text) => text.endsWith('…')).length).toBe(10);
  });

  it('are cut behind a whole character', () => {
    expect(shortened('short', 11, 200)).toBe('short');
    expect(shortened('😀😀😀😀😀😀', 11, 40)).toMatch(/^😀+…$/u);
  });
});

describe('the basis', () => {
  it('stands on the face of a figure', async () => {
    const basis = 'scaled to molmoe-1b from molmoe-slice';
    const svg = await draw(SAMPLES.pie as Figure, { ...HEAD, basis });
    expect(boxes_of(svg).texts.map(({ text }) => text)).toContain(basis);
  });
});

describe('numbers', () => {
  const at = (x: number, y: number): Lines => ({
    ...one<Lines>('lines_ten'),
    series: [{ name: 'a', look: 0, points: [{ x, y }] }],
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e308])(
    'that are none are refused: %f',
    async (bad) => {
      await expect(draw(figure(at(1, bad)), HEAD)).rejects.toThrow(InputError);
      await expect(draw(figure(at(1, bad)), HEAD)).rejects.toThrow(
        /^figure hostile\.panels\[0\]\.series\[0\]\.points\[0\]\.y: expected a finite number, found (NaN|-?Infinity|1e\+308); mend what computes it$/,
      );
    },
  );

  it.each([
    [0, 0],
    [1, 1],
    [-3, -7],
    [1e12, 1e-9],
    [5e-7, 3.2e15],
    [1e290, 1e-290],
  ])('alone have axes around them: %d, %d', async (x, y) => {
    const page = await drawn(figure(at(x, y)));
    expect_tidy(page);
    expect(page.points.length).toBe(1);
    const [plot] = page.plots;
    expect(page.points[0]?.left).toBeGreaterThanOrEqual((plot?.left as number) - 1);
    expect(page.points[0]?.left).toBeLessThanOrEqual((plot?.right as number) + 1);
  });

  it('that are equal have an axis too, linear, logarithmic, counted and boxed', async () => {
    const points = [1, 2, 3].map((x) => ({ x, y: 4 }));
    for (const scale of ['linear', 'log'] as const)
      expect_tidy(
        await drawn(
          figure({ ...at(1, 1), y: { label: 'Y', scale, from_zero: false }, series: [{ name: 'a', look: 0, points }] }),
        ),
      );
    for (const shape of ['histogram', 'cdf', 'box'] as const) {
      const groups = [{ name: 'a', look: 0, values: [4, 4, 4] }];
      expect_tidy(await drawn(figure({ kind: 'distribution', shape, value: { label: 'V (ms)' }, groups })));
    }
  });

  it('draw whatever there is to draw', async () => {
    const value = fc.double({ min: -1e12, max: 1e12, noNaN: true });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 12 }), async (pairs) => {
        const points = pairs.map(([x, y]) => ({ x, y }));
        const svg = await draw(figure({ ...at(1, 1), series: [{ name: 'a', look: 0, points }] }), HEAD);
        expect(svg).not.toMatch(/NaN|Infinity/);
      }),
      { numRuns: 6 },
    );
  });

  it('on ticks are written alike', () => {
    expect(linear_texts([0, 500, 1000])).toEqual(['0', '500', '1,000']);
    expect(linear_texts([-0.5, 0, 0.5])).toEqual(['−0.5', '0', '0.5']);
    expect(linear_texts([0, 2e6, 4e6])).toEqual(['0', '2 M', '4 M']);
    expect(linear_texts([0, 2e-7])).toEqual(['0', '2 × 10⁻⁷']);
    expect(log_texts([0.01, 0.1, 1])).toEqual(['0.01', '0.1', '1']);
    expect(log_texts([1e8, 2e8, 1e10])).toEqual(['10⁸', '2 × 10⁸', '10¹⁰']);
  });
});

describe('what cannot be drawn', () => {
  const refused: [string, Chart, RegExp][] = [
    ['no points', { ...one<Lines>('lines_ten'), series: [] }, /expected at least one point, found none/],
    [
      'a series of none',
      { ...one<Pareto>('pareto'), series: [{ name: 'a', look: 0, points: [] }] },
      /expected at least one point/,
    ],
    ['no bars', { ...one<Stack>('stack_3'), bars: [] }, /expected at least one bar with segments, found none/],
    ['no values', { ...one<Distribution>('box'), groups: [] }, /expected at least one group of values, found none/],
    [
      'an empty group',
      { ...one<Distribution>('box'), groups: [{ name: 'a', look: 0, values: [] }] },
      /expected values in group a, found none/,
    ],
    ['no bins', { ...one<Distribution>('histogram'), bins: 0 }, /expected 1 to 1,000 bins, found 0/],
    ['an empty pie', { ...one<Pie>('pie'), slices: [] }, /expected slices of more than 0, found none/],
    [
      'a negative slice',
      { ...one<Pie>('pie'), slices: [{ look: 0, name: 'a', value: -1 }] },
      /at least 0 for a, found -1/,
    ],
    [
      'a map of nothing',
      { ...one<Heat>('heat_written'), values: [0, 1, 2, 3].map(() => [null, null, null, null]) },
      /at least one value in the map/,
    ],
    [
      'a ragged map',
      { ...one<Heat>('heat_written'), values: [[1], [1], [1], [1]] },
      /expected 4 values a row, found 1/,
    ],
    ['no spans', { ...one<Strip>('strip'), tracks: [] }, /expected at least one span of time, found none/],
    [
      'time backwards',
      { ...one<Strip>('strip'), tracks: [{ name: 't', spans: [{ from: 2, to: 1, look: 0, name: 'a' }] }] },
      /end of a after its beginning/,
    ],
    [
      'a bar of nothing on a logarithmic axis',
      stack_of(1, {
        value: { label: 'V', scale: 'log' },
        bars: [{ label: ['a'], segments: [{ look: 0, name: 'a', value: 0 }] }],
      }),
      /expected more than 0 in bar a on a logarithmic axis, found 0/,
    ],
    ['speeds on linear axes', { ...one<Scatter>('scatter'), speeds: true, x: { label: 'X' } }, /two logarithmic axes/],
    [
      'nothing above 0 on a logarithmic axis',
      { ...one<Lines>('lines_log'), series: [{ name: 'a', look: 0, points: [{ x: 0, y: 1 }] }] },
      /values above 0 along the logarithmic axis/,
    ],
    [
      'a total that is not its bar',
      stack_of(1, { bars: [{ ...bars_of(1)[0], total: { value: 900, label: '900' } }] as never }),
      /that add up to its total 900, found 902/,
    ],
    [
      'a whisker beside its bar',
      stack_of(1, { bars: [{ ...bars_of(1)[0], total: { value: 902, low: 950, high: 990, label: '' } }] as never }),
      /expected an error bar around 902/,
    ],
  ];

  it.each(refused)('is refused in one line: %s', async (_, chart, message) => {
    await expect(draw(figure(chart), HEAD)).rejects.toThrow(InputError);
    await expect(draw(figure(chart), HEAD)).rejects.toThrow(message);
    await expect(draw(figure(chart), HEAD)).rejects.toThrow(/^[^\n]*expected [^\n]*, found [^\n]*; [^\n]*$/);
  });

  it('is a figure without charts', async () => {
    await expect(draw(figure_of('nothing', []), HEAD)).rejects.toThrow(
      /^figure nothing: expected at least one chart, found none/,
    );
  });
});
