import type { Table } from '../tables.ts';
import { type DataColumn, data_columns, type Value } from './columns.ts';
import type { Origin } from './origin.ts';

/** RFC 4180: a header, CRLF, quotes where a field needs them. It has no comments: csv-metadata.json says where numbers are from. */
export function csv_of(table: Table): string {
  const columns = data_columns(table);
  const rows = table.rows.map((_, i) => columns.map(({ values }) => field(values[i] ?? null)));
  return [columns.map(({ name }) => field(name)), ...rows].map((row) => `${row.join(',')}\r\n`).join('');
}

/** Spreadsheets take text that begins so for a formula, and run it. */
const FORMULA = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

function field(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return safe === '' || /[",\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const DATATYPES: Readonly<Record<DataColumn['kind'], string>> = {
  text: 'string',
  integer: 'integer',
  number: 'double',
};

/** What the W3C's "CSV on the web" looks for beside CSV files: titles, types, units, and the origin of the numbers. */
export function csv_metadata(
  tables: readonly { readonly file: string; readonly table: Table }[],
  origin: Origin,
): string {
  const { experiment, title, facts } = origin;
  const described = {
    '@context': 'http://www.w3.org/ns/csvw',
    'dc:title': `${experiment}: ${title}`,
    'dc:description': Object.entries(facts).map(([name, value]) => `${name}: ${value}`),
    tables: tables.map(({ file, table }) => ({
      url: file,
      'dc:title': table.title,
      ...(table.note === undefined ? {} : { 'dc:description': table.note }),
      tableSchema: {
        columns: data_columns(table).map(({ name, kind }) => ({ titles: name, datatype: DATATYPES[kind] })),
      },
    })),
  };
  return `${JSON.stringify(described, null, 2)}\n`;
}
