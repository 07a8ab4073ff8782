import { share_bar } from '../lab/bars.ts';
import { compact, error_bar, runs_note } from '../lab/captions.ts';
import type { Bar, Chart, Figure, Series } from '../lab/charts.ts';
import type { Depth } from '../lab/depth.ts';
import type { SweepRow } from '../lab/sweep.ts';
import { sum } from '../lab/typical.ts';
import { interval_of } from '../lab/words.ts';

type Ends = readonly [number, number] | null;
export type MaskRow = SweepRow & {
  readonly num_active_blocks: number;
  readonly num_total_blocks: number;
  readonly active_block_indices: readonly number[];
};

const PANELS = [
  { time: 'prefill_ms', title: 'Prefill', look: 'prefill' },
  { time: 'decode_step_ms', title: 'A decode step', look: 'decode' },
] as const;

/** A bar a cell; and for depths that no cell has every quarter of the model, on the line. */
function bars_of(rows: readonly MaskRow[], depth: Depth, { time, title, look }: (typeof PANELS)[number]): Bar[] {
  const with_vision = time === 'prefill_ms';
  const bar = (label: readonly string[], ms: number, vision_ms: number | null, range: Ends = null): Bar => {
    const vision = { look: 'vision_encoder', name: 'vision encoder and projector', value: vision_ms ?? 0 } as const;
    const below = with_vision && vision_ms !== null ? [vision] : [];
    const value = sum([...below, { value: ms }].map((one) => one.value));
    const ends = range === null || with_vision ? {} : { low: range[0], high: range[1] };
    const segments = [...below, { look, name: title.toLowerCase(), value: ms }];
    return { label, segments, total: { value, label: compact(value), ...ends } };
  };
  const on_line = depth.rows.flatMap((row): [number, Bar][] => {
    const blocks = row.num_active_blocks;
    const is_quarter = (4 * blocks) % depth.num_total_blocks === 0;
    const ms = row[time];
    if (row.measured !== null || !is_quarter || ms === null) return [];
    return [[blocks, bar([String(blocks), 'line'], ms, depth.vision_ms)]];
  });
  const measured = rows.flatMap((row): [number, Bar][] => {
    const summary = time === 'prefill_ms' ? row.prefill : row.decode_step;
    if (summary === null) return [];
    const { active_block_indices: indices, num_active_blocks: blocks } = row;
    const is_first = indices.every((block, i) => block === i);
    const name = is_first ? String(blocks) : `${blocks}: ${indices.join()}`;
    // Of a slice the vision stages are cut too: only scaled they are the whole's.
    const own = row.num_total_blocks === depth.num_total_blocks;
    const vision_ms = own ? (row.statistics.T_vision_total?.median ?? null) : depth.vision_ms;
    const label = on_line.length > 0 ? [name, 'measured'] : [name];
    return [[blocks, bar(label, summary.median, vision_ms, interval_of(summary))]];
  });
  return [...measured, ...on_line].sort(([a], [b]) => a - b).map(([, one]) => one);
}

function breakdown(rows: readonly MaskRow[], depth: Depth): Chart[] {
  const axes = { kind: 'stack', categories: axis_of(depth), value: { label: 'Latency (ms)' } } as const;
  return PANELS.map((panel, i) => {
    const title = i === 0 ? 'Before the first token' : panel.title;
    return { ...axes, title, bars: bars_of(rows, depth, panel) };
  }).filter(({ bars }) => bars.length > 0);
}

const axis_of = ({ num_total_blocks, model }: Depth): string => `Active blocks, of the ${num_total_blocks} of ${model}`;

function growth(rows: readonly MaskRow[], depth: Depth): Chart[] {
  return PANELS.flatMap(({ time, title, look }): Chart[] => {
    const on_line = depth.rows.flatMap((row) => {
      const y = row[time];
      return y === null ? [] : [{ x: row.num_active_blocks, y }];
    });
    const measured = rows.flatMap((row) => {
      const summary = time === 'prefill_ms' ? row.prefill : row.decode_step;
      return summary === null ? [] : [{ x: row.num_active_blocks, y: summary.median, ...error_bar(summary) }];
    });
    const series: Series[] = [
      { name: `on the line of ${depth.from_blocks} blocks`, look: 1, hollow: true, points: on_line },
      { name: 'measured', look, points: measured },
    ].filter((one) => one.points.length > 0);
    const axes = { x: { label: axis_of(depth) }, y: { label: 'Latency (ms)' } };
    return series.length === 0 ? [] : [{ kind: 'lines', title, ...axes, series }];
  });
}

/** Parts of the language model's stages; a cell whose times were scaled stands for all blocks of the whole. */
function parts(rows: readonly MaskRow[], depth: Depth | null): Chart[] {
  const axis = { kind: 'stack', categories: 'Active blocks', shares: true, value: { label: 'GPU time (%)' } } as const;
  return (['prefill', 'decode'] as const).flatMap((stage) => {
    const bars = rows.flatMap((row) => {
      const blocks = row.scaled === null ? row.num_active_blocks : depth?.num_total_blocks;
      return share_bar([String(blocks)], row.parts, stage) ?? [];
    });
    return bars.length === 0 ? [] : [{ ...axis, title: stage, bars }];
  });
}

export function block_mask_figures(rows: readonly MaskRow[], depth: Depth | null): Figure[] {
  const counts = rows.map((row) => row.prefill?.n ?? 0);
  const notes = [
    `measured: ${runs_note(counts, ['host wall time between fences'])}`,
    ...(depth === null
      ? []
      : [`line: what the stamps of ${depth.from_blocks} blocks say of other depths, not measured`]),
    ...(rows.some((row) => row.num_total_blocks !== depth?.num_total_blocks)
      ? ['prefill and decode with so many blocks are measured as they are; the vision stages are scaled']
      : []),
  ];
  const figures: Figure[] = [
    {
      name: 'exp3_transformer_blocks_vs_latency_breakdown',
      title: 'Latency over active blocks',
      notes,
      panels: depth === null ? [] : breakdown(rows, depth),
    },
    {
      name: 'exp3_transformer_blocks_scaling',
      title: 'What blocks cost, and what stays without them',
      notes,
      panels: depth === null ? [] : growth(rows, depth),
    },
    {
      name: 'exp3_transformer_blocks_parts',
      title: 'What prefill and decode spend their time on',
      notes: ['GPU time of the instrumented runs'],
      panels: parts(rows, depth),
    },
  ];
  return figures.filter(({ panels }) => panels.length > 0);
}
