import type { Bar, Chart, Figure } from '../lab/charts.ts';
import { not_tested } from '../lab/findings.ts';
import type { Finding } from '../lab/schema.ts';
import type { Table } from '../lab/tables.ts';
import type { CropOverlapFile, OverlapImage, TilingRow } from './crop_overlap_file.ts';

const NOTE = 'exact, from the geometry of the model: nothing is timed';
const title_of = ({ key, original_size: { width, height }, tiling: { rows, cols } }: OverlapImage): string =>
  `${key}, ${width}x${height} as ${rows}×${cols} crops`;

export function crop_overlap_figures({ results, tilings }: CropOverlapFile): Figure[] {
  if (results.length === 0) return [];
  return [
    ...results.flatMap((one) => [
      {
        name: `exp6_crop_overlap_image_${one.key}_crops`,
        title: `Where crops overlap: ${title_of(one)}`,
        notes: [NOTE, 'a cell is 2×2 patches; the overview apart'],
        panels: [views_map(one)],
      },
      {
        name: `exp6_crop_overlap_image_${one.key}_statistics`,
        title: `What is there twice: ${title_of(one)}`,
        notes: [
          NOTE,
          'right: as the study counts overlap, which is the enlargement of the picture and not what crops share',
        ],
        panels: [tokens_bars(one), study_bars(one)],
      },
    ]),
    {
      name: 'exp6_crop_overlap_comparison',
      title: 'Pooled tokens that a prompt gets, and those that it does not',
      notes: [NOTE],
      panels: [comparison(results), share_map(tilings)],
    },
  ];
}

/** How many crops see each cell of the canvas: in what order they lie follows from where they begin. */
function views_map({ crops, resized_size, crop_config }: OverlapImage): Chart {
  const [size] = crop_config.base_image_input_size;
  const cell = (size / crop_config.crop_patches) * 2;
  const [rows, cols] = [resized_size.height / cell, resized_size.width / cell];
  const inside = (px: number, from: number, to: number) => px >= from && px + cell <= to;
  const values = Array.from({ length: rows }, (_, y) =>
    Array.from(
      { length: cols },
      (_, x) =>
        crops.filter(({ resized_coords: { x0, x1, y0, y1 } }) => inside(x * cell, x0, x1) && inside(y * cell, y0, y1))
          .length,
    ),
  );
  const names = (count: number) => Array.from({ length: count }, (_, i) => String(i));
  return {
    kind: 'heat',
    rows: names(rows),
    columns: names(cols),
    row_title: 'Row of cells',
    column_title: 'Column of cells',
    values,
    value: 'Crops that see the cell',
  };
}

const bar = (name: string, value: number, look: number): Bar => ({
  label: [name],
  segments: [{ look, name, value }],
  total: { value, label: value.toLocaleString('en-US') },
});
const COUNT = { label: 'Pooled tokens' };

const tokens_bars = ({ redundancy }: OverlapImage): Chart => ({
  kind: 'stack',
  title: 'Exact',
  categories: '',
  value: COUNT,
  bars: [
    bar('computed', redundancy.pooled_tokens_computed, 0),
    bar('inserted', redundancy.inserted_tokens, 2),
    bar('unused', redundancy.unused_tokens, 3),
  ],
});

const study_bars = ({ overlap_statistics: counted }: OverlapImage): Chart => ({
  kind: 'stack',
  title: 'As the study counts',
  categories: '',
  value: { label: 'Cells of the picture' },
  bars: [
    bar('total', counted.total_patch_area, 0),
    bar('unique', counted.unique_patch_area, 2),
    bar('overlapping', counted.overlapping_patches, 3),
  ],
});

