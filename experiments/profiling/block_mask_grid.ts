import type { z } from 'zod';
import { UsageError } from '../../engine/errors.ts';
import { blocks_of } from '../lab/depth.ts';
import { rings_of_tiling, type Subject } from '../lab/inputs.ts';
import { described, lists_of_wholes, toggle, wholes } from '../lab/options.ts';
import { type Cell, cell_of, key_of } from '../lab/plan.ts';
import type { Configuration, Skipped } from '../lab/schema.ts';

/** A count outside the model is skipped with the reason, an index outside it is an error: so they are not refused as they are read. */
const ANY = 9999;

export const mask_options = {
  numActiveBlocks: described(wholes(-ANY, ANY).optional(), 'the first so many blocks run (every count)', {
    aliases: ['num_active_blocks'],
  }),
  fractions: described(toggle(), 'a quarter, half, three quarters and all of the blocks instead of every count'),
  activeBlockIndices: described(
    lists_of_wholes(-ANY, ANY).optional(),
    'exactly these blocks run, such as 4,8,12,15; give it once for each list; wins over counts',
    { aliases: ['active_block_indices'] },
  ),
};
type Options = z.infer<z.ZodObject<typeof mask_options>>;

/** Indices win over counts, and counts over fractions that --quick chose; what the user named besides is refused. */
export function check_mask_options(_: Options, given: ReadonlySet<string>): void {
  if (!given.has('fractions') || !(given.has('numActiveBlocks') || given.has('activeBlockIndices'))) return;
  throw new UsageError(
    'fractions: chooses the counts itself; leave --num-active-blocks and --active-block-indices out',
  );
}

const QUARTERS = [0.25, 0.5, 0.75, 1];

function counts_of(total: number, counts: readonly number[] | undefined, fractions: boolean): number[] {
  if (counts !== undefined) return [...counts];
  return fractions ? QUARTERS.map((share) => share * total) : first(total).map((block) => block + 1);
}

/** Why so many blocks cannot run; undefined where they can. */
function why_not(total: number, blocks: number): string | undefined {
  if (!Number.isInteger(blocks)) return `${(100 * blocks) / total} % of ${total} blocks are no whole number of them`;
  return blocks >= 1 && blocks <= total ? undefined : `expected 1 to ${total} blocks, found ${blocks}`;
}

function checked_indices(total: number, list: readonly number[]): number[] {
  const where = `in ${list.join(',')}`;
  const wrong = list.find((index) => index < 0 || index >= total);
  if (wrong !== undefined) {
    throw new UsageError(
      `activeBlockIndices: expected blocks from 0 to ${total - 1}, found ${wrong} ${where}; the first block is 0`,
    );
  }
  const twice = list.find((index, i) => list.indexOf(index) !== i);
  if (twice !== undefined) {
    throw new UsageError(`activeBlockIndices: expected each block once, found ${twice} twice ${where}`);
  }
  return list.toSorted((a, b) => a - b);
}

const cell = (on: Subject, blocks: readonly number[]) =>
  cell_of(
    on,
    { num_active_blocks: blocks.length, active_block_indices: blocks.join('-') },
    { knobs: { blocks } },
    { image: rings_of_tiling(on.config, [1, 1]), prompt: 'Describe this image.', new_tokens: 10 },
  );

function skipped(blocks: number, reason: string): Skipped {
  const settings = { num_active_blocks: blocks };
  return { key: key_of(settings), settings, reason };
}

const first = (blocks: number): number[] => Array.from({ length: blocks }, (_, i) => i);

export function cells_of(on: Subject, options: Options): (Cell | Skipped)[] {
  const { numActiveBlocks, fractions, activeBlockIndices } = options;
  const total = on.config.n_layers;
  if (activeBlockIndices !== undefined) {
    return [
      ...activeBlockIndices.map((list) => cell(on, checked_indices(total, list))),
      ...(numActiveBlocks ?? []).map((blocks) => skipped(blocks, 'indices were given, and they win over counts')),
    ];
  }
  return counts_of(total, numActiveBlocks, fractions).map((blocks) => {
    const reason = why_not(total, blocks);
    return reason === undefined ? cell(on, first(blocks)) : skipped(blocks, reason);
  });
}

/** How the cells that are there were chosen. */
export const READINGS = ['every count', 'quarters', 'counts', 'indices'] as const;
export function reading_of(some: readonly Configuration[], total: number): (typeof READINGS)[number] {
  if (some.some((one) => blocks_of(one).some((block, i) => block !== i))) return 'indices';
  const counts = some.map((one) => blocks_of(one).length).join();
  if (counts === counts_of(total, undefined, false).join()) return 'every count';
  const quarters = counts_of(total, undefined, true).filter((blocks) => why_not(total, blocks) === undefined);
  return counts === quarters.join() ? 'quarters' : 'counts';
}
