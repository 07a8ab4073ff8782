import type { Buffer } from '../gpu/buffers.ts';
import type { Context } from './context.ts';
import type { BlockPlan } from './knobs.ts';

/**
 * Prompt rows that hold a cell of the picture, where those take other numbers of experts than the rest. What frames the
 * cells (starts, ends and row ends) has no picture added to it: it counts as text.
 */
export interface PictureRows {
  readonly plan: BlockPlan;
  readonly marks: Buffer; // [prompt rows] u32, 1 where the row holds a cell
  /** How many of them lie before each row, and in all. */
  readonly before: Uint32Array; // [prompt rows + 1]
}

/** How many experts the rows of a chunk take in one block. */
export interface Takes {
  /** Slots a row: the most that a row of them takes. */
  readonly top_k: number;
  /** Where they differ. */
  readonly mixed?: MixedTakes;
}

export interface MixedTakes {
  readonly text: number;
  readonly picture: number;
  readonly marks: Buffer;
  /** The mark of the chunk's first row. */
  readonly mark0: number;
  /** Token-expert pairs of rows first .. first + rows - 1 of the chunk. */
  readonly pairs: (first: number, rows: number) => number;
}

/** `index`: the prompt row of each cell; undefined where no row holds one. */
export function open_picture_rows(
  { executor }: Context,
  index: Int32Array,
  rows: number,
  plan: BlockPlan,
): PictureRows | undefined {
  const marks = new Uint32Array(rows);
  for (const row of index) if (row >= 0) marks[row] = 1;
  const before = new Uint32Array(rows + 1);
  for (const [row, mark] of marks.entries()) before[row + 1] = (before[row] as number) + mark;
  if (before[rows] === 0) return undefined;
  const buffer = executor.buffers.create('picture rows', marks.byteLength, 'activations');
  executor.write(buffer, 0, marks);
  return { plan, marks: buffer, before };
}

/** What rows row0 .. row0 + rows - 1 take in a block where text takes `text`. */
export function takes_of(
  { plan, marks, before }: PictureRows,
  layer: number,
  text: number,
  row0: number,
  rows: number,
): Takes {
  const picture = plan[layer] as number;
  const pictures = (first: number, count: number) =>
    (before[row0 + first + count] as number) - (before[row0 + first] as number);
  const all = pictures(0, rows);
  if (all === 0 || picture === text) return { top_k: text };
  if (all === rows) return { top_k: picture };
  const pairs = (first: number, count: number) => text * count + (picture - text) * pictures(first, count);
  return { top_k: Math.max(text, picture), mixed: { text, picture, marks, mark0: row0, pairs } };
}