const comparison = (results: readonly OverlapImage[]): Chart => ({
  kind: 'stack',
  title: 'These pictures',
  categories: 'Picture and tiling',
  value: COUNT,
  bars: results.map(({ key, tiling, redundancy }) => ({
    label: [key, `${tiling.rows}×${tiling.cols}`],
    segments: [
      { look: 2, name: 'inserted', value: redundancy.inserted_tokens },
      {
        look: 3,
        name: 'unused',
        value: redundancy.unused_tokens,
        note: `${(100 * redundancy.unused_share).toFixed(0)} %`,
      },
    ],
    total: {
      value: redundancy.pooled_tokens_computed,
      label: redundancy.pooled_tokens_computed.toLocaleString('en-US'),
    },
  })),
});

/** Of every tiling: which share of what is computed no prompt gets. */
function share_map(tilings: readonly TilingRow[]): Chart {
  const most = Math.max(...tilings.map(({ rows, cols }) => Math.max(rows, cols)));
  const numbers = Array.from({ length: most }, (_, i) => i + 1);
  const share = (rows: number, cols: number) =>
    tilings.find((one) => one.rows === rows && one.cols === cols)?.unused_share;
  return {
    kind: 'heat',
    title: 'Every tiling',
    rows: numbers.map(String),
    columns: numbers.map(String),
    row_title: 'Rows of crops',
    column_title: 'Columns of crops',
    values: numbers.map((rows) =>
      numbers.map((cols) => {
        const unused = share(rows, cols);
        return unused === undefined ? null : 100 * unused;
      }),
    ),
    value: 'Unused (%)',
    written: true,
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What the study says of overlap, held against what is exact. */
export function crop_overlap_findings(results: readonly OverlapImage[]): Finding[] {
  const expectation = 'The overlap ratio says how much is computed twice';
  const cut = results.filter(({ tiling }) => tiling.total_crops > 1);
  if (cut.length === 0) return [not_tested(expectation, 'no picture was cut into more than one crop')];
  const said = cut.map(
    ({ key, overlap_statistics, redundancy }) =>
      `${key} ${percent(overlap_statistics.overlap_ratio)} against ${percent(redundancy.cells_seen_twice)}, enlarged ${redundancy.enlargement.toFixed(2)} times`,
  );
  const near = cut.filter(
    ({ overlap_statistics, redundancy }) =>
      Math.abs(overlap_statistics.overlap_ratio - redundancy.cells_seen_twice) < 0.05,
  );
  return [
    {
      expectation,
      outcome: near.length === cut.length ? 'confirmed' : 'refuted',
      because: `the ratio against the share of the canvas that several crops see: ${said.join('; ')}`,
    },
  ];
}

export function crop_overlap_tables({ results, tilings }: CropOverlapFile): Table[] {
  const text = (name: string) => ({ name, unit: 'text' as const });
  const counted = (name: string) => ({ name, unit: 'count' as const });
  const share = (name: string) => ({ name, unit: 'share' as const });
  return [
    {
      title: 'pictures',
      columns: [
        text('picture'),
        text('size'),
        text('tiling'),
        counted('computed'),
        counted('inserted'),
        share('unused'),
        share('seen twice'),
        share('black'),
        { name: 'enlarged', unit: 'number' },
        share('overlap of the study'),
      ],
      rows: results.map(({ key, original_size, tiling, redundancy, overlap_statistics }) => [
        key,
        `${original_size.width}x${original_size.height}`,
        `${tiling.rows}x${tiling.cols}`,
        redundancy.pooled_tokens_computed,
        redundancy.inserted_tokens,
        redundancy.unused_share,
        redundancy.cells_seen_twice,
        redundancy.black_share,
        redundancy.enlargement,
        overlap_statistics.overlap_ratio,
      ]),
      note: 'Pooled tokens, the overview included; seen twice: of the canvas. All exact.',
    },
    {
      title: 'tilings',
      columns: [
        text('tiling'),
        counted('views'),
        counted('patches'),
        counted('computed'),
        counted('inserted'),
        counted('unused'),
        share('unused share'),
      ],
      rows: tilings.map((one) => [
        `${one.rows}x${one.cols}`,
        one.num_crops,
        one.vit_patches,
        one.pooled_tokens_computed,
        one.inserted_tokens,
        one.unused_tokens,
        one.unused_share,
      ]),
    },
  ];
}
