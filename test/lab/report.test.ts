import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kernel_facts, type PageData } from '../../experiments/lab/report/data.ts';
import { digits, interval, measure, percent, round_ticks, si, tick } from '../../experiments/lab/report/format.ts';
import { build_index, build_page } from '../../experiments/lab/report.ts';
import { summarise } from '../../experiments/lab/stats.ts';
import { interval_name, interval_of, names_formulas } from '../../experiments/lab/words.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';
import { bare, index_entry, page_input } from './report_input.ts';

const one = fake_configuration('low', 'short', 'short', 3);
const html = build_page(page_input());

const inside = (page: string, open: string, close: string): string => {
  const start = page.indexOf(open) + open.length;
  return page.slice(start, page.indexOf(close, start));
};
const json_of = (page: string): string => inside(page, '<script type="application/json" id="data">', '</script>');
const data_of = (page: string): PageData => JSON.parse(json_of(page));

describe('the page', () => {
  const input = page_input();
  const data = data_of(html);

  it('holds the results themselves, strips to 0.1 µs', () => {
    expect(data.run).toEqual(input.run);
    expect(data.findings).toEqual(input.findings);
    for (const [i, expected] of input.configurations.entries()) {
      const { statistics, part_ms, ...found } = data.configurations[i] as PageData['configurations'][number];
      const rows = found.instrumented?.strip.rows ?? [];
      const wanted = expected.instrumented?.strip.rows ?? [];
      expect({ ...found, instrumented: { ...found.instrumented, strip: expected.instrumented?.strip } }).toEqual(
        expected,
      );
      expect(rows.length).toBe(wanted.length);
      for (const [r, row] of rows.entries()) {
        for (const [c, value] of row.entries()) expect(Math.abs(value - (wanted[r]?.[c] as number))).toBeLessThan(6e-5);
      }
    }
  });

  it('quotes the statistics that every other result quotes', () => {
    const totals = input.configurations[4]?.clean.samples.map((sample) => sample.T_total) ?? [];
    expect(data.configurations[4]?.statistics.T_total).toEqual(summarise(totals));
  });

  it('of thousands of configurations has the first, and says how many there are', () => {
    const small = bare(fake_configuration('low', 'short', 'short', 1));
    const many = Array.from({ length: 5000 }, (_, i) => ({
      ...small,
      ...{ key: `sample=${i}`, settings: { sample: i }, warnings: i % 2 === 0 ? ['odd'] : [] },
      ended: `2026-01-01T01:00:${String(i % 60).padStart(2, '0')}.000Z`,
    }));
    const page = build_page(
      page_input({ configurations: many, failed: [{ key: 'sample=7', settings: {}, reason: 'x' }] }),
    );
    const of_many = data_of(page);
    expect([of_many.configurations.length, of_many.cells]).toEqual([200, 5000]);
    expect([of_many.ended, of_many.failed.length]).toEqual(['2026-01-01T01:00:59.000Z', 1]);
    expect(of_many.warnings).toEqual([{ text: 'odd', where: '2500 configurations' }]);
    expect(page.length).toBeLessThan(3e6);
  });

  it('leaves out figures that are for files alone', () => {
    const [first, second] = input.figures as [(typeof input.figures)[number], (typeof input.figures)[number]];
    const figures = [first, { ...second, files_only: true as const }];
    expect(data_of(build_page(page_input({ figures }))).figures.map(({ name }) => name)).toEqual([first.name]);
    const index = JSON.parse(json_of(build_index([index_entry({ figures })])));
    expect(index[0].figures.length).toBe(1);
  });

  it('asks nothing of a network', () => {
    const links = html.match(/https?:\/\/[^\s"'\\<>)]*/g) ?? [];
    expect(links.filter((link) => !link.startsWith('http://www.w3.org/'))).toEqual([]);
    const markup = html.replace(json_of(html), '').replace(/<script>[\s\S]*<\/script>/, '');
    expect(markup).not.toMatch(/\b(src|href)=|@import|<link/i);
  });

  it('lets only its own script and styles run', () => {
    const sha = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const policy = inside(html, 'http-equiv="Content-Security-Policy" content="', '"');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`script-src ${sha(inside(html, '<script>', '</script>'))};`);
    expect(policy).toContain(`style-src ${sha(inside(html, '<style>', '</style>'))};`);
  });

  it('stays small', () => {
    const strips = data.configurations.map((each) => JSON.stringify(each.instrumented?.strip).length);
    expect(html.length - strips.reduce((sum, size) => sum + size, 0)).toBeLessThan(1.5e6);
  });

  it('needs no configuration: some experiments only count', () => {
    expect(data_of(build_page(page_input({ configurations: [] }))).configurations).toEqual([]);
  });

  it('has no time of a stage that did not run, though older results say 0', () => {
    const { statistics } = data_of(build_page(page_input({ configurations: [bare(one)] }))).configurations[0] ?? {};
    expect(statistics).toMatchObject({ T_LLM_decode: null, T_decode_per_token: null, T_vision_encoder: null });
    expect(statistics?.T_LLM_prefill?.n).toBe(1);
  });
});

describe('the index', () => {
  const index = build_index([index_entry(), index_entry({ fault: 'run.json: expected JSON, found "</script>"' })]);

  it('holds every entry, and lets only its own script and styles run', () => {
    expect(JSON.parse(json_of(index))).toHaveLength(2);
    const policy = inside(index, 'http-equiv="Content-Security-Policy" content="', '"');
    const script = createHash('sha256')
      .update(inside(index, '<script>', '</script>'))
      .digest('base64');
    expect(policy).toContain(`script-src 'sha256-${script}';`);
    expect(index.match(/<\/?script/gi)).toHaveLength(4);
  });
});

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('</script>', '<script>', '<!--', ']]>', '"', "'", '&lt;', '\u2028', '<', '/', '\\', '$&'))
    .map((pieces) => pieces.join('')),
);

