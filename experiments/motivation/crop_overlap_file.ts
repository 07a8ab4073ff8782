import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { vision_counts } from '../../engine/input/layout.ts';
import type { Tiling } from '../../engine/input/tiling.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { geometry_of, type ImageGeometry, PUBLISHED_MEAN, PUBLISHED_STD } from '../../engine/model/geometry.ts';
import { type Configuration, count, finding_schema, finite, plain } from '../lab/schema.ts';
import {
  canvas_of,
  crop_windows,
  enlargement,
  overlap_by_study,
  placed,
  type Size,
  tilings_up_to,
  views_of_cells,
} from './crop_windows.ts';

const size_schema = z.strictObject({ height: count, width: count });
const box_schema = z.strictObject({ y0: finite, y1: finite, x0: finite, x1: finite });

/** Exact, of one tiling. */
const tokens_shape = {
  rows: count,
  cols: count,
  /** Overview left out, as the study counts here; and with it. */
  total_crops: count,
  num_crops: count,
  vit_patches: count,
  pooled_tokens_computed: count,
  inserted_tokens: count,
  /** Computed and in no prompt: their share of what is computed. */
  unused_tokens: count,
  unused_share: finite,
};
const tiling_schema = z.strictObject(tokens_shape);
export type TilingRow = z.infer<typeof tiling_schema>;

const image_schema = z.strictObject({
  key: z.string(),
  image_id: plain,
  example_id: plain,
  original_size: size_schema,
  /** The canvas that is cut, and the picture on it: the rest is black. */
  resized_size: size_schema,
  picture_on_canvas: z.strictObject({ left: count, top: count, width: count, height: count }),
  tiling: z.strictObject({ rows: count, cols: count, total_crops: count }),
  crop_config: z.strictObject({
    max_crops: count,
    overlap_margins: z.tuple([count, count]),
    base_image_input_size: z.tuple([count, count]),
    crop_window_size: count,
    crop_patches: count,
    crop_window_patches: count,
  }),
  crops: z.array(
    z.strictObject({
      crop_idx: count,
      tiling_pos: z.tuple([count, count]),
      /** What the encoder sees: on the canvas, and of the picture as it was. */
      resized_coords: box_schema,
      original_coords: box_schema,
      /** What the prompt gets of it, in patches of the canvas, and pooled. */
      patch_coords: z.strictObject({ y0: count, h: count, x0: count, w: count }),
      pooled_dims: z.strictObject({ h: count, w: count }),
      num_patches: count,
    }),
  ),
  /** As the study counts it: what rises here is the enlargement of the picture, not what its crops share. */
  overlap_statistics: z.strictObject({
    total_patch_area: count,
    unique_patch_area: count,
    overlap_ratio: finite,
    redundancy_ratio: finite,
    overlapping_patches: count,
    avg_overlap_count: finite,
  }),
  /** Exact: what is computed twice, and what no prompt gets. */
  redundancy: z.strictObject({
    ...tokens_shape,
    /** Cells of the canvas that several crops see, of all its cells; and crops that see a cell, on average. */
    cells_seen_twice: finite,
    views_of_a_cell: finite,
    /** Of the canvas that is no picture; how many times as wide and high the picture becomes. */
    black_share: finite,
    enlargement: finite,
  }),
  /** Every tiling that the limit allows: what it would cost, and by how much it enlarges this picture. */
  crop_control: z.array(tiling_schema.extend({ enlargement: finite, chosen: z.boolean() })),
  crop_image_paths: z.array(z.string()),
  search_info: z.record(z.string(), plain),
});
export type OverlapImage = z.infer<typeof image_schema>;

export const crop_overlap_shape = {
  results: z.array(image_schema),
  /** Every tiling that the limit allows, whatever the picture. */
  tilings: z.array(tiling_schema),
  summary: z.strictObject({
    num_analyzed: count,
    max_size_threshold: count.nullable(),
    num_samples_searched: count,
    exp2_results_path: z.null(),
    num_images: count,
  }),
  findings: z.array(finding_schema),
};
export type CropOverlapFile = z.infer<z.ZodObject<typeof crop_overlap_shape>>;

/** What a cell keeps of the model, so that its results can be made from it alone. */
export const geometry_record = (
  { vit, pooling_h, overlap_margins: [before, after] }: ModelConfig,
  max_crops: number,
): GeometryRecord => ({ image: vit.image, patch: vit.patch, pool: pooling_h, margins: [before, after], max_crops });
const record_schema = z.strictObject({
  ...{ image: count, patch: count, pool: count, max_crops: count },
  margins: z.tuple([count, count]),
});
type GeometryRecord = z.infer<typeof record_schema>;

