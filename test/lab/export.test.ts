import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { e1 } from '../../experiments/core/e1.ts';
import { data_columns, printed_columns } from '../../experiments/lab/export/columns.ts';
import { csv_metadata, csv_of } from '../../experiments/lab/export/csv.ts';
import { exported_files, FORMATS } from '../../experiments/lab/export/files.ts';
import { latex_of, latex_text } from '../../experiments/lab/export/latex.ts';
import { markdown_of } from '../../experiments/lab/export/markdown.ts';
import { origin_of } from '../../experiments/lab/export/origin.ts';
import { parquet_of } from '../../experiments/lab/export/parquet.ts';
import { sample_table, step_table } from '../../experiments/lab/export/tidy.ts';
import type { Table } from '../../experiments/lab/tables.ts';
import { FAKE_RUN, fake_configuration, fake_configurations, PROVENANCE } from '../support/records.ts';

const { fingerprint, started } = FAKE_RUN;
const configurations = e1.sorted(fake_configurations());
const origin = origin_of({ experiment: e1, ...fingerprint, started, basis: undefined, configurations });

const UNITS = ['text', 'ms', 'share', 'count', 'number', 'flop', 'bytes', 'per_second'] as const;
const TABLE: Table = {
  title: 'Costs: a | b',
  columns: UNITS.map((unit) => ({ name: `a ${unit}`, unit })),
  rows: [
    ['low "x", y\r\nz', 12.345, 0.5, 3, -1e-7, 1.234e12, 2048, 133.4],
    ['', null, null, null, null, null, null, null],
    ['=1+1', 0.1 + 0.2, 1, 2 ** 40, 5e-324, 2e9, 0, 1e5],
  ],
  note: 'Medians.',
};

/** RFC 4180, read strictly. */
function parse_csv(text: string): string[][] {
  const rows: string[][] = [];
  let at = 0;
  while (at < text.length) {
    const row: string[] = [];
    for (;;) {
      const [whole, quoted, plain] = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?=,|\r\n)/y[Symbol.match](text.slice(at)) ?? [];
      expect(whole, text.slice(at, at + 40)).toBeDefined();
      row.push(quoted === undefined ? (plain as string) : quoted.replaceAll('""', '"'));
      at += (whole as string).length + (text[at + (whole as string).length] === ',' ? 1 : 2);
      if (text[at - 1] !== ',') break;
    }
    rows.push(row);
  }
  return rows;
}

const texts = fc.string({
  unit: fc.constantFrom('a', '"', ',', '\r', '\n', ';', ' ', '\t', 'é', '漢', '=', '-', '+', '@', "'", '1'),
});
const tables = fc
  .array(
    fc.tuple(fc.option(texts), fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })), fc.option(fc.nat(1e6))),
    {
      maxLength: 12,
    },
  )
  .map(
    (rows): Table => ({
      ...{
        title: 't',
        columns: [
          { name: 'name, "n"', unit: 'text' },
          { name: 'time', unit: 'ms' },
          { name: 'n', unit: 'count' },
        ],
      },
      rows,
    }),
  );

describe('CSV', () => {
  it('reads back as what it was: numbers to the last bit, text as text, formulas as text', () => {
    fc.assert(
      fc.property(tables, (table) => {
        const [head, ...rows] = parse_csv(csv_of(table));
        expect(head).toEqual(['name, "n"', 'time (ms)', 'n']);
        expect(rows.length).toBe(table.rows.length);
        for (const [i, [name, time, n]] of table.rows.entries()) {
          const [found, ms, count] = rows[i] as string[];
          const guarded = /^[=+\-@\t\r]/.test(String(name ?? ''));
          expect(found).toBe(guarded ? `'${name}` : (name ?? ''));
          expect(ms === '' ? null : Number(ms)).toBe(Object.is(time, -0) ? 0 : time);
          expect(count === '' ? null : Number(count)).toBe(n);
        }
      }),
    );
  });

  it('has units in its head, and no text that a spreadsheet would run', () => {
    const [head, first, , last] = parse_csv(csv_of(TABLE));
    expect(head).toEqual([
      'a text',
      'a ms (ms)',
      'a share (share of 1)',
      'a count',
      'a number',
      'a flop (FLOP)',
      'a bytes (bytes)',
      'a per_second (1/s)',
    ]);
    expect([first?.[0], first?.[4]]).toEqual(['low "x", y\r\nz', '-1e-7']);
    expect(last?.[0]).toBe("'=1+1");
  });

  it('is described as the web wants it: types, and where the numbers are from', () => {
    const about = JSON.parse(csv_metadata([{ file: 'a.csv', table: TABLE }], origin));
    expect(about['@context']).toBe('http://www.w3.org/ns/csvw');
    expect(about['dc:description']).toContain(
      `adapter: ${PROVENANCE.adapter.description} (software, vulkan); some CPU, 2 cores`,
    );
    expect(about.tables[0].url).toBe('a.csv');
    expect(about.tables[0].tableSchema.columns[3]).toEqual({ titles: 'a count', datatype: 'integer' });
  });
});

