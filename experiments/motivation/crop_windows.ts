import { place } from '../../engine/input/resize.ts';
import type { Tiling } from '../../engine/input/tiling.ts';
import type { ImageGeometry } from '../../engine/model/geometry.ts';

/** What a picture is cut into, and how much of that is there twice. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

const cell_px = ({ patch_px, pool }: ImageGeometry): number => patch_px * pool;

/** The picture's canvas: as many tiles as there are crops, and the margins once. */
export const canvas_of = ({ rows, cols }: Tiling, { tile_px, margin_px }: ImageGeometry): Size => ({
  width: tile_px * cols + margin_px,
  height: tile_px * rows + margin_px,
});

/** Where the whole picture lies on its canvas; what is left of it is black. */
export function placed({ width, height }: Size, canvas: Size) {
  const at = place({ width, height, rgb: new Uint8Array() }, canvas.width, canvas.height, 'pad');
  return { left: at.left, top: at.top, width: at.scaled_width, height: at.scaled_height };
}

/** One crop: where it lies on the canvas, and the cells of the canvas that the prompt gets from it. */
export interface CropWindow {
  readonly row: number;
  readonly col: number;
  readonly x0: number;
  readonly y0: number;
  readonly cells: { readonly x0: number; readonly y0: number; readonly w: number; readonly h: number };
}

/** Crops row by row. A margin that a neighbour shows is left to it. */
export function crop_windows({ rows, cols }: Tiling, g: ImageGeometry): CropWindow[] {
  const [before, after] = g.margins.map((patches) => patches / g.pool) as [number, number];
  const step = g.tile_px / cell_px(g);
  const side = (i: number, count: number) => {
    const from = i === 0 ? 0 : before;
    const to = i === count - 1 ? g.cells_per_side : g.cells_per_side - after;
    return { from: i * step + from, count: to - from };
  };
  return Array.from({ length: rows * cols }, (_, i): CropWindow => {
    const [row, col] = [Math.floor(i / cols), i % cols];
    const [y, x] = [side(row, rows), side(col, cols)];
    const cells = { x0: x.from, y0: y.from, w: x.count, h: y.count };
    return { row, col, x0: col * g.tile_px, y0: row * g.tile_px, cells };
  });
}

/** How many crops see each cell of the canvas, [row][column]. */
export function views_of_cells(tiling: Tiling, g: ImageGeometry): number[][] {
  const canvas = canvas_of(tiling, g);
  const size = cell_px(g);
  const windows = crop_windows(tiling, g);
  const within = (px: number, from: number) => px >= from && px + size <= from + g.crop_px;
  return Array.from({ length: canvas.height / size }, (_, y) =>
    Array.from(
      { length: canvas.width / size },
      (_, x) => windows.filter(({ x0, y0 }) => within(x * size, x0) && within(y * size, y0)).length,
    ),
  );
}

/**
 * The study's overlap: the cells that the prompt gets, taken back to the picture before it was resized and counted in a grid of
 * cells there. Enlarged, several cells come from one: what it measures is the enlargement, not what crops share.
 */
export function overlap_by_study(picture: Size, tiling: Tiling, g: ImageGeometry) {
  const at = placed(picture, canvas_of(tiling, g));
  const size = cell_px(g);
  const seen = new Map<string, number>();
  for (const { cells } of crop_windows(tiling, g)) {
    for (let y = cells.y0; y < cells.y0 + cells.h; y++) {
      for (let x = cells.x0; x < cells.x0 + cells.w; x++) {
        const [px, py] = [x * size - at.left, y * size - at.top];
        if (px < 0 || py < 0 || px >= at.width || py >= at.height) continue;
        const row = Math.floor((py * picture.height) / at.height / size);
        const col = Math.floor((px * picture.width) / at.width / size);
        const key = `${row} ${col}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
    }
  }
  const counts = [...seen.values()];
  const total = counts.reduce((sum, n) => sum + n, 0);
  const several = counts.filter((n) => n > 1);
  return {
    total_patch_area: total,
    unique_patch_area: counts.length,
    overlap_ratio: total > 0 ? 1 - counts.length / total : 0,
    redundancy_ratio: counts.length > 0 ? total / counts.length : 1,
    overlapping_patches: several.length,
    avg_overlap_count: several.length > 0 ? several.reduce((sum, n) => sum + n, 0) / several.length : 0,
  };
}

/** All ways to cut a picture into at most so many crops: fewest first, then fewest rows. */
export const tilings_up_to = (most: number): Tiling[] =>
  Array.from({ length: most }, (_, i) => i + 1).flatMap((count) =>
    Array.from({ length: count }, (_, i) => i + 1)
      .filter((rows) => count % rows === 0)
      .map((rows) => ({ rows, cols: count / rows })),
  );

/** How much a tiling enlarges a picture, in the processor's own precision. The one that enlarges least is taken. */
export function enlargement({ width, height }: Size, { rows, cols }: Tiling, g: ImageGeometry): number {
  const across = Math.fround((g.tile_px * cols) / Math.fround(width - g.margin_px));
  const down = Math.fround((g.tile_px * rows) / Math.fround(height - g.margin_px));
  return Math.min(across, down);
}
