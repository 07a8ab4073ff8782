import { type Depth, depth_ms } from '../lab/depth.ts';
import type { Table } from '../lab/tables.ts';
import type { MaskRow } from './block_mask_figures.ts';

const share_of = (some: number | null | undefined, all: number | null | undefined): number | null =>
  some === null || some === undefined || !all ? null : some / all;

/** Cells as they were measured; and the model that they stand for, depth by depth. */
export function block_mask_tables(rows: readonly MaskRow[], depth: Depth | null): Table[] {
  const [ms, share] = [
    (name: string) => ({ name, unit: 'ms' as const }),
    (name: string) => ({ name, unit: 'share' as const }),
  ];
  const measured: Table = {
    title: 'cells, as measured',
    columns: [{ name: 'blocks', unit: 'text' }, { name: 'of', unit: 'count' }, ms('prefill'), ms('decode a step')],
    rows: rows.map((row) => [
      row.active_block_indices.join(','),
      row.num_total_blocks,
      row.prefill?.median ?? null,
      row.decode_step?.median ?? null,
    ]),
    note: `Medians of ${rows[0]?.prefill?.n ?? 0} runs.`,
  };
  if (depth === null) return [measured];
  const all = depth.rows.at(-1);
  const whole: Table = {
    title: `active blocks of ${depth.model}`,
    columns: [
      { name: 'blocks', unit: 'count' },
      ms('prefill'),
      share('of all'),
      share('FLOPs of all'),
      ms('decode a step'),
      share('of all'),
      share('FLOPs of all'),
      { name: 'from', unit: 'text' },
    ],
    rows: depth.rows.map((row) => {
      const [prefill, step] = [depth_ms(row, 'prefill_ms'), depth_ms(row, 'decode_step_ms')];
      return [
        row.num_active_blocks,
        prefill,
        share_of(prefill, depth_ms(all, 'prefill_ms')),
        share_of(row.prefill_flops, all?.prefill_flops),
        step,
        share_of(step, depth_ms(all, 'decode_step_ms')),
        share_of(row.decode_step_flops, all?.decode_step_flops),
        row.measured === null ? 'line' : 'measured',
      ];
    }),
    note: `line: what the stamps of ${depth.from_blocks} blocks (${depth.from}) say of that many, not measured. FLOPs are exact.`,
  };
  return [measured, whole];
}
