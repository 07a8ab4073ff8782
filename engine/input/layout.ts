import type { ImageGeometry } from '../model/geometry.ts';
import type { SpecialIds } from './special_ids.ts';
import type { Tiling } from './tiling.ts';

/** Marks a pooled cell that a neighbouring crop already shows, so it never reaches the language model. */
export const unused_cell = -100;

/**
 * Three different numbers are called "vision tokens" in the literature. Here each has its own name.
 * Only inserted_cells and image_tokens lengthen the prompt.
 */
export type VisionCounts = {
  vit_patches: number; // positions the ViT computes, class tokens apart
  pooled_cells: number; // outputs of the projector, all views
  inserted_cells: number; // outputs that are added to a token embedding: one for each <im_patch>
  image_tokens: number; // length of the image in the prompt: inserted cells, row ends, starts and ends
};

export type ImageLayout = {
  token_ids: number[]; // [image_tokens], to be put right after BOS
  input_idx: Int32Array; // [crops + 1, cells], position in the prompt (BOS is 0) or unused_cell
  counts: VisionCounts;
};

export function vision_counts({ rows, cols }: Tiling, g: ImageGeometry): VisionCounts {
  const views = rows * cols + 1;
  const grid = crop_grid({ rows, cols }, g);
  const inserted_cells = g.cells + grid.height * grid.width;
  return {
    vit_patches: g.patches * views,
    pooled_cells: g.cells * views,
    inserted_cells,
    image_tokens: inserted_cells + g.cells_per_side + grid.height + 4,
  };
}

export function image_layout(
  tiling: Tiling,
  ids: Pick<SpecialIds, 'im_start' | 'im_end' | 'im_patch' | 'im_col'>,
  g: ImageGeometry,
): ImageLayout {
  const token_ids: number[] = [];
  const add_grid = (height: number, width: number) => {
    token_ids.push(ids.im_start);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) token_ids.push(ids.im_patch);
      token_ids.push(ids.im_col);
    }
    token_ids.push(ids.im_end);
  };
  const grid = crop_grid(tiling, g);
  add_grid(g.cells_per_side, g.cells_per_side);
  add_grid(grid.height, grid.width);
  return { token_ids, input_idx: cell_rows(tiling, g), counts: vision_counts(tiling, g) };
}

/** Position in the prompt of each pooled cell of all views, the overview first. */
export function cell_rows(tiling: Tiling, g: ImageGeometry): Int32Array {
  const { rows, cols } = tiling;
  const cells = g.cells_per_side;
  const [before, after] = g.margins.map((patches) => patches / g.pool) as [number, number]; // cells that the neighbour shows
  const step = cells - before - after; // cells between the same cell of two neighbours
  const grid = crop_grid(tiling, g);
  const input_idx = new Int32Array((rows * cols + 1) * cells * cells).fill(unused_cell);
  const bos_and_start = 2;
  let k = 0;
  for (let y = 0; y < cells; y++) {
    for (let x = 0; x < cells; x++) input_idx[k++] = bos_and_start + y * (cells + 1) + x;
  }
  const overview_tokens = cells * (cells + 1) + 2; // a row end each, a start and an end
  const first_patch = overview_tokens + bos_and_start;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      for (let y = 0; y < cells; y++) {
        for (let x = 0; x < cells; x++, k++) {
          const inside_y = (i === 0 || y >= before) && (i === rows - 1 || y < cells - after);
          const inside_x = (j === 0 || x >= before) && (j === cols - 1 || x < cells - after);
          if (inside_y && inside_x) {
            input_idx[k] = first_patch + (step * i + y) * (grid.width + 1) + step * j + x;
          }
        }
      }
    }
  }
  return input_idx;
}

/** All crops' cells as one grid in the shape of the picture. */
function crop_grid({ rows, cols }: Tiling, g: ImageGeometry): { height: number; width: number } {
  const margins = (g.margins[0] + g.margins[1]) / g.pool;
  const step = g.cells_per_side - margins;
  return { height: step * rows + margins, width: step * cols + margins };
}