describe('Parquet', () => {
  it('reads back as what it was, by another program’s reader', async () => {
    for (const table of [TABLE, ...fc.sample(tables, { numRuns: 20, seed: 7 }), { ...TABLE, rows: [] }]) {
      const bytes = await parquet_of(table, origin);
      const file = bytes.buffer as ArrayBuffer;
      const rows = await parquetReadObjects({ file });
      const names = data_columns(table).map(({ name }) => name);
      const wanted = table.rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? null])));
      expect(rows).toEqual(wanted);
    }
  });

  it('says where its numbers are from', async () => {
    const file = (await parquet_of(TABLE, origin)).buffer as ArrayBuffer;
    const about = new Map(parquetMetadata(file).key_value_metadata?.map(({ key, value }) => [key, value]));
    expect(about.get('molmoe.experiment')).toBe('e1');
    expect(about.get('molmoe.model')).toBe('molmoe-mini, synthetic, seed 1, stored as f16');
    expect(about.get('molmoe.runs')).toBe('n = 10 a cell, after 3 to warm up');
  });
});

describe('what print shows', () => {
  it('has one unit a column, and four digits', () => {
    const columns = printed_columns(TABLE);
    expect(columns.map(({ head }) => head).slice(1, 7)).toEqual([
      'a ms (ms)',
      'a share (%)',
      'a count',
      'a number',
      'a flop (TFLOP)',
      'a bytes (kB)',
    ]);
    expect(columns.map(({ cells }) => cells[0]).slice(1)).toEqual([
      '12.35',
      '50.0',
      '3',
      '-1.000e-7',
      '1.234',
      '2.048',
      '0.1334',
    ]);
    expect(columns.map(({ cells }) => cells[1])).toEqual(['', '', '', '', '', '', '', '']);
    expect(printed_columns({ ...TABLE, columns: [{ name: 'T', unit: 'ms' }], rows: [[123456]] })[0]).toMatchObject({
      head: 'T (s)',
      cells: ['123.5'],
    });
  });

  it('is LaTeX that holds every character of others as text', () => {
    expect(latex_text('50% of $x_1 & #2 {a}~b^c \\end <d> "e" [f] *')).toBe(
      '50\\% of \\$x\\_1 \\& \\#2 \\{a\\}\\textasciitilde{}b\\textasciicircum{}c \\textbackslash{}end \\textless{}d\\textgreater{} \\textquotedbl{}e\\textquotedbl{} {[}f{]} {*}',
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bare = latex_text(text).replace(/\\text\w+\{\}|\\[{}$&#%_]|\{[[\]*]\}|\$(-|\^2|\\\w+)\$/g, '');
        expect(bare).not.toMatch(/[\\{}$&#%_^~<>|"[\]*\n\r]/);
      }),
      { numRuns: 40 },
    );
  });

  it('is a table for booktabs, with its origin', () => {
    const nasty = { ...origin, title: 'a\n\\input{/etc/passwd}' };
    const text = latex_of(TABLE, nasty, 'e1_costs');
    expect(text).toMatch(/^% e1: a\\x0a\\input.*\n% adapter: /);
    expect(text.split('\n').filter((line) => /^(?!%).*\\input/.test(line))).toEqual([]);
    expect(text).toContain('\\begin{tabular}{lrrrrrrr}\n    \\toprule\n');
    expect(text).toContain('$-1.000 \\times 10^{-7}$');
    expect(text).toContain('=1+1 & 0.3000 & 100.0');
    expect(text).toContain('\\caption{Costs: a \\textbar{} b. Medians. molmoe-mini, synthetic');
    const body = text.split('\\midrule\n')[1]?.split('    \\bottomrule')[0]?.trimEnd().split('\n') ?? [];
    expect(body.map((line) => line.replaceAll('\\&', '').split('&').length)).toEqual([8, 8, 8]);
  });

  it('is Markdown whose cells stay cells', () => {
    const text = markdown_of({ ...TABLE, rows: [['a|b <i> `c`\nd', ...new Array(7).fill(null)]] }, origin);
    const [title, , head, line, row] = text.split('\n');
    expect([title, line]).toEqual(['**Costs: a \\| b**', `| --- | ${new Array(7).fill('---').join(' | ')} |`]);
    expect(head?.startsWith('| a text | a ms (ms) |')).toBe(true);
    expect(row?.startsWith('| a\\|b &lt;i&gt; \\`c\\` d |  |')).toBe(true);
    expect(text).toContain('e1: molmoe-mini, synthetic, seed 1, stored as f16; llvmpipe');
  });
});

describe('single runs', () => {
  it('are a row each, with what their cell set and the tokens it had', () => {
    const table = sample_table(configurations) as Table;
    expect(table.rows.length).toBe(150);
    const names = table.columns.map(({ name }) => name);
    expect(names.slice(0, 7)).toEqual(['key', 'regime', 'prompt', 'decode', 'basis', 'run', 'request']);
    const [one] = configurations as [(typeof configurations)[number]];
    const at = (name: string) => table.rows[3]?.[names.indexOf(name)];
    expect([at('key'), at('basis'), at('run'), at('prompt_length')]).toEqual([
      one.key,
      'measured',
      3,
      one.tokens.prompt_length,
    ]);
    expect(at('T_LLM_prefill')).toBe(one.clean.samples[3]?.T_LLM_prefill);
    const steps = step_table([one]) as Table;
    expect(steps.rows.length).toBe(70);
    expect(steps.rows[8]?.at(-1)).toBe(one.clean.samples[1]?.T_decode_per_step[1]);
  });

  it('of a slice are there as measured and as scaled; counts have none', () => {
    const one = fake_configuration('low', 'short', 'short', 2);
    const whole = one.clean.samples.map((sample) => ({ ...sample, T_total: 8 * sample.T_total }));
    const scaled = { model: 'molmoe-1b', samples: whole } as never;
    const table = sample_table([{ ...one, scaled }]) as Table;
    const of = (name: string) =>
      table.rows.map((row) => row[table.columns.findIndex((column) => column.name === name)]);
    expect(of('basis')).toEqual(['measured', 'measured', 'scaled to molmoe-1b', 'scaled to molmoe-1b']);
    expect(of('T_total')[2]).toBe(8 * (of('T_total')[0] as number));
    const counted = { ...one, clean: { clock: 'not timed' as const, samples: [] } };
    expect([sample_table([counted]), step_table([counted])]).toEqual([null, null]);
  });
});

it('an experiment’s tables become files with names of their own, in every format', async () => {
  const { tables } = e1.derive({ run: FAKE_RUN, configurations, skipped: [] });
  const twice = [...tables, tables[0] as Table, { ...TABLE, title: '../../etc/漢: x' }, { ...TABLE, title: '???' }];
  const files = await exported_files({ origin, tables: twice, data: [sample_table(configurations) as Table] }, FORMATS);
  const names = files.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[\w.-]+\.(csv|tex|md|parquet|json)$/.test(name) || name.includes('..'))).toEqual([]);
  expect(names).toEqual(
    expect.arrayContaining([
      'e1_cells.csv',
      'e1_cells_2.tex',
      'e1_etc.md',
      'e1_table.parquet',
      'e1_samples.csv',
      'csv-metadata.json',
    ]),
  );
  expect(names).not.toContain('e1_samples.tex');
  for (const { name, content } of files.filter((one) => /\.(tex|md)$/.test(one.name))) {
    expect(content, name).not.toMatch(/\bNaN\b|Infinity|undefined/);
  }
});
