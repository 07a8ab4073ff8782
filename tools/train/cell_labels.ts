import type { PreparedImage } from '../../engine/input/image.ts';
import type { ImageGeometry } from '../../engine/model/geometry.ts';
import { colors, kinds, type Mark, type Scene, type Shape } from '../../experiments/datasets/shapes_scene.ts';

/** What a pooled cell shows, for losses that help the vision learn; no part of the model. */
export const label_names = ['color', 'kind', 'size', 'digit', 'centre_x', 'centre_y', 'owner'] as const;
export const unknown_label = -1;
/** Bins of a crop's side for a centre. */
export const centre_bins = 8;
const least_share = 0.15; // of a cell's area
const legible_scale = 0.9;

/** A box in the pixels of one view. */
type Box = { left: number; top: number; right: number; bottom: number };

/** [views, cells, labels], in the order of the pooled cells. */
export function cell_labels(
  scene: Scene,
  marks: readonly Mark[],
  prepared: PreparedImage,
  g: ImageGeometry,
): Int32Array {
  const side = g.cells_per_side;
  const cell_px = g.crop_px / side;
  const labels = new Int32Array(prepared.views * side * side * label_names.length);
  for (let view = 0, k = 0; view < prepared.views; view++) {
    const { to_view, scale } = view_of(scene, prepared, view, g);
    const boxes = scene.shapes.map((shape) => to_view(box_of(shape)));
    const cards = marks.map((mark) => ({ digit: mark.digit, box: to_view(card_of(mark)) }));
    for (let cell = 0; cell < side * side; cell++, k += label_names.length) {
      const left = (cell % side) * cell_px;
      const top = Math.floor(cell / side) * cell_px;
      const area = { left, top, right: left + cell_px, bottom: top + cell_px };
      const shares = boxes.map((box) => overlap(box, area) / cell_px ** 2);
      const best = shares.indexOf(Math.max(...shares));
      const shown = (shares[best] as number) >= least_share;
      const box = boxes[best] as Box;
      const shape = scene.shapes[best] as Shape;
      labels[k] = shown ? 1 + colors.indexOf(shape.color) : 0;
      labels[k + 1] = shown ? 1 + kinds.indexOf(shape.kind) : 0;
      labels[k + 2] = shown ? (shape.big ? 2 : 1) : 0;
      labels[k + 3] = digit_label(cards, area, scale, g);
      labels[k + 4] = shown ? bin((box.left + box.right) / 2, g) : unknown_label;
      labels[k + 5] = shown ? bin((box.top + box.bottom) / 2, g) : unknown_label;
      labels[k + 6] = boxes.some((other) => centre_inside(other, area)) ? 1 : 0;
    }
  }
  return labels;
}

function view_of(
  { width, height }: Scene,
  { canvas, overview, tiling }: PreparedImage,
  view: number,
  g: ImageGeometry,
) {
  const at = view === 0 ? overview : canvas;
  const crop_left = view === 0 ? 0 : ((view - 1) % tiling.cols) * g.tile_px;
  const crop_top = view === 0 ? 0 : Math.floor((view - 1) / tiling.cols) * g.tile_px;
  const scale = at.scaled_width / width;
  const x = (value: number) => at.left + value * scale - crop_left;
  const y = (value: number) => at.top + (value * at.scaled_height) / height - crop_top;
  const to_view = (box: Box): Box => ({
    left: x(box.left),
    top: y(box.top),
    right: x(box.right),
    bottom: y(box.bottom),
  });
  return { to_view, scale };
}

const box_of = ({ x, y, reach }: Shape): Box => ({
  left: x - reach,
  top: y - reach,
  right: x + reach + 1,
  bottom: y + reach + 1,
});
const card_of = ({ left, top, dot_px }: { left: number; top: number; dot_px: number }): Box => ({
  left,
  top,
  right: left + 5 * dot_px,
  bottom: top + 7 * dot_px,
});

/** 1 + the digit in the cell where a card's centre lies; unknown where it cannot be read. */
function digit_label(cards: readonly { digit: number; box: Box }[], cell: Box, scale: number, g: ImageGeometry) {
  const inside = cards.filter(({ box }) => centre_inside(box, cell));
  const [card] = inside;
  if (!card) return 0;
  const { left, top, right, bottom } = card.box;
  const whole = left >= 0 && top >= 0 && right <= g.crop_px && bottom <= g.crop_px;
  return whole && inside.length === 1 && scale >= legible_scale ? 1 + card.digit : unknown_label;
}

function overlap(a: Box, b: Box): number {
  const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return Math.max(0, across) * Math.max(0, down);
}

function centre_inside(box: Box, cell: Box): boolean {
  const x = (box.left + box.right) / 2;
  const y = (box.top + box.bottom) / 2;
  return x >= cell.left && x < cell.right && y >= cell.top && y < cell.bottom;
}

const bin = (value: number, g: ImageGeometry): number =>
  Math.min(centre_bins - 1, Math.max(0, Math.floor((value * centre_bins) / g.crop_px)));
