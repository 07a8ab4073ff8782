import type { Table } from '../tables.ts';
import { unique } from './columns.ts';
import { csv_metadata, csv_of } from './csv.ts';
import { latex_of } from './latex.ts';
import { markdown_of } from './markdown.ts';
import type { Origin } from './origin.ts';
import { parquet_of } from './parquet.ts';

export const FORMATS = ['csv', 'latex', 'markdown', 'parquet'] as const;
export type Format = (typeof FORMATS)[number];

export interface Exported {
  readonly origin: Origin;
  /** For readers: in every format. */
  readonly tables: readonly Table[];
  /** For programs, a row a measurement: in CSV and Parquet. */
  readonly data: readonly Table[];
}

export interface ExportedFile {
  readonly name: string;
  readonly content: string | Uint8Array;
}

/** Files of these formats, by name; titles become names. */
export async function exported_files(
  { origin, tables, data }: Exported,
  formats: readonly Format[],
): Promise<ExportedFile[]> {
  const all = [...tables, ...data];
  const names = unique(all.map(({ title }) => `${origin.experiment}_${slug(title)}`));
  const named = all.map((table, i) => ({ table, name: names[i] as string }));
  const files: ExportedFile[] = [];
  for (const { table, name } of named) {
    const readable = !data.includes(table);
    if (formats.includes('csv')) files.push({ name: `${name}.csv`, content: csv_of(table) });
    if (formats.includes('latex') && readable)
      files.push({ name: `${name}.tex`, content: latex_of(table, origin, name) });
    if (formats.includes('markdown') && readable)
      files.push({ name: `${name}.md`, content: markdown_of(table, origin) });
    if (formats.includes('parquet')) files.push({ name: `${name}.parquet`, content: await parquet_of(table, origin) });
  }
  if (formats.includes('csv') && named.length > 0) {
    const described = named.map(({ table, name }) => ({ file: `${name}.csv`, table }));
    files.push({ name: 'csv-metadata.json', content: csv_metadata(described, origin) });
  }
  return files;
}

const LONGEST = 40;

/** Of a title: what stands before its colon, in letters that every file system has. */
function slug(title: string): string {
  const plain = (title.split(':')[0] as string)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
  return plain.slice(0, LONGEST).replace(/_$/, '') || 'table';
}
