import { UsageError } from '../../../engine/errors.ts';
import { inspect_pooling, type PoolingReport, same_tilings } from '../../../tools/inspect/pooling.ts';
import { read_subject } from '../../../tools/inspect/subject.ts';
import { bold, out, short_number, table } from '../../print.ts';
import { parse_size } from '../inputs.ts';
import type { FileFlags } from './config.ts';
import { print_json } from './show.ts';

const SIDE = 2000;

export async function pooling(
  flags: FileFlags & { readonly imageSize?: string; readonly maxCrops?: number },
): Promise<undefined> {
  const size = flags.imageSize === undefined ? { width: SIDE, height: SIDE } : parse_size(flags.imageSize);
  if (size === null) throw new UsageError('--image-size none: expected width x height such as 1008x784');
  const report = inspect_pooling(await read_subject(flags.model), size, flags.maxCrops);
  if (flags.json) print_json('inspect_pooling', report);
  else out(`${text_of(report)}\n`);
}

function text_of({
  model,
  geometry: g,
  positions,
  pooling: pool,
  cells,
  crop_flops,
  picture,
  limits,
}: PoolingReport): string {
  const [before, after] = g.margins;
  const [down, across] = pool.window;
  const ends = cells.margins[0] + cells.margins[1];
  const grid = (tiles: string) => `(${cells.tile} ${tiles} + ${ends})`;
  const facts = [
    ['model', model],
    ['patch', `${g.patch_px} x ${g.patch_px} pixels x 3 colours = ${g.patch_values} values`],
    [
      'crop',
      `${g.crop_px} x ${g.crop_px} pixels = ${g.patches_per_side} x ${g.patches_per_side} = ${g.patches} patches; with the class token ${positions} positions`,
    ],
    ['taps', `ViT blocks ${pool.taps.join(' and ')}, side by side: ${pool.inputs} values a patch`],
    [
      'pooling',
      `${down} x ${across} patches a cell: ${g.cells_per_side} x ${g.cells_per_side} = ${g.cells} cells a crop`,
    ],
    ['by', `${pool.kind}: ${pool.inputs} -> ${pool.outputs}, ${pool.heads} heads of ${pool.head_dim}`],
    ['projector', `SwiGLU: ${pool.outputs} -> ${pool.projector_hidden} -> ${pool.width}`],
    ['margins', `${before} + ${after} patches = ${g.margin_px} pixels of a side, where a neighbour shows them`],
    ['tile', `one more adds ${g.tile_px} pixels, ${cells.tile} cells`],
    [
      'canvas',
      `r x c tiles: ${g.tile_px} r + ${g.margin_px} by ${g.tile_px} c + ${g.margin_px} pixels, and the overview of ${g.crop_px} by ${g.crop_px}`,
    ],
    ['pooled', `${g.cells} (r c + 1) cells`],
    ['inserted', `${g.cells} + ${grid('r')} x ${grid('c')} cells: those of margins are dropped`],
    ['marks', `${cells.tile} r + ${g.cells_per_side + ends + 4}: a row end for each row of cells, starts and ends`],
    [
      'a crop',
      `${short_number(crop_flops.pooling_projections + crop_flops.pooling_scores)}FLOP of pooling, ${short_number(crop_flops.mlp)}FLOP of the projector`,
    ],
  ];
  const rows = same_tilings(limits).map(({ from, to, limit }) => [
    from === to ? String(from) : `${from} to ${to}`,
    `${limit.tiling.rows} x ${limit.tiling.cols}`,
    `${limit.canvas.width}x${limit.canvas.height}`,
    ...[limit.views, limit.vit_patches, limit.pooled_cells, limit.inserted_cells, limit.marks, limit.image_tokens].map(
      String,
    ),
  ]);
  const head = [
    '--max-crops',
    'rows x cols',
    'canvas',
    'crops',
    'ViT patches',
    'pooled',
    'inserted',
    'marks',
    'image tokens',
  ];
  return [
    table(facts),
    '',
    bold(`a picture of ${picture.width}x${picture.height} by the crops it may have (the overview counts as one more)`),
    table([head, ...rows]),
  ].join('\n');
}
