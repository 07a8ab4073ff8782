import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Chart, Distribution } from '../../experiments/lab/charts.ts';
import { rows_of } from '../../experiments/lab/report/charts/rows.ts';
import { scale_of } from '../../experiments/lab/report/charts/scale.ts';
import { bins_of, quantile } from '../../experiments/lab/report/charts/spread.ts';
import { percentile } from '../../experiments/lab/stats.ts';
import { written } from '../../experiments/lab/tables.ts';
import { FIGURES } from './report_figures.ts';

const positive = fc.double({ min: 1e-6, max: 1e15, noNaN: true });
const lists = fc.array(positive, { minLength: 1, maxLength: 30 });

describe('a scale', () => {
  it.each(['linear', 'log'] as const)('%s: holds all values, its ticks in order and inside', (scale) => {
    fc.assert(
      fc.property(lists, fc.boolean(), fc.integer({ min: 200, max: 1200 }), (values, from_zero, width) => {
        const found = scale_of({ label: 'x (ms)', scale, from_zero }, values, 40, 40 + width, 70);
        for (const value of values) {
          expect(found.at(value)).toBeGreaterThanOrEqual(40 - 1e-6);
          expect(found.at(value)).toBeLessThanOrEqual(40 + width + 1e-6);
        }
        const places = found.ticks.map(({ value }) => found.at(value));
        for (const [i, place] of places.entries()) {
          expect(place).toBeGreaterThanOrEqual(39);
          expect(place).toBeLessThanOrEqual(41 + width);
          if (i > 0) expect(place).toBeGreaterThan(places[i - 1] as number);
        }
      }),
    );
  });

  it('of counts has no halves, of powers of ten writes each', () => {
    const steps = scale_of({ label: 'Step (count)', from_zero: false }, [1, 2, 3], 0, 900, 70);
    expect(steps.ticks.map(({ text }) => text)).toEqual(['1', '2', '3']);
    const work = scale_of({ label: 'Work (FLOP)', scale: 'log' }, [2e9, 5e13], 0, 500, 70);
    expect(work.ticks.map(({ text }) => text)).toEqual(['10 G', '100 G', '1 T', '10 T']);
  });

  it('of nothing, of equal values and of values that a logarithm has no place for is still a scale', () => {
    for (const values of [[], [7, 7], [0, -1]]) {
      for (const scale of ['linear', 'log'] as const) {
        const { low, high, at } = scale_of({ label: 'x', scale }, values, 0, 100, 40);
        expect(high).toBeGreaterThan(low);
        expect(Number.isFinite(at(high))).toBe(true);
      }
    }
  });
});

describe('spread', () => {
  it('quantiles are those of all results', () => {
    fc.assert(
      fc.property(lists, fc.integer({ min: 0, max: 100 }), (values, q) => {
        const sorted = [...values].sort((a, b) => a - b);
        const expected = percentile(values, q);
        expect(Math.abs(quantile(sorted, q / 100) - expected)).toBeLessThanOrEqual(1e-9 * expected);
      }),
    );
  });

  it('bins hold every value once', () => {
    const chart = (values: readonly number[], scale: 'linear' | 'log'): Distribution => ({
      kind: 'distribution',
      shape: 'histogram',
      value: { label: 'x', scale },
      groups: [
        { name: 'all', look: 0, values },
        { name: 'first', look: 1, values: values.slice(0, 1) },
      ],
    });
    fc.assert(
      fc.property(lists, fc.constantFrom('linear' as const, 'log' as const), (values, scale) => {
        const bins = bins_of(chart(values, scale));
        const sums = [0, 1].map((g) => bins.reduce((sum, { counts }) => sum + (counts[g] as number), 0));
        expect(sums).toEqual([values.length, 1]);
        for (const { from, to } of bins) expect(to).toBeGreaterThan(from);
      }),
    );
    expect(bins_of({ ...chart([], 'linear'), groups: [] })).toEqual([]);
  });
});

describe('the table of a chart', () => {
  const panels = FIGURES.flatMap((figure) => figure.panels);
  const table = (kind: Chart['kind']) => rows_of(panels.find((one) => one.kind === kind) as Chart, 'title');

  it.each(panels.map((panel) => [panel.kind, panel.title ?? '', panel] as const))(
    '%s %s: every row has every column',
    (...[, , panel]) => {
      const { columns, rows } = rows_of(panel, 'title');
      expect(rows.length).toBeGreaterThan(0);
      for (const row of rows) {
        expect(row).toHaveLength(columns.length);
        const words = row.map((value, i) => written(value, columns[i] as (typeof columns)[number]));
        expect(words.join()).not.toMatch(/NaN|undefined|Infinity/);
      }
    },
  );

  it('says what the chart says', () => {
    expect(table('stack').rows[0]?.at(-1)).toBe('1,936');
    expect(table('lines').note).toBe('Lines: 1.70 ms a position, R² 0.9990, n = 9; a second and a half');
    expect(table('pie').rows[0]?.slice(0, 2)).toEqual(['attention', 400]);
    expect(table('pareto').rows.map((row) => row.at(-1))).toEqual([
      'yes',
      'yes',
      'yes',
      'yes',
      'yes',
      'no',
      'no',
      'no',
    ]);
    expect(table('heat').rows[3]?.[1]).toBeNull();
    expect(table('strip').rows[0]).toEqual(['attention', 'vision encoder', 30, expect.closeTo(54)]);
  });
});
