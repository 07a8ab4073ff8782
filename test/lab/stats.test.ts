import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { random_numbers } from '../../experiments/lab/random.ts';
import { summary_schema } from '../../experiments/lab/schema.ts';
import { mann_kendall, mann_whitney, student_t_quantile } from '../../experiments/lab/significance.ts';
import {
  basic_statistics,
  drift,
  interval95,
  linear_fit,
  outliers,
  percentile,
  percentile_name,
  resample,
  rests_on_enough,
  spearman,
  summarise,
  warnings_of,
} from '../../experiments/lab/stats.ts';
import { interval_name } from '../../experiments/lab/words.ts';
import { golden_json } from '../support/golden.ts';

type Stored = number | 'NaN' | 'Infinity' | '-Infinity';
interface Golden {
  arrays: {
    name: string;
    values: Stored[];
    error?: string;
    statistics: Record<'P50' | 'P95' | 'P99' | 'mean' | 'std' | 'min' | 'max', Stored>;
    percentiles: [number, Stored][];
  }[];
  fits: {
    name: string;
    x: Stored[];
    y: Stored[];
    linregress_error?: string;
    slope: Stored;
    intercept: Stored;
    r: Stored;
    r_squared: Stored;
    slope_stderr: Stored;
    spearman: Stored;
  }[];
}
const golden = golden_json<Golden>('data/stats.json');
const numbers = (stored: readonly Stored[]): number[] => stored.map(Number);

function expect_near(found: number | null, stored: Stored, relative: number): void {
  const want = Number(stored);
  if (Number.isFinite(want) && found !== null) {
    expect(Math.abs(found - want), `${found} for ${want}`).toBeLessThanOrEqual(
      relative * Math.max(Math.abs(want), 1e-12),
    );
  } else expect(found).toBe(want);
}

describe('summaries equal the golden ones', () => {
  it.each(golden.arrays.filter(({ error }) => error === undefined))('$name', ({ values, statistics, percentiles }) => {
    const list = numbers(values);
    for (const [q, want] of percentiles) expect_near(percentile(list, q), want, 1e-12);
    const found = basic_statistics(list);
    for (const [name, want] of Object.entries(statistics)) {
      expect_near(found[name as keyof typeof found], want, name.startsWith('P') ? 1e-12 : 1e-9);
    }
    if (list.every(Number.isFinite)) expect(summarise(list)).toMatchObject(found);
    else expect(() => summarise(list)).toThrow(InputError);
  });

  it('has no percentile of nothing', () => {
    expect(golden.arrays.find(({ error }) => error !== undefined)?.values).toEqual([]);
    expect(() => percentile([], 50)).toThrow(InputError);
    expect(summarise([])).toBeNull();
  });
});

describe('line fits equal the golden ones', () => {
  const usable = ({ x, y, linregress_error }: Golden['fits'][number]) =>
    linregress_error === undefined && x.length > 1 && numbers([...x, ...y]).every(Number.isFinite);

  it.each(golden.fits.filter(usable))('$name', (fit) => {
    const [x, y] = [numbers(fit.x), numbers(fit.y)];
    const found = linear_fit(x, y);
    expect_near(found.slope, fit.slope, 1e-9);
    expect_near(found.intercept, fit.intercept, 1e-9);
    expect_near(found.r_squared, fit.r_squared, 1e-9);
    const rank = spearman(x, y);
    if (fit.spearman === 'NaN') expect(rank).toBeNull();
    else expect_near(rank, fit.spearman, 1e-9);
    if (x.length < 3) expect(found.slope_ci95).toBeNull();
    else if (Math.abs(Number(fit.r)) < 0.999999) {
      const [low, high] = found.slope_ci95 as [number, number];
      const t = student_t_quantile(0.95, x.length - 2);
      expect_near((high - low) / 2 / t, fit.slope_stderr, 1e-9);
      expect_near((low + high) / 2, fit.slope, 1e-9);
    }
  });

  it('refuses what has no line: all golden cases where scipy fails or says NaN', () => {
    const refused = golden.fits.filter((fit) => !usable(fit));
    expect(refused.map(({ name }) => name).sort()).toEqual(['one_point', 'same_x', 'with_nan']);
    for (const { x, y } of refused) expect(() => linear_fit(numbers(x), numbers(y))).toThrow(InputError);
    expect(() => linear_fit([1, 2], [1])).toThrow('expected as many x as y, found 2 and 1');
    expect(spearman([3, 3, 3], [1, 2, 3])).toBeNull();
    expect(spearman([1], [2])).toBeNull();
    expect(() => spearman([1, 2, 3], [1, Number.NaN, 3])).toThrow(InputError);
  });
});

