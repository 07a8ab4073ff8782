import type { Table } from '../tables.ts';
import { data_columns } from './columns.ts';
import type { Origin } from './origin.ts';

const LARGEST_INT32 = 2 ** 31 - 1;

/** Columns of text, 32-bit integers and doubles, all of which may be null; where they are from is in the file's metadata. */
export async function parquet_of(table: Table, origin: Origin): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const { experiment, title, facts } = origin;
  const about = { experiment, experiment_title: title, table: table.title, note: table.note ?? '', ...facts };
  const columnData = data_columns(table).map(({ name, kind, values }) => {
    const small = values.every((value) => value === null || Math.abs(value as number) <= LARGEST_INT32);
    const type =
      kind === 'text' ? ('STRING' as const) : kind === 'integer' && small ? ('INT32' as const) : ('DOUBLE' as const);
    return { name, data: [...values], type };
  });
  return new Uint8Array(
    parquetWriteBuffer({
      columnData,
      kvMetadata: Object.entries(about).map(([key, value]) => ({ key: `molmoe.${key}`, value })),
      createdBy: 'MolmoE Lab',
    }),
  );
}
