import { InputError } from '../errors.ts';
import type { ImageGeometry } from '../model/geometry.ts';
import { type VisionCounts, vision_counts } from './layout.ts';
import type { Picture } from './pictures.ts';
import { type Placement, place, type ResizeMode, resize } from './resize.ts';
import { type CropChoice, choose_tiling, type Tiling } from './tiling.ts';

export type PreparedImage = {
  images: Float32Array; // [views, patches, patch values] normalised patches; the overview first, then the crops row by row
  masks: Float32Array; // [views, patches] share of each patch that is picture, shifted by one view (see patch_masks)
  views: number; // crops + 1
  tiling: Tiling;
  counts: VisionCounts;
  canvas: Placement; // where the picture lies on the canvas that is cut into crops
  overview: Placement;
};

export type ImageOptions = { mode: ResizeMode; crops: CropChoice; geometry: ImageGeometry };

export function prepare_image(picture: Picture, { mode, crops, geometry }: ImageOptions): PreparedImage {
  check_picture(picture);
  const tiling = choose_tiling(picture.width, picture.height, crops, geometry);
  const { rows, cols } = tiling;
  const { tile_px: tile, margin_px: margin } = geometry;
  const canvas = place(picture, tile * cols + margin, tile * rows + margin, mode);
  const overview = place(picture, geometry.crop_px, geometry.crop_px, mode);

  const views = rows * cols + 1;
  const view_values = geometry.crop_px * geometry.crop_px * 3;
  const images = new Float32Array(views * view_values);
  copy_patches(draw(picture, overview, geometry), geometry.crop_px, 0, 0, images, geometry);
  const pixels = draw(picture, canvas, geometry);
  for (let crop = 0; crop < rows * cols; crop++) {
    const y = Math.floor(crop / cols) * tile;
    const x = (crop % cols) * tile;
    const view = images.subarray((crop + 1) * view_values, (crop + 2) * view_values);
    copy_patches(pixels, canvas.width, y, x, view, geometry);
  }
  return {
    images,
    masks: patch_masks(tiling, canvas, geometry),
    views,
    tiling,
    counts: vision_counts(tiling, geometry),
    canvas,
    overview,
  };
}

function check_picture({ width, height, rgb }: Picture): void {
  const sound = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!sound || rgb.length !== width * height * 3) {
    throw new InputError(
      `image: expected width x height x 3 bytes of RGB, found ${width}x${height}, ${rgb.length} bytes`,
    );
  }
}

/** The resized picture in its place on a black canvas, normalised: [height, width, 3]. */
function draw(picture: Picture, at: Placement, g: ImageGeometry): Float32Array {
  const { rows, cols, values } = resize(picture, at);
  const mean = g.mean.map(Math.fround);
  const std = g.std.map(Math.fround);
  const normal = (value: number, c: number) => Math.fround(value - (mean[c] as number)) / (std[c] as number);
  const pixels = new Float32Array(at.width * at.height * 3);
  if (rows < at.height || cols < at.width) {
    const black = [normal(0, 0), normal(0, 1), normal(0, 2)];
    for (let k = 0; k < pixels.length; k++) pixels[k] = black[k % 3] as number;
  }
  let from = 0;
  for (let y = 0; y < rows; y++) {
    let to = ((at.top + y) * at.width + at.left) * 3;
    for (let x = 0; x < cols; x++) {
      for (let c = 0; c < 3; c++) pixels[to++] = normal(values[from++] as number, c);
    }
  }
  return pixels;
}

/** One crop at (top, left) as [patches, patch_px * patch_px * 3]: patches row by row, in each the pixels row by row. */
function copy_patches(
  pixels: Float32Array,
  width: number,
  top: number,
  left: number,
  view: Float32Array,
  g: ImageGeometry,
): void {
  const side = g.patches_per_side;
  const run = g.patch_px * 3;
  let to = 0;
  for (let py = 0; py < side; py++) {
    for (let px = 0; px < side; px++) {
      for (let y = 0; y < g.patch_px; y++, to += run) {
        const from = ((top + py * g.patch_px + y) * width + left + px * g.patch_px) * 3;
        view.set(pixels.subarray(from, from + run), to);
      }
    }
  }
}

/**
 * Row k belongs to crop k, although the overview is view 0 and so crop k is view k + 1; the last row is -1 and belongs
 * to nothing. The published weights were trained with this shift: view k is paired with row k.
 */
function patch_masks({ rows, cols }: Tiling, at: Placement, g: ImageGeometry): Float32Array {
  const side = g.patches_per_side;
  const masks = new Float32Array((rows * cols + 1) * side * side).fill(-1);
  let k = 0;
  for (let crop = 0; crop < rows * cols; crop++) {
    const crop_y = Math.floor(crop / cols) * g.tile_px;
    const crop_x = (crop % cols) * g.tile_px;
    for (let py = 0; py < side; py++) {
      const covered_y = overlap(crop_y + py * g.patch_px, g.patch_px, at.top, at.top + at.scaled_height);
      for (let px = 0; px < side; px++) {
        const covered_x = overlap(crop_x + px * g.patch_px, g.patch_px, at.left, at.left + at.scaled_width);
        masks[k++] = (covered_y * covered_x) / (g.patch_px * g.patch_px);
      }
    }
  }
  return masks;
}

/** How much of start .. start + length lies in from .. to. */
function overlap(start: number, length: number, from: number, to: number): number {
  return Math.max(0, Math.min(start + length, to) - Math.max(start, from));
}