describe('significance, against scipy', () => {
  it.each([
    [1, 12.706204736174694],
    [2, 4.302652729749462],
    [3, 3.1824463052837078],
    [4, 2.7764451051977934],
    [8, 2.306004135204166],
    [9, 2.262157162798205],
    [28, 2.0484071417952454],
    [1000, 1.9623390808264083],
  ])("Student's t with %i degrees of freedom", (degrees, want) => {
    expect(student_t_quantile(0.95, degrees)).toBeCloseTo(want, 9);
  });

  it('Mann-Whitney, with ties and without', () => {
    const a = [131.2, 134.1, 128.8, 140.9, 133.3, 137.0, 129.5, 138.8];
    const b = [141.2, 135.1, 148.8, 150.9, 143.3, 147.0, 139.5, 148.8];
    expect(mann_whitney(a, b)).toBeCloseTo(0.003849923870450936, 6);
    expect(mann_whitney(b, a)).toBe(mann_whitney(a, b));
    expect(mann_whitney([1, 2, 2, 3, 3, 3, 4], [2, 3, 3, 4, 5, 5, 6, 7])).toBeCloseTo(0.04393680322463132, 6);
    expect(mann_whitney([1, 2, 3], [1, 2, 3])).toBe(1);
    expect(mann_whitney([5, 5], [5, 5])).toBe(1);
    expect(mann_whitney([], [])).toBe(1);
  });

  it('Mann-Kendall, with ties and without', () => {
    expect(mann_kendall([120, 118, 115, 113, 112, 111, 109, 108, 107, 105])).toBeCloseTo(8.303070332644974e-5, 6);
    expect(mann_kendall([10, 12, 11, 12, 13, 12, 14, 15])).toBeCloseTo(0.010869760428324708, 6);
    expect(mann_kendall([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5])).toBeCloseTo(0.23470247795516075, 6);
    expect(mann_kendall([7, 7, 7, 7])).toBe(1);
    expect(mann_kendall([1])).toBe(1);
  });
});