it('keeps hostile text inside the data', () => {
  const tags = (page: string) => page.match(/<\/?script/gi)?.length;
  const plain = tags(build_page(page_input({ configurations: [one] })));
  fc.assert(
    fc.property(hostile, hostile, hostile, (title, warning, vendor) => {
      const { fingerprint } = FAKE_RUN;
      const { provenance } = fingerprint;
      const run = {
        ...FAKE_RUN,
        fingerprint: { ...fingerprint, provenance: { ...provenance, adapter: { ...provenance.adapter, vendor } } },
      };
      const experiment = { ...page_input().experiment, title };
      const page = build_page(page_input({ experiment, run, configurations: [{ ...one, warnings: [warning] }] }));
      expect(tags(page)).toBe(plain);
      const data = data_of(page);
      expect(data.experiment.title).toBe(title);
      expect(data.configurations[0]?.warnings).toEqual([warning]);
      expect(data.run.fingerprint.provenance.adapter.vendor).toBe(vendor);
    }),
    { numRuns: 50 },
  );
});

describe('kernel rows', () => {
  const rows = one.instrumented?.kernels ?? [];

  it('get rates from what was counted and measured', () => {
    const base = { weight_bytes: 6e6, read_bytes: 2e6, written_bytes: 1e6, kv_bytes: 1e6 };
    const [row] = kernel_facts([
      { ...(rows[0] as (typeof rows)[number]), ...base, flops: 4e9, gpu_ms: 20, floor_ms: 5 },
    ]);
    expect(row).toMatchObject({ bytes: 1e7, share: 1, flops_per_s: 2e11, bytes_per_s: 5e8, intensity: 400 });
    expect(row).toMatchObject({ efficiency: 0.25, below_floor: false });
  });

  it('say when they are faster than they can be', () => {
    expect(
      kernel_facts(rows.map((row) => ({ ...row, floor_ms: 2 * row.gpu_ms }))).every((row) => row.below_floor),
    ).toBe(true);
  });

  it('never hold a number that is none', () => {
    const zero = rows.map((row) => ({
      ...row,
      gpu_ms: 0,
      flops: 0,
      weight_bytes: 0,
      read_bytes: 0,
      written_bytes: 0,
      kv_bytes: 0,
      floor_ms: null,
    }));
    for (const row of kernel_facts(zero)) {
      expect(row).toMatchObject({ share: null, flops_per_s: null, bytes_per_s: null, intensity: null });
      expect(row).toMatchObject({ efficiency: null, below_floor: false });
    }
  });
});

