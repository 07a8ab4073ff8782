import { createHash } from 'node:crypto';
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { InputError } from '../../engine/errors.ts';
import { counted, shown, visible } from '../../engine/weights/text.ts';

export type Row = Readonly<Record<string, unknown>>;

/** Rows that a Parquet file keeps together: what is read at once. */
export interface RowGroup {
  readonly file: ParquetFile;
  /** Its first row in the file. */
  readonly start: number;
  readonly rows: number;
  /** Of this column's values, null where the file does not say. */
  readonly nulls_of: (column: string) => number | null;
}

export interface ParquetFile {
  readonly path: string;
  readonly rows: number;
  readonly groups: readonly RowGroup[];
  /** Of the footer and the file's size: pictures are not read for it. */
  readonly digest: string;
  readonly buffer: AsyncBuffer;
  readonly metadata: FileMetaData;
}

const most_group_bytes = 2 ** 31;

/** Reads the footer alone, and refuses a file that lacks one of these columns. */
export async function open_parquet(path: string, columns: readonly string[], name: string): Promise<ParquetFile> {
  return readable(path, async () => {
    const buffer = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(buffer);
    const leaves = leaf_paths(metadata);
    const there = [...new Set(leaves.map(([top]) => top as string))];
    const lacking = columns.filter((column) => !there.includes(column));
    if (lacking.length > 0) {
      throw new InputError(
        `${path}: expected the columns of ${name}, found ${counted(lacking, 'missing')}; it has ${there.map(shown).join(', ')}`,
      );
    }
    const groups: RowGroup[] = [];
    const file: ParquetFile = {
      path,
      rows: Number(metadata.num_rows),
      groups,
      digest: createHash('sha256')
        .update(`${buffer.byteLength} ${text_of(metadata)}`)
        .digest('hex'),
      buffer,
      metadata,
    };
    let start = 0;
    for (const [i, { num_rows, columns: chunks }] of metadata.row_groups.entries()) {
      const rows = Number(num_rows);
      // Its reader goes by these names: of a chunk that it does not look for, or meets twice, it would let a fault escape.
      const chunked = chunks.map(({ meta_data }) => meta_data?.path_in_schema ?? []);
      if (JSON.stringify(chunked) !== JSON.stringify(leaves)) {
        throw new InputError(`${path}: expected a chunk a column in row group ${i}, found others; get the file anew`);
      }
      const bytes = chunks.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0), 0);
      if (bytes > most_group_bytes) {
        throw new InputError(
          `${path}: expected row groups of at most 2 GiB, found ${bytes} bytes in group ${i}; write it with fewer rows a group`,
        );
      }
      groups.push({ file, start, rows, nulls_of: (column) => nulls_in(chunks, column) });
      start += rows;
    }
    if (start !== file.rows) {
      throw new InputError(`${path}: expected ${file.rows} rows, found ${start} in its row groups; get the file anew`);
    }
    return file;
  });
}

/** Rows of a group; of columns that are left out nothing is read. Bytes stay bytes, large whole numbers become text. */
export function read_rows({ file, start, rows }: RowGroup, columns: readonly string[]): Promise<Row[]> {
  return readable(file.path, async () => {
    const found = await parquetReadObjects({
      file: file.buffer,
      metadata: file.metadata,
      columns: [...columns],
      rowStart: start,
      rowEnd: start + rows,
      utf8: false,
      compressors,
    });
    if (found.length !== rows) {
      throw new InputError(
        `${file.path}: expected ${rows} rows from row ${start} on, found ${found.length}; get it anew`,
      );
    }
    return found.map((row) => Object.fromEntries(columns.map((column) => [column, plain(row[column])])));
  });
}

/** Names of the columns' leaves, from the schema's elements: depth first, each with the number of its parts. */
function leaf_paths({ schema }: FileMetaData): string[][] {
  const [root, ...elements] = schema;
  let at = 0;
  const walk = (path: readonly string[], parts: number): string[][] =>
    Array.from({ length: Math.min(parts, elements.length) }).flatMap(() => {
      const element = elements[at++];
      if (element === undefined) return [];
      const inner = [...path, element.name];
      return element.num_children ? walk(inner, element.num_children) : [inner];
    });
  return walk([], root?.num_children ?? 0);
}

type Chunks = FileMetaData['row_groups'][number]['columns'];

function nulls_in(chunks: Chunks, column: string): number | null {
  const counts = chunks
    .filter(({ meta_data }) => meta_data?.path_in_schema[0] === column)
    .map(({ meta_data }) => meta_data?.statistics?.null_count);
  if (counts.length === 0 || counts.includes(undefined)) return null;
  return Math.min(...counts.map(Number));
}

const text_of = (metadata: FileMetaData): string =>
  JSON.stringify(metadata, (_key, value) => (typeof value === 'bigint' ? value.toString() : value));

/** null for what its reader leaves out: of a page of nulls it may give no values at all. */
function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value) || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** Whatever the reader of Parquet says of a file is about that file. */
async function readable<T>(path: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      `${path}: expected a Parquet file, found one that cannot be read (${visible((error as Error).message).slice(0, 160)}); get it anew`,
    );
  }
}