const geometry_from = ({ image, patch, pool, margins }: GeometryRecord): ImageGeometry =>
  geometry_of({
    vit: { image, patch },
    pooling_h: pool,
    overlap_margins: margins,
    image_mean: PUBLISHED_MEAN,
    image_std: PUBLISHED_STD,
  });

function record_of({ key, about, tokens }: Configuration): GeometryRecord {
  const record = record_schema.safeParse(about?.geometry);
  if (record.success && tokens.image_size !== null && tokens.tiling !== null) return record.data;
  throw new InputError(`${key}: expected a picture and the geometry it was cut by, found none; delete this cell`);
}

export function tiling_row({ rows, cols }: Tiling, g: ImageGeometry): TilingRow {
  const { vit_patches, pooled_cells, inserted_cells } = vision_counts({ rows, cols }, g);
  const unused = pooled_cells - inserted_cells;
  return {
    ...{ rows, cols, total_crops: rows * cols, num_crops: rows * cols + 1, vit_patches },
    ...{ pooled_tokens_computed: pooled_cells, inserted_tokens: inserted_cells },
    ...{ unused_tokens: unused, unused_share: unused / pooled_cells },
  };
}

/** Of the cells' models, which are one. */
export function tilings_of([first]: readonly Configuration[]): TilingRow[] {
  if (first === undefined) return [];
  const record = record_of(first);
  const g = geometry_from(record);
  return tilings_up_to(record.max_crops).map((tiling) => tiling_row(tiling, g));
}

export function overlap_of(one: Configuration, crop_image_paths: readonly string[]): OverlapImage {
  const record = record_of(one);
  const g = geometry_from(record);
  const [width = 0, height = 0] = (one.tokens.image_size ?? '').split('x').map(Number);
  const [rows = 1, cols = 1] = one.tokens.tiling ?? [];
  const picture: Size = { width, height };
  const tiling: Tiling = { rows, cols };
  const canvas = canvas_of(tiling, g);
  const at = placed(picture, canvas);
  const views = views_of_cells(tiling, g).flat();
  const { image_id = null, example_id = null, search = {} } = one.about ?? {};
  return {
    key: one.key,
    ...{ image_id, example_id },
    original_size: { height, width },
    resized_size: { height: canvas.height, width: canvas.width },
    picture_on_canvas: at,
    tiling: { rows, cols, total_crops: rows * cols },
    crop_config: {
      max_crops: record.max_crops,
      overlap_margins: record.margins,
      base_image_input_size: [g.crop_px, g.crop_px],
      crop_window_size: g.tile_px,
      crop_patches: g.patches_per_side,
      crop_window_patches: g.tile_px / g.patch_px,
    },
    crops: crop_windows(tiling, g).map(({ row, col, x0, y0, cells: { x0: cx, y0: cy, w, h } }, i) => {
      const back = (px: number, from: number, scaled: number, size: number) =>
        Math.min(Math.max(((px - from) * size) / scaled, 0), size);
      return {
        crop_idx: i,
        tiling_pos: [row, col] as [number, number],
        resized_coords: { y0, y1: y0 + g.crop_px, x0, x1: x0 + g.crop_px },
        original_coords: {
          y0: back(y0, at.top, at.height, height),
          y1: back(y0 + g.crop_px, at.top, at.height, height),
          x0: back(x0, at.left, at.width, width),
          x1: back(x0 + g.crop_px, at.left, at.width, width),
        },
        patch_coords: { y0: cy * g.pool, h: h * g.pool, x0: cx * g.pool, w: w * g.pool },
        pooled_dims: { h, w },
        num_patches: h * w * g.pool ** 2,
      };
    }),
    overlap_statistics: overlap_by_study(picture, tiling, g),
    redundancy: {
      ...tiling_row(tiling, g),
      cells_seen_twice: views.filter((n) => n > 1).length / views.length,
      views_of_a_cell: views.reduce((sum, n) => sum + n, 0) / views.length,
      black_share: 1 - (at.width * at.height) / (canvas.width * canvas.height),
      enlargement: at.width / width,
    },
    crop_control: tilings_up_to(record.max_crops).flatMap((other) => {
      const times = enlargement(picture, other, g);
      // A picture no larger than the margin has no scale.
      if (!Number.isFinite(times)) return [];
      return [{ ...tiling_row(other, g), enlargement: times, chosen: other.rows === rows && other.cols === cols }];
    }),
    crop_image_paths: [...crop_image_paths],
    search_info: search as Record<string, unknown>,
  };
}
