import type { Axis, Chart, Figure, Heat, Pareto, Point } from '../lab/charts.ts';
import type { Table } from '../lab/tables.ts';
import { type GridKnob, type GridRow, KNOB_NAMES, type KnobSettings } from './knob_grid.ts';
import { grouped } from './metrics/bootstrap.ts';
import type { Quality } from './quality.ts';
import { in_short } from './sweep.ts';

/** Pictures and tables of a grid over the three knobs, from published rows. */

export type DrawnRow = Pick<GridRow, GridKnob | 'key' | 'accuracy' | 'accuracy_ci95' | 'flops'>;

const levels = (rows: readonly KnobSettings[], knob: GridKnob): number[] =>
  [...new Set(rows.map((row) => row[knob]))].sort((a, b) => a - b);

const HEATS_NOTE = 'each map has colours of its own; grey: no point of the grid';

/** More panels than these are too small to read. */
const MOST_PANELS = 3;

/** Accuracy over crops and experts, a panel a number of blocks: the fewest, the most, and what is between them. */
export function knob_heats(rows: readonly DrawnRow[]): Heat[] {
  const blocks = levels(rows, 'num_active_blocks');
  const shown =
    MOST_PANELS < blocks.length ? [blocks[0], blocks[Math.floor(blocks.length / 2)], blocks.at(-1)] : blocks;
  return shown.flatMap((depth): Heat[] => {
    const slice = rows.filter((row) => row.num_active_blocks === depth);
    const [crops, top_k] = [levels(rows, 'max_crops'), levels(rows, 'top_k')];
    if (crops.length * top_k.length < 2) return [];
    return [
      {
        ...{ kind: 'heat', title: `${depth} blocks`, rows: crops.map(String), columns: top_k.map(String) },
        ...{ row_title: KNOB_NAMES.max_crops, column_title: KNOB_NAMES.top_k, value: 'Accuracy (%)', written: true },
        values: crops.map((c) =>
          top_k.map((k) => {
            const row = slice.find((one) => one.max_crops === c && one.top_k === k);
            return row === undefined ? null : Math.round(100 * row.accuracy);
          }),
        ),
      },
    ];
  });
}

/** "6/8/12": crops, experts, blocks. */
export const short_name = ({ max_crops, top_k, num_active_blocks }: KnobSettings): string =>
  `${max_crops}/${top_k}/${num_active_blocks}`;
export const LABELS_NOTE = 'labels, where there is room: crops at most / experts a token / blocks';

export const ACCURACY_AXIS: Axis = { label: 'Accuracy (%)', from_zero: false };

/** What a front is drawn of. */
type FrontRow = Pick<GridRow, 'key' | 'num_active_blocks' | 'accuracy' | 'accuracy_ci95'>;

export interface ParetoLook<R> {
  readonly label: string;
  readonly title?: string;
  /** What is on the front is called so. */
  readonly name_of: (row: R) => string;
  /** What has one look: as many blocks, unless told otherwise. */
  readonly group_of?: (row: R) => string;
}

/** All settings and the front: what is on it is named and has its interval. */
export function knob_pareto<R extends FrontRow>(
  rows: readonly R[],
  cost_of: (row: R) => number | null,
  front: readonly string[],
  { label, title, name_of, group_of = ({ num_active_blocks }) => `${num_active_blocks} blocks` }: ParetoLook<R>,
): Pareto | null {
  const point = (row: R): Point[] => {
    const x = cost_of(row);
    if (x === null) return [];
    const { accuracy_ci95: ends } = row;
    const named = front.includes(row.key) ? { label: name_of(row) } : {};
    const bar = front.includes(row.key) && ends !== null ? { low: 100 * ends[0], high: 100 * ends[1] } : {};
    return [{ x, y: 100 * row.accuracy, ...named, ...bar }];
  };
  const sorted = rows.toSorted((a, b) => a.num_active_blocks - b.num_active_blocks);
  const series = grouped(sorted, group_of).map((some, look) => ({
    ...{ name: group_of(some[0] as R), look },
    points: some.flatMap(point),
  }));
  const drawn = series.filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return null;
  return {
    ...{ kind: 'pareto', title, x: { label, from_zero: false }, y: ACCURACY_AXIS, better: { x: 'low', y: 'high' } },
    series: drawn,
    front: rows.filter(({ key }) => front.includes(key)).flatMap((row) => point(row).map(({ x, y }) => ({ x, y }))),
  };
}

export const figure_of = (
  name: string,
  title: string,
  notes: readonly string[],
  panels: readonly (Chart | null)[],
  untimed?: true,
): Figure[] => {
  const drawn = panels.filter((panel) => panel !== null);
  return drawn.length === 0 ? [] : [{ name, title, notes, panels: drawn, ...(untimed && { untimed }) }];
};

export const FLOPS_AXIS = 'FLOPs of a request (GFLOP)';
export const in_gflop = ({ flops }: Pick<GridRow, 'flops'>): number => flops / 1e9;

/** What answers cost in FLOPs alone: over the knobs, and with the front. */
export const accuracy_figures = (summary: readonly DrawnRow[], front: readonly string[], note: string): Figure[] => [
  ...figure_of(
    'exp5_accuracy_over_knobs',
    'What knobs cost in answers together',
    [note, HEATS_NOTE],
    knob_heats(summary),
    true,
  ),
  ...figure_of(
    'exp5_accuracy_vs_flops_pareto',
    'Answers against what a request computes',
    [note, LABELS_NOTE],
    [knob_pareto(summary, in_gflop, front, { label: FLOPS_AXIS, name_of: short_name })],
    true,
  ),
];

type TableRow = DrawnRow & Pick<Quality, 'num_samples' | 'percent_of_full' | 'against_full'>;

/** Rows from the cheapest on; `more` are columns of the experiment's own. */
export function grid_table<R extends TableRow>(
  rows: readonly R[],
  front: readonly string[],
  more: readonly { readonly name: string; readonly of: (row: R) => number | null }[] = [],
): Table {
  return {
    title: 'accuracy of combined knobs',
    columns: [
      ...['crops', 'experts', 'blocks', 'samples'].map((name) => ({ name, unit: 'count' as const })),
      ...['accuracy', 'from', 'to'].map((name) => ({ name, unit: 'share' as const })),
      { name: '% of full', unit: 'number' },
      { name: 'FLOPs', unit: 'flop' },
      ...more.map(({ name }) => ({ name, unit: 'ms' as const })),
      { name: 'front', unit: 'text' },
      { name: 'against the full model', unit: 'text' },
    ],
    rows: rows
      .toSorted((a, b) => a.flops - b.flops)
      .map((row) => [
        ...[row.max_crops, row.top_k, row.num_active_blocks, row.num_samples],
        ...[row.accuracy, row.accuracy_ci95?.[0] ?? null, row.accuracy_ci95?.[1] ?? null],
        row.percent_of_full,
        row.flops,
        ...more.map(({ of }) => of(row)),
        front.includes(row.key) ? 'yes' : null,
        row.against_full === null ? null : in_short(row.against_full),
      ]),
    note: 'From, to: 95 % interval, bootstrap over pictures. FLOPs: mean of a request, exact. Front: none costs less and answers better.',
  };
}