describe('summarise', () => {
  const latencies = fc.array(fc.double({ min: 1e-3, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 40 });

  it('fits its schema, in its order, for any latencies', () => {
    fc.assert(
      fc.property(latencies, (values) => {
        const found = summarise(values);
        expect(summary_schema.safeParse(found).error).toBeUndefined();
        expect(Object.keys(found ?? {})).toEqual(Object.keys(summary_schema.shape));
      }),
      { numRuns: 30 },
    );
  });

  it('is the same every time, and does not sort what it is given', () => {
    const values = [5.3, 1.1, 4.7, 2.9, 3.2, 8.4, 6.6];
    expect(summarise(values)).toEqual(summarise([...values]));
    expect(values).toEqual([5.3, 1.1, 4.7, 2.9, 3.2, 8.4, 6.6]);
    expect(summarise(values, 2)).not.toEqual(summarise(values, 1));
  });

  it('has no interval for a single value, and no CoV around a mean of 0', () => {
    expect(summarise([3])).toMatchObject({ n: 1, std: 0, CoV: 0, mean_ci95: null, median_ci95: null });
    expect(summarise([0, 0])).toMatchObject({ CoV: null, mean_ci95: [0, 0] });
  });

  it('gives intervals that hold the true mean and median about 95 times in 100', () => {
    const random = random_numbers(7);
    let [means, medians] = [0, 0];
    for (let trial = 0; trial < 200; trial++) {
      const values = Array.from({ length: 30 }, () => 100 + 10 * random());
      const { mean_ci95, median_ci95 } = summarise(values) as { mean_ci95: number[]; median_ci95: number[] };
      if (105 >= (mean_ci95[0] as number) && 105 <= (mean_ci95[1] as number)) means += 1;
      if (105 >= (median_ci95[0] as number) && 105 <= (median_ci95[1] as number)) medians += 1;
    }
    expect(means).toBeGreaterThan(178);
    expect(medians).toBeGreaterThan(178);
  });

  it('draws resampled medians as a sort would give them', () => {
    const [one, two] = [random_numbers(3), random_numbers(3)];
    const values = [9, 1, 7, 3];
    const sorted = [1, 3, 7, 9];
    const want = Array.from({ length: 2000 }, () =>
      percentile(
        sorted.map(() => sorted[Math.floor(two() * 4)] as number),
        50,
      ),
    );
    const { medians } = resample(values, one);
    expect(medians).toEqual(want);
    expect(interval95(medians)).toEqual([percentile(want, 2.5), percentile(want, 97.5)]);
  });
});

describe('the words for statistics', () => {
  it.each([2, 3, 4, 5])('call the interval of %i runs what it is: their range', (n) => {
    const values = [131.2, 140.9, 128.8, 134.1, 133.3].slice(0, n);
    expect(interval_name(n)).toBe('range');
    expect(summarise(values)?.median_ci95).toEqual([Math.min(...values), Math.max(...values)]);
  });

  it('call it an interval from 6 on, where it is narrower', () => {
    const values = [131.2, 140.9, 128.8, 134.1, 133.3, 137];
    expect(interval_name(6)).toBe('95 % interval');
    expect(summarise(values)?.median_ci95?.[0]).toBeGreaterThan(Math.min(...values));
  });

  it('say what a percentile rests on', () => {
    expect(percentile_name(99, 10)).toBe('P99 of 10, between the two slowest');
    expect(percentile_name(99, 99)).toBe('P99 of 99, between the two slowest');
    expect(percentile_name(99, 100)).toBe('P99 of 100');
    expect(percentile_name(95, 19)).toBe('P95 of 19, between the two slowest');
    expect(percentile_name(95, 20)).toBe('P95 of 20');
    expect([percentile_name(50, 2), percentile_name(99, 1)]).toEqual(['P50 of 2', 'P99 of 1, the only one']);
    expect([rests_on_enough(99, 99), rests_on_enough(99, 100)]).toEqual([false, true]);
    // Between the two slowest it is indeed.
    const runs = Array.from({ length: 99 }, (_, i) => i);
    expect(percentile(runs, 99)).toBeGreaterThan(97);
  });
});

describe('outliers and drift', () => {
  const steady = [100, 101, 99, 100.5, 100.2, 99.7, 100.1, 99.9, 100.3, 100];

  it('are silent on steady runs, and on none', () => {
    expect(warnings_of('T_total', steady)).toEqual([]);
    expect(warnings_of('T_total', [])).toEqual([]);
    expect(outliers([])).toEqual([]);
  });

  it('name the run that something else slowed', () => {
    const values = steady.with(6, 180);
    expect(outliers(values)).toEqual([6]);
    expect(warnings_of('T_total', values)).toEqual([
      'T_total: its runs vary by 22 % (CoV); let the machine rest, or raise --warmup and --runs',
      'T_total: run 7 took 1.80 times the median; something else used the machine: close it or raise --runs',
    ]);
  });

  it('pass over what lies outside the fences but hardly off the median', () => {
    const values = [100, 100, 100, 100, 100, 100, 100, 103];
    expect(outliers(values)).toEqual([7]);
    expect(warnings_of('T_total', values)).toEqual([]);
  });

  it('name a fall and a rise, and what to do', () => {
    const falling = [120, 118, 115, 113, 112, 111, 109, 108, 107, 105];
    expect(drift(falling)).toMatchObject({ change: expect.closeTo(-13.5 / 118.25, 9), p: expect.closeTo(8.3e-5, 6) });
    expect(warnings_of('T_total', falling)).toEqual(['T_total: fell 11 % from first to last run; raise --warmup']);
    expect(warnings_of('T_total', falling.toReversed())[0]).toMatch(/^T_total: rose 13 % from first to last run; /);
  });

  it('are not all: runs that vary by more than a tenth, and a single one, are said', () => {
    expect(warnings_of('T_total', [100, 125, 98, 121, 104, 127])).toEqual([
      'T_total: its runs vary by 11 % (CoV); let the machine rest, or raise --warmup and --runs',
    ]);
    expect(warnings_of('T_total', [100, 118, 98, 116, 104, 119])).toEqual([]);
    expect(warnings_of('T_total', [0, 0])).toEqual([]);
    expect(warnings_of('T_total', [5])).toEqual([
      'T_total: a single run, so nothing is known of its spread; raise --runs',
    ]);
  });

  it('need more than chance, and more than 5 %', () => {
    expect(drift([103, 102.5, 102, 101.5, 101, 100.5, 100])).toBeNull();
    expect(drift([120, 110, 100])).toBeNull();
    const random = random_numbers(11);
    let alarms = 0;
    for (let trial = 0; trial < 400; trial++) {
      if (drift(Array.from({ length: 10 }, () => 100 + 30 * random()))) alarms += 1;
    }
    expect(alarms).toBeLessThan(32);
  });
});