describe('numbers', () => {
  it.each([
    [0, '0'],
    [0.0123456, '0.0123'],
    [9.999, '10.0'],
    [999.4, '999'],
    [999.6, '1,000'],
    [12345.6, '12,346'],
    [-1.5, '−1.50'],
    [2e-9, '2.0e-9'],
  ])('%d reads %s', (value, text) => expect(digits(value)).toBe(text));

  it('carry units', () => {
    expect(si(1.234e10, 'FLOP')).toBe('12.3 GFLOP');
    expect(si(999.7e6, 'B')).toBe('1.00 GB');
    expect(si(512, 'B')).toBe('512 B');
    expect(percent(0.0312)).toBe('3.1 %');
    expect(percent(0.996)).toBe('100 %');
    expect(interval([1, 2])).toBe('1.00 to 2.00 ms');
    expect(interval(null)).toBe('one run: none');
  });

  it.each([
    [1e11, '100 G'],
    [1e12, '1 T'],
    [250_000, '250 k'],
    [-2e6, '−2 M'],
    [1500, '1,500'],
    [0.00005, '5e−5'],
    [0, '0'],
  ])('an axis writes %d as %s', (value, text) => expect(tick(value)).toBe(text));

  it('follow the unit of their axis', () => {
    expect(measure(1.5e9, 'Work (FLOP)')).toBe('1.50 GFLOP');
    expect(measure(12.345, 'Latency (ms)')).toBe('12.3 ms');
    expect(measure(12, 'Prompt positions (count)')).toBe('12');
    expect(measure(0.5, 'Spearman')).toBe('0.500');
  });

  it('of an axis are round, in order and inside', () => {
    const range = fc.tuple(
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
    );
    fc.assert(
      fc.property(range, fc.integer({ min: 2, max: 12 }), ([low, span], wanted) => {
        const ticks = round_ticks(low, low + span, wanted);
        const slack = 1e-6 * (low + span);
        expect(ticks.length).toBeLessThanOrEqual(wanted + 1);
        for (const [i, value] of ticks.entries()) {
          expect(value).toBeGreaterThanOrEqual(low - slack);
          expect(value).toBeLessThanOrEqual(low + span + slack);
          if (i > 0) expect(value).toBeGreaterThan(ticks[i - 1] as number);
        }
      }),
    );
  });
});

describe('words', () => {
  it('call an interval of fewer than six values what it is: the range', () => {
    expect([2, 5].map(interval_name)).toEqual(['range', 'range']);
    expect([6, 30].map(interval_name)).toEqual(['95 % interval', '95 % interval']);
    const five = summarise([1, 2, 3, 4, 9]);
    expect(five && interval_of(five)).toEqual([1, 9]);
    const ten = summarise([1, 2, 3, 4, 5, 6, 7, 8, 9, 30]);
    expect(ten && interval_of(ten)).toEqual(ten?.median_ci95);
    const single = summarise([1]);
    expect(single && interval_of(single)).toBeNull();
  });

  it('see where formulas are named', () => {
    expect(names_formulas(['by S1', undefined])).toBe(true);
    expect(names_formulas(['work_S4 (FLOP)'])).toBe(true);
    expect(names_formulas(['S10', 'MS4', 'ES1 '])).toBe(false);
  });
});
