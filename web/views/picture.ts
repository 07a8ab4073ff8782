import type { Tiling } from '../../engine/input/tiling.ts';
import type { ImageGeometry } from '../../engine/model/geometry.ts';
import { el, svg } from '../../experiments/lab/report/dom.ts';
import { canvas_of, crop_windows, placed } from '../../experiments/motivation/crop_windows.ts';
import type { App, Subject } from '../app.ts';

/** The picture with its crops drawn over it, once it is known into how many it is cut. */
export function picture_view(app: App): {
  readonly node: HTMLElement;
  readonly update: (tiling: Tiling | undefined) => void;
} {
  const canvas = el('canvas', { role: 'img', 'aria-label': 'no picture' });
  const crops = svg('svg', { class: 'crops', 'aria-hidden': 'true', preserveAspectRatio: 'none' });
  const caption = el('figcaption', { class: 'caption' });
  const frame = el('div', { class: 'frame' }, canvas, crops);
  const node = el('figure', { class: 'picture' }, frame, caption);
  let drawn: Subject | undefined;
  return {
    node,
    update: (tiling) => {
      const { picture } = app;
      frame.hidden = picture === undefined;
      if (picture !== drawn && picture !== undefined) paint(canvas, picture);
      drawn = picture;
      crops.replaceChildren();
      if (picture === undefined) {
        caption.textContent = 'No picture: the question alone.';
        return;
      }
      canvas.setAttribute('aria-label', `${picture.name}, ${picture.width} by ${picture.height} pixels`);
      const size = `${picture.name}, ${picture.width} x ${picture.height}`;
      const geometry = app.model?.geometry;
      if (tiling === undefined || geometry === undefined) {
        caption.textContent = size;
        return;
      }
      draw_crops(crops, picture, tiling, geometry);
      const count = tiling.rows * tiling.cols;
      caption.textContent = `${size}: ${tiling.rows} x ${tiling.cols} ${count === 1 ? 'crop' : 'crops'} that overlap, and an overview of the whole`;
    },
  };
}

/** Enlarged without smoothing: a drawn picture has few pixels. */
function paint(canvas: HTMLCanvasElement, { width, height, rgb }: Subject): void {
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext('2d');
  if (pen === null) return;
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let from = 0, to = 0; from < rgb.length; to += 4) {
    rgba[to] = rgb[from++] as number;
    rgba[to + 1] = rgb[from++] as number;
    rgba[to + 2] = rgb[from++] as number;
    rgba[to + 3] = 255;
  }
  pen.putImageData(new ImageData(rgba, width, height), 0, 0);
}

/** Crops lie on the canvas that the picture is placed on: taken back to the picture's own pixels. */
function draw_crops(crops: SVGElement, picture: Subject, tiling: Tiling, g: ImageGeometry): void {
  const at = placed(picture, canvas_of(tiling, g));
  const [across, down] = [picture.width / at.width, picture.height / at.height];
  crops.setAttribute('viewBox', `0 0 ${picture.width} ${picture.height}`);
  for (const [i, { x0, y0 }] of crop_windows(tiling, g).entries()) {
    const from_x = Math.max(0, (x0 - at.left) * across);
    const from_y = Math.max(0, (y0 - at.top) * down);
    const to_x = Math.min(picture.width, (x0 + g.crop_px - at.left) * across);
    const to_y = Math.min(picture.height, (y0 + g.crop_px - at.top) * down);
    if (to_x <= from_x || to_y <= from_y) continue;
    const box = { x: from_x, y: from_y, width: to_x - from_x, height: to_y - from_y };
    crops.append(svg('rect', { ...box, class: `crop crop-${i % 2}`, 'vector-effect': 'non-scaling-stroke' }));
  }
}
