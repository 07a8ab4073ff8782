import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import type { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { decode_image, image_size } from '../../engine/node/decode_image.ts';
import { counted } from '../../engine/weights/text.ts';
import type { Dataset, DatasetSample, SamplePicture } from './dataset.ts';
import { checked_record, type Home, kind_of, missing } from './local_files.ts';
import { open_parquet, type ParquetFile, type RowGroup, read_rows } from './parquet.ts';

/** Where a row stands. */
export interface Place {
  /** In the split. */
  readonly row: number;
  /** For error texts. */
  readonly where: string;
  /** As results name its picture. */
  readonly image: string;
}

/** A set that is published as Parquet files, a question a row, its picture in it. */
export interface ParquetSet<R> {
  /** Folders that may hold it, by name. */
  readonly folders: readonly string[];
  /** What files of a split are called where not as the split. */
  readonly stems?: Readonly<Record<string, readonly string[]>>;
  readonly image: string;
  /** Rows without a picture are no samples. */
  readonly pictures_only?: boolean;
  readonly columns: z.ZodType<R> & { readonly shape: object };
  readonly sample_of: (row: R, place: Place) => Omit<DatasetSample, 'picture'> & { readonly without_picture?: boolean };
}

/** A set with its rows' type closed in. */
export interface OpenableSet {
  readonly folders: readonly string[];
  readonly open: (home: Home, split: string, others: readonly string[]) => Promise<Dataset>;
}

export const parquet_set = <R>(set: ParquetSet<R>): OpenableSet => ({
  folders: set.folders,
  open: (home, split, others) => open_set(set, home, split, others),
});

interface Group extends RowGroup {
  /** Its first row in the split, and the samples it has. */
  readonly first: number;
  readonly samples: number;
}

async function open_set<R>(set: ParquetSet<R>, home: Home, split: string, others: readonly string[]): Promise<Dataset> {
  const texts = Object.keys(set.columns.shape);
  const { base, paths } = await find_parts(set, home, split, others);
  const files: ParquetFile[] = [];
  for (const path of paths) files.push(await open_parquet(path, [...texts, set.image], home.name));
  const groups: Group[] = [];
  let first = 0;
  for (const group of files.flatMap((file) => file.groups)) {
    groups.push({ ...group, first, samples: set.pictures_only ? await pictures_in(group, set.image) : group.rows });
    first += group.rows;
  }
  const size = groups.reduce((sum, { samples }) => sum + samples, 0);
  if (size === 0) throw new InputError(`${paths[0]}: expected rows of ${home.name}, found none`);
  const images = image_reader(set.image);

  async function* samples(from = 0): AsyncGenerator<DatasetSample> {
    let skip = from;
    for (const group of groups) {
      if (skip >= group.samples) {
        skip -= group.samples;
        continue;
      }
      const rows = await read_rows(group, texts);
      const there = set.pictures_only ? (await images(group)).map((bytes) => bytes !== null) : rows.map(() => true);
      if (there.filter(Boolean).length !== group.samples) {
        throw new InputError(
          `${group.file.path}: expected ${group.samples} pictures in its rows from ${group.start} on, found others; get it anew`,
        );
      }
      for (const [i, row] of rows.entries()) {
        if (!there[i] || skip-- > 0) continue;
        const where = `${group.file.path}: row ${group.start + i}`;
        const image = `${relative(base, group.file.path)}#${group.start + i}`;
        const checked = checked_record(set.columns, row, where);
        const { without_picture, ...sample } = set.sample_of(checked, { row: group.first + i, where, image });
        const picture = without_picture
          ? null
          : row_picture(image, where, async () => (await images(group))[i] ?? null);
        yield { ...sample, picture };
      }
      skip = 0;
    }
  }
  return {
    name: home.name,
    split,
    size,
    digest: createHash('sha256')
      .update(JSON.stringify([home.name, split, files.map(({ path, digest }) => [relative(base, path), digest])]))
      .digest('hex'),
    source: base,
    samples,
  };
}

const row_picture = (name: string, where: string, read: () => Promise<Uint8Array | null>): SamplePicture => {
  const bytes = async () => {
    const found = await read();
    if (found === null) throw new InputError(`${where}: expected a picture, found none`);
    return found;
  };
  return {
    name,
    open: async (as) => decode_image(await bytes(), { ...as, name: where }),
    size: async (as) => image_size(await bytes(), { ...as, name: where }),
  };
};

/** Encoded pictures of a row group: they are read together, and the last group's are kept for its other rows. */
function image_reader(column: string): (group: RowGroup) => Promise<(Uint8Array | null)[]> {
  let last: { group: RowGroup; read: Promise<(Uint8Array | null)[]> } | undefined;
  return (group) => {
    if (last?.group !== group) {
      const read = read_rows(group, [column]).then((rows) => rows.map((row) => bytes_of(row[column])));
      last = { group, read };
    }
    return last.read;
  };
}

function bytes_of(image: unknown): Uint8Array | null {
  const bytes = image instanceof Uint8Array ? image : (image as { bytes?: unknown } | null)?.bytes;
  return bytes instanceof Uint8Array && bytes.length > 0 ? bytes : null;
}

async function pictures_in(group: RowGroup, column: string): Promise<number> {
  const nulls = group.nulls_of(column);
  if (nulls !== null) return group.rows - nulls;
  return (await image_reader(column)(group)).filter((bytes) => bytes !== null).length;
}

const deepest = 3;

/** The split's files in the set's own folder, or in the user's folder itself. */
async function find_parts(
  { folders, stems }: { folders: readonly string[]; stems?: Readonly<Record<string, readonly string[]>> },
  home: Home,
  split: string,
  others: readonly string[],
): Promise<{ base: string; paths: string[] }> {
  const names = stems?.[split] ?? (split === 'validation' ? ['validation', 'val'] : [split]);
  for (const place of [...folders, '.']) {
    const base = join(home.folder, place);
    if ((await kind_of(base)) !== 'folder') continue;
    const paths = await parquet_files(base, place === '.' ? others : [], deepest);
    const own = paths.filter((path) => is_of(relative(base, path), names)).sort();
    if (own.length === 0) continue;
    check_whole(own);
    return { base, paths: own };
  }
  const name = `${names[0]}-*.parquet`;
  throw await missing(home, `Parquet files (${split})`, [...folders.map((folder) => join(folder, name)), name]);
}

/** data/validation-00000-of-00003.parquet, validation.parquet, default/validation/0000.parquet. */
function is_of(path: string, names: readonly string[]): boolean {
  const pieces = path.split('/');
  const file = pieces.at(-1) as string;
  return names.some((name) => file === `${name}.parquet` || file.startsWith(`${name}-`) || pieces.at(-2) === name);
}

async function parquet_files(folder: string, without: readonly string[], depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    entries
      .filter(({ name }) => !without.includes(name) && !name.startsWith('.'))
      .map(async (entry) => {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return depth > 0 ? parquet_files(path, [], depth - 1) : [];
        return entry.name.endsWith('.parquet') ? [path] : [];
      }),
  );
  return found.flat();
}

/** -00002-of-00006: of files that count themselves, none may be missing. */
function check_whole(paths: readonly string[]): void {
  const parts = new Map<string, { count: number; seen: Set<number> }>();
  for (const path of paths) {
    const [, head, index, count] = /^(.*)-(\d{5})-of-(\d{5})(?:-\w+)?\.parquet$/.exec(path) ?? [];
    if (head === undefined) continue;
    const known = parts.get(`${head} ${count}`) ?? { count: Number(count), seen: new Set() };
    known.seen.add(Number(index));
    parts.set(`${head} ${count}`, known);
  }
  for (const [key, { count, seen }] of parts) {
    const lacking = Array.from({ length: count }, (_, i) => i).filter((i) => !seen.has(i));
    if (lacking.length === 0) continue;
    const head = key.slice(0, key.lastIndexOf(' '));
    const numbers = lacking.map((i) => String(i).padStart(5, '0'));
    throw new InputError(
      `${head}: expected ${count} parts, found ${counted(numbers, `of ${basename(head)} missing`)}; get the rest`,
    );
  }
}
