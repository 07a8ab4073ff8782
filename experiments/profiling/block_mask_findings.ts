import { blocks_of, type Depth, depth_ms, stamped_blocks } from '../lab/depth.ts';
import { not_tested } from '../lab/findings.ts';
import { some_of } from '../lab/fingerprint.ts';
import type { Configuration, Finding } from '../lab/schema.ts';
import { short_ms } from '../lab/tables.ts';

type Time = 'prefill_ms' | 'decode_step_ms';

/** Points of a share within which a time counts as proportional to the blocks. */
const NEAR = 2.5;
/** Percent within which a line that was not fitted to a time counts as meeting it. */
const MEETS = 10;

/** The study: 75, 50 and 25 % of the blocks take 75, 50 and 25 % of the time. */
export function in_proportion(expectation: string, depth: Depth | null, time: Time): Finding {
  const total = depth?.num_total_blocks ?? 0;
  const at = (blocks: number) => depth_ms(depth?.rows[blocks - 1], time);
  const all = at(total);
  if (depth === null || all === null || total % 4 !== 0) {
    return not_tested(expectation, 'it needs all blocks timed, and a model whose blocks have quarters');
  }
  const parts = [3, 2, 1].flatMap((quarters) => {
    const some = at((total * quarters) / 4);
    return some === null ? [] : [{ percent: 25 * quarters, of_time: (100 * some) / all }];
  });
  const on_line = [4, 3, 2, 1].some((quarters) => depth.rows[(total * quarters) / 4 - 1]?.measured === null);
  const shown = parts.map(({ percent, of_time }) => `${percent} % of the blocks ${of_time.toFixed(1)} %`);
  const basis = on_line ? `; on the line that follows from the stamps of ${depth.from_blocks} blocks` : '';
  return {
    expectation,
    outcome: parts.every(({ percent, of_time }) => Math.abs(of_time - percent) <= NEAR) ? 'confirmed' : 'refuted',
    because: `of the ${short_ms(all)} with all ${total}: ${shown.join(', ')} (in proportion: within ${NEAR} points)${basis}`,
  };
}

/** The line from the deepest cell alone, held against cells that it was not made from. */
export function line_meets(expectation: string, depth: Depth | null, time: Time): Finding {
  const deepest = depth?.from_blocks;
  const others = (depth?.rows ?? []).flatMap((row) => {
    const [line, measured] = [row[time], row.measured?.[time]];
    if (row.num_active_blocks === deepest || line === null || !measured) return [];
    return [{ blocks: row.num_active_blocks, off: 100 * (line / measured - 1) }];
  });
  if (others.length === 0) return not_tested(expectation, 'one depth alone ran, or none was stamped');
  const worst = others.reduce((a, b) => (Math.abs(b.off) > Math.abs(a.off) ? b : a));
  return {
    expectation,
    outcome: Math.abs(worst.off) <= MEETS ? 'confirmed' : 'refuted',
    because: `the line that the stamps of ${deepest} blocks give is off by ${worst.off.toFixed(1)} % at most at ${others.length} other depth${others.length > 1 ? 's' : ''}, with ${worst.blocks} (holds: within ${MEETS} %)`,
  };
}

export function masked_run_nothing(expectation: string, some: readonly Configuration[]): Finding {
  const stamped = some.flatMap((one) => {
    const found = stamped_blocks(one);
    return found === null ? [] : [{ key: one.key, wanted: blocks_of(one), found }];
  });
  if (stamped.length === 0) return not_tested(expectation, 'no cell has an instrumented run');
  const wrong = stamped.filter(({ wanted, found }) => wanted.join() !== found.join());
  return {
    expectation,
    outcome: wrong.length === 0 ? 'confirmed' : 'refuted',
    because:
      wrong.length === 0
        ? `in ${stamped.length} of ${stamped.length} cells kernels were stamped in the blocks that were asked for and in no other`
        : some_of(wrong.map(({ key, found }) => `${key}: kernels in blocks ${found.join(', ')}`)),
  };
}
